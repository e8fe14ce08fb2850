# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite.cli import main
from tests.archives import read_npz

pytest.importorskip("flatbuffers")
ROOT = Path(__file__).parents[2]
NETS = ROOT / "tests" / "golden" / "nets"
PREFIX = str(NETS / "mlp")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "mlp.mxhlo"
    assert main(["export", PREFIX, "0", "--shape", "data=batch,6", "-o", str(path), "--platform", "cpu"]) == 0
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    np.savez(tmp_path / "input.npz", data=read_npz(NETS / "mlp.inputs.npz")["data"])
    return tmp_path / "input.npz"


def test_summary_is_that_of_the_library(capsys: Captured):
    assert main(["summary", f"{PREFIX}-symbol.json", "--shape", "data=4,6"]) == 0
    shown = capsys.readouterr().out
    mx.viz.print_summary(mx.sym.load(f"{PREFIX}-symbol.json"), shape={"data": (4, 6)})
    assert shown == capsys.readouterr().out and "fc1" in shown
    assert main(["summary", f"{PREFIX}-symbol.json"]) == 0


def test_export_tells_what_it_wrote(tmp_path: Path, capsys: Captured):
    path = tmp_path / "net.mxhlo"
    assert main(["export", PREFIX, "0", "--shape", "data=batch,6", "-o", str(path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == [f"wrote {path}", "input   data: float32[batch, 6]", "output  softmax_output: float32[batch, 3]"]
    assert "cpu, cuda, tpu" in out[-1]


def test_predict_writes_the_outputs(artefact: Path, inputs: Path, tmp_path: Path, capsys: Captured):
    assert main(["predict", str(artefact), str(inputs), "-o", str(tmp_path / "out.npz")]) == 0
    assert "out.npz: softmax_output" in capsys.readouterr().out
    got, want = read_npz(tmp_path / "out.npz"), read_npz(NETS / "mlp.outputs.npz")
    np.testing.assert_allclose(got["softmax_output"], want["predict/softmax_output"], rtol=1e-5, atol=1e-6)


def test_predict_prints_and_takes_one_unnamed_array(artefact: Path, tmp_path: Path, capsys: Captured):
    np.save(tmp_path / "x.npy", np.ones((2, 6)))
    assert main(["predict", str(artefact), str(tmp_path / "x.npy")]) == 0
    assert "softmax_output: float32[2, 3]\n[[" in capsys.readouterr().out


def test_inspect(artefact: Path, capsys: Captured):
    assert main(["inspect", str(artefact), "--text"]) == 0
    out = capsys.readouterr().out
    assert "data: float32[batch, 6]" in out and "stablehlo" in out


def bad(capsys: Captured, *argv: str) -> str:
    assert main(list(argv)) == 2
    got = capsys.readouterr()
    assert got.out == "" and "Traceback" not in got.err
    return got.err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "usage: mxlite"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["summary", "none-symbol.json"], "mxlite summary: error: .*none-symbol.json"),
        (["summary", f"{PREFIX}-symbol.json", "--shape", "dat=4,6"], "no input 'dat'; it has data"),
        (["summary", f"{PREFIX}-symbol.json", "--shape", "data=batch,6"], "every size must be a number"),
        (["summary", f"{PREFIX}-symbol.json", "--shape", "data"], "'data' is no shape: write NAME=SIZE"),
        (["summary", f"{PREFIX}-symbol.json", "--shape", "fc1_weight=3,3", "--shape", "data=4,6"], "(?s)fc1"),
        (["export", PREFIX, "7", "--shape", "data=batch,6"], "mlp-0007.params': no such file; epochs .*: 0"),
        (["export", PREFIX, "x", "--shape", "data=batch,6"], "'x' is no epoch number"),
        (["export", PREFIX, "0"], "--shape"),
        (["export", PREFIX, "0", "--shape", "data=0,6"], "'data=0,6' is no shape"),
        (["export", PREFIX, "0", "--shape", "data=batch,7"], "(?s)FullyConnected.*fc1"),
        (["export", PREFIX, "0", "--shape", "dta=batch,6"], "no input 'dta'; did you mean 'data'"),
        (["export", PREFIX, "0", "--shape", "data=b,6", "--dtype", "data=complex64"], "complex64': must be one of"),
        (["export", PREFIX, "0", "--shape", "data=b,6", "--platform", "abacus"], "abacus"),
        (["export", PREFIX, "0", "--shape", "data=b,6", "-o", "/nonexistent/x"], "cannot write '/nonexistent/x'"),
        (["predict", "none.mxhlo", "none.npz"], "cannot open 'none.mxhlo'"),
        (["predict", f"{PREFIX}-symbol.json", "none.npz"], "is no exported network"),
    ],
)  # fmt: skip
def test_user_errors_are_one_message_and_code_2(argv: list[str], message: str, capsys: Captured):
    assert re.search(message, bad(capsys, *argv))


def test_wrong_inputs_of_predict(artefact: Path, tmp_path: Path, capsys: Captured):
    net = str(artefact)
    assert "cannot open" in bad(capsys, "predict", net, str(tmp_path / "none.npz"))
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 not a zip")
    assert "is no file of numpy arrays" in bad(capsys, "predict", net, str(tmp_path / "bad.npz"))
    (tmp_path / "text.npz").write_text("hello")
    assert "text.npz' is no file of numpy arrays: write it" in bad(capsys, "predict", net, str(tmp_path / "text.npz"))
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "is no file of numpy arrays" in bad(capsys, "predict", net, str(tmp_path / "pickle.npy"))
    np.savez(tmp_path / "names.npz", dta=np.ones((2, 6)))
    assert "no input 'dta'; did you mean 'data'" in bad(capsys, "predict", net, str(tmp_path / "names.npz"))
    np.savez(tmp_path / "shape.npz", data=np.ones((2, 7)))
    assert "axis 1 of the array given is 7, expected 6" in bad(capsys, "predict", net, str(tmp_path / "shape.npz"))


def test_help(capsys: Captured):
    assert main(["--help"]) == 0
    assert "summary" in capsys.readouterr().out


def test_the_error_itself_on_request(tmp_path: Path):
    with pytest.raises(mx.MXNetError):
        main(["--traceback", "inspect", str(tmp_path / "none")])


def test_as_a_process(artefact: Path, inputs: Path):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    env = {**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"}

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mxlite", *argv]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    done = run("predict", str(artefact), str(inputs))
    assert done.returncode == 0 and done.stdout.startswith("softmax_output: float32[4, 3]"), done.stderr
    done = run("predict", "none", str(inputs))
    assert (done.returncode, done.stdout) == (2, "") and "Traceback" not in done.stderr
