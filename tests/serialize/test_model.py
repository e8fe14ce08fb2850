# SPDX-License-Identifier: Apache-2.0
"""Checkpoints."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite import model

ROOT = Path(__file__).parents[2]
ORACLE = os.environ.get("MXLITE_ORACLE")


def net() -> Any:
    x = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def weights(value: float = 1) -> dict[str, mx.nd.NDArray]:
    return {"fc_weight": mx.nd.full((3, 4), value), "fc_bias": mx.nd.zeros((3,))}


def test_saved_and_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    prefix = str(tmp_path / "net")
    with caplog.at_level(logging.INFO):
        model.save_checkpoint(prefix, 3, net(), weights(), {"m": mx.nd.ones((2,))})
    assert caplog.messages == [f'Saved checkpoint to "{prefix}-0003.params"']
    assert sorted(os.listdir(tmp_path)) == ["net-0003.params", "net-symbol.json"]
    assert list(mx.nd.load(f"{prefix}-0003.params")) == ["arg:fc_weight", "arg:fc_bias", "aux:m"]
    symbol, args, aux = model.load_checkpoint(prefix, 3)
    assert symbol.tojson() == net().tojson() and list(args) == ["fc_weight", "fc_bias"] and list(aux) == ["m"]
    assert args["fc_weight"].asnumpy().tolist() == [[1] * 4] * 3


def test_without_a_symbol_and_with_a_long_epoch(tmp_path: Path):
    prefix = str(tmp_path / "net")
    model.save_checkpoint(prefix, 12345, None, weights(), {})
    assert os.listdir(tmp_path) == ["net-12345.params"]
    args, aux = model.load_params(prefix, 12345)
    assert len(args) == 2 and aux == {}


def test_a_missing_epoch_lists_those_that_exist(tmp_path: Path):
    prefix = str(tmp_path / "net")
    for epoch in (2, 10, 1):
        model.save_checkpoint(prefix, epoch, net(), weights(), {})
    model.save_checkpoint(prefix + "2", 7, None, weights(), {})
    with pytest.raises(mx.MXNetError, match=r"net-0004.params': no such file; epochs saved .*: 1, 2, 10$"):
        model.load_checkpoint(prefix, 4)
    with pytest.raises(mx.MXNetError, match="no epoch was saved"):
        model.load_params(str(tmp_path / "other"), 4)


def test_a_missing_symbol_names_others(tmp_path: Path):
    model.save_checkpoint(str(tmp_path / "net"), 1, net(), weights(), {})
    with pytest.raises(mx.MXNetError, match=r"nett-symbol.json': no such file; there is .*net-symbol.json"):
        model.load_checkpoint(str(tmp_path / "nett"), 1)
    with pytest.raises(mx.MXNetError, match=r"no such file$"):
        model.load_checkpoint("/nonexistent/prefix", 3)


def test_files_that_are_no_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    a = mx.nd.ones((1,))
    mx.nd.save(str(tmp_path / "a-0001.params"), {"arg:x": a, "foo": a})
    with pytest.raises(mx.MXNetError, match="'foo' is neither arg:NAME nor aux:NAME"):
        model.load_params(str(tmp_path / "a"), 1)
    mx.nd.save(str(tmp_path / "a-0002.params"), [a])
    with pytest.raises(mx.MXNetError, match="its 1 arrays have no names"):
        model.load_params(str(tmp_path / "a"), 2)
    mx.nd.save(str(tmp_path / "a-0003.params"), {})
    assert model.load_params(str(tmp_path / "a"), 3) == ({}, {})
    assert "is empty" in caplog.text
    mx.nd.save(str(tmp_path / "a-0004.params"), {"arg:x": a, "other:y": a})
    with pytest.warns(UserWarning, match="'other:y' .* was left out"):
        assert list(model.load_params(str(tmp_path / "a"), 4)[0]) == ["x"]


def test_a_parameter_that_is_none_leaves_the_files(tmp_path: Path):
    prefix = str(tmp_path / "net")
    model.save_checkpoint(prefix, 1, net(), weights(), {})
    before = {n: (tmp_path / n).read_bytes() for n in os.listdir(tmp_path)}
    with pytest.raises(TypeError, match="arg:fc_bias"):
        model.save_checkpoint(prefix, 1, mx.sym.Variable("x"), {"fc_bias": np.ones(3)}, {})  # type: ignore[dict-item]
    assert {n: (tmp_path / n).read_bytes() for n in os.listdir(tmp_path)} == before


STOPPED = """
import os, signal, sys
import mxlite as mx
from mxlite import model
prefix, how, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
calls = 0
real = os.fsync
def fsync(fd):
    global calls
    calls += 1
    if calls == count:
        os.kill(os.getpid(), {"kill": signal.SIGKILL, "int": signal.SIGINT}[how])
    return real(fd)
os.fsync = fsync
big = {f"w{i}": mx.nd.full((200, 200), 2.0) for i in range(8)}
model.save_checkpoint(prefix, 1, mx.sym.Variable("new"), big, {})
"""


@pytest.mark.parametrize(("how", "count"), [("kill", 3), ("int", 1)])
def test_a_stopped_save_leaves_whole_files(tmp_path: Path, how: str, count: int):
    prefix = str(tmp_path / "net")
    model.save_checkpoint(prefix, 1, net(), weights(), {})
    old = (tmp_path / "net-0001.params").read_bytes()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    env = {**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", STOPPED, prefix, how, str(count)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stderr
    assert (tmp_path / "net-0001.params").read_bytes() == old
    symbol, args, _ = model.load_checkpoint(prefix, 1)  # the symbol's file is the old one or the new one
    assert symbol.list_arguments() in (["new"], net().list_arguments()) and list(args) == list(weights())
    if how == "int":
        assert "KeyboardInterrupt" in done.stderr
        assert sorted(os.listdir(tmp_path)) == ["net-0001.params", "net-symbol.json"]


READ_IN_MXNET = """
import sys, mxnet as mx
symbol, args, aux = mx.model.load_checkpoint(sys.argv[1], 1)
assert sorted(args) == ["fc_bias", "fc_weight"] and not aux
mx.model.save_checkpoint(sys.argv[1] + "-again", 1, symbol, args, aux)
"""


@pytest.mark.oracle
@pytest.mark.skipif(not ORACLE, reason="MXLITE_ORACLE names no oracle")
def test_mxnet_reads_a_checkpoint_and_writes_the_same(tmp_path: Path):
    prefix = str(tmp_path / "net")
    model.save_checkpoint(prefix, 1, net(), weights(), {})
    (tmp_path / "read.py").write_text(READ_IN_MXNET)
    subprocess.run([str(ORACLE), str(tmp_path / "read.py"), prefix], check=True)
    for ending in ("symbol.json", "0001.params"):
        assert (tmp_path / f"net-again-{ending}").read_bytes() == (tmp_path / f"net-{ending}").read_bytes()


SAVES = """
import mxlite as mx
net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=1000, name="fc")
weight, bias = mx.nd.ones((1000, 2000)), mx.nd.ones(1000)
for i in range(1, 100_000):
    mx.model.save_checkpoint("net", 1, net, {"fc_weight": weight * i, "fc_bias": bias * i}, {})
    print(i, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_program_leaves_a_whole_checkpoint(tmp_path: Path, number: int):
    roots = [str(ROOT), str(ROOT / "compiler")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(roots), "JAX_PLATFORMS": "cpu"}
    with subprocess.Popen([sys.executable, "-c", SAVES], cwd=tmp_path, env=env, stdout=-1, stderr=-1) as program:
        assert program.stdout and program.stderr
        for _ in range(3):
            assert program.stdout.readline()
        program.send_signal(number)
        last = [3, *map(int, program.stdout.read().split())][-1]
        assert number == signal.SIGKILL or b"KeyboardInterrupt" in program.stderr.read()
    _, args, aux = model.load_checkpoint(str(tmp_path / "net"), 1)
    weight, bias = args["fc_weight"].asnumpy(), args["fc_bias"].asnumpy()
    assert weight.min() == weight.max() == bias.min() == bias.max() and aux == {}
    assert weight[0, 0] in (last, last + 1)
