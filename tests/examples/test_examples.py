# SPDX-License-Identifier: Apache-2.0
"""Every example runs, and does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import custom_softmax
import export_and_serve
import lstm_text
import mxlite as mx
import networks
import train_digits


@pytest.mark.parametrize(("network", "epochs", "least"), [("mlp", 6, 0.9), ("lenet", 4, 0.85), ("resnet", 1, 0.05)])
def test_train_digits(network: str, epochs: int, least: float, tmp_path: Path) -> None:
    options = ["--network", network, "--epochs", str(epochs), "--output", str(tmp_path), "--quiet"]
    result = train_digits.main(options)
    assert result.accuracy > least
    assert result.curve.stat().st_size > 1000
    symbol, arg_params, _ = mx.model.load_checkpoint(str(result.prefix), epochs)
    assert set(arg_params) == set(symbol.list_arguments()) - {"data", "softmax_label"}


def test_train_digits_in_mixed_precision(tmp_path: Path) -> None:
    options = ["--network", "mlp", "--epochs", "6", "--output", str(tmp_path), "--quiet", "--amp", "float16"]
    assert train_digits.main(options).accuracy > 0.9


def test_train_digits_resumes(tmp_path: Path) -> None:
    options = ["--network", "mlp", "--output", str(tmp_path), "--quiet"]
    first = train_digits.main([*options, "--epochs", "2"])
    second = train_digits.main([*options, "--epochs", "5", "--resume", "2"])
    assert (tmp_path / "mlp-0005.params").exists()
    assert second.accuracy >= first.accuracy - 0.02


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--resume", "3", "--epochs", "2"], "--epochs"),
        (["--device", "quantum"], "quantum"),
        (["--batch-size", "0"], "0"),
        (["--batch-size", "1438"], "1438"),
        (["--lr", "nan"], "nan"),
        (["--num-epochs", "2", "--output", "{tmp_path}", "--resume", "1"], "lenet-symbol.json': no such file"),
        (["--device", "gpu:99"], "gpu(99)"),
        (["--network", "vgg"], "vgg"),
    ],
)
def test_train_digits_says_what_is_wrong(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        train_digits.main([option.format(tmp_path=tmp_path) for option in options])
    assert caught.value.code == 2
    message = capsys.readouterr().err.split("error: ")[-1]
    assert told in message and "Traceback" not in message


def test_networks_have_the_shapes_they_say() -> None:
    for name, shape in (("mlp", (4, 1, 28, 28)), ("lenet", (4, 1, 28, 28)), ("resnet", (4, 3, 32, 32))):
        _, outputs, _ = networks.get_symbol(name).infer_shape(data=shape)
        assert outputs == [(4, 10)]
    weights = [n for n in networks.resnet().list_arguments() if n.endswith("_weight")]
    assert len(weights) == 20 + 2  # two shortcuts are projected
    with pytest.raises(ValueError, match="6 n"):
        networks.resnet(depth=21)
    with pytest.raises(ValueError, match="mlp, lenet, resnet"):
        networks.get_symbol("vgg")


def test_custom_softmax_trains() -> None:
    assert custom_softmax.main(["--epochs", "3"]) > 0.85


def test_export_and_serve_gives_the_same_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert export_and_serve.main([]) < 1e-5
    assert "mxlite is imported: False" in capsys.readouterr().out


def test_serving_process_cannot_import_mxlite(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import mxlite\n")
    done = subprocess.run(
        [sys.executable, "-c", export_and_serve.FORBID, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "mxlite must not be imported here" in done.stderr


def test_lstm_learns_and_writes() -> None:
    perplexity, written = lstm_text.main(["--epochs", "3", "--steps", "8", "--hidden", "64", "--write", "40"])
    assert perplexity < 15  # an even guess among 45 letters is 45
    assert written.startswith("The ")
    assert len(written) == 44


def test_lstm_reads_its_texts() -> None:
    assert "Beautiful is better than ugly." in lstm_text.read("this")
    with pytest.raises(ValueError, match="too short"):
        lstm_text.Windows(lstm_text.np.zeros(10), 8, 4, lstm_text.Sizes(3, 4, 5, 1))
