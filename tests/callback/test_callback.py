# SPDX-License-Identifier: Apache-2.0
"""Callbacks write the lines of MXNet 1.9.1, to the letter."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mxlite as mx

N = mx.nd.array


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    mx.nd.ones(1).wait_to_read()  # JAX tells once which devices it does not find
    with caplog.at_level(logging.INFO):
        yield caplog


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(value=1000.0)
    monkeypatch.setattr(time, "time", lambda: now.value)
    return now


def param(epoch: int, nbatch: int, metric: Any = None) -> Any:
    return SimpleNamespace(epoch=epoch, nbatch=nbatch, eval_metric=metric, locals=None)


def half() -> Any:
    metric = mx.metric.create("acc")
    metric.update([N([0, 1])], [N([[1, 0], [1, 0]])])
    return metric


def both() -> Any:
    metric = mx.metric.create(["acc", "ce"])
    metric.update([N([0, 1])], [N([[0.7, 0.3], [0.6, 0.4]])])
    return metric


def drive(meter: Any, metric: Any, clock: Any, batches: int, epochs: int = 1, took: float = 0.5) -> None:
    for epoch in range(epochs):
        for nbatch in range(batches):
            clock.value += took
            meter(param(epoch, nbatch, metric))


def test_speedometer(log: pytest.LogCaptureFixture, clock: Any) -> None:
    metric = half()
    drive(mx.callback.Speedometer(4, 2), metric, clock, 8, epochs=2)
    assert log.messages == [
        "Epoch[0] Batch [0-2]\tSpeed: 8.00 samples/sec\taccuracy=0.500000",
        "Epoch[0] Batch [2-4]\tSpeed: 8.00 samples/sec\taccuracy=nan",
        "Epoch[0] Batch [4-6]\tSpeed: 8.00 samples/sec\taccuracy=nan",
        "Epoch[1] Batch [0-2]\tSpeed: 8.00 samples/sec\taccuracy=nan",
        "Epoch[1] Batch [2-4]\tSpeed: 8.00 samples/sec\taccuracy=nan",
        "Epoch[1] Batch [4-6]\tSpeed: 8.00 samples/sec\taccuracy=nan",
    ]
    assert all(r.name == "root" and r.levelname == "INFO" for r in log.records)
    assert metric.get_global() == ("accuracy", 0.5)


def test_speedometer_without_reset(log: pytest.LogCaptureFixture, clock: Any) -> None:
    drive(mx.callback.Speedometer(4, 3, auto_reset=False), both(), clock, 8)
    assert log.messages == [
        "Epoch[0] Batch [0-3]\tSpeed: 8.00 samples/sec\taccuracy=0.500000\tcross-entropy=0.636483",
        "Epoch[0] Batch [0-6]\tSpeed: 8.00 samples/sec\taccuracy=0.500000\tcross-entropy=0.636483",
    ]


def test_speedometer_without_metric(log: pytest.LogCaptureFixture, clock: Any) -> None:
    drive(mx.callback.Speedometer(4, 3), None, clock, 7)
    assert log.messages == [
        "Iter[0] Batch [3]\tSpeed: 8.00 samples/sec",
        "Iter[0] Batch [6]\tSpeed: 8.00 samples/sec",
    ]


def test_speedometer_of_a_standing_clock(log: pytest.LogCaptureFixture, clock: Any) -> None:
    drive(mx.callback.Speedometer(4, 1), half(), clock, 2, took=0)
    assert log.messages == ["Epoch[0] Batch [0-1]\tSpeed: inf samples/sec\taccuracy=0.500000"]


def test_speedometer_attributes() -> None:
    meter = mx.callback.Speedometer(4)
    assert vars(meter) == {
        "batch_size": 4, "frequent": 50, "init": False, "tic": 0, "last_count": 0, "auto_reset": True
    }  # fmt: skip


def test_log_train_metric(log: pytest.LogCaptureFixture) -> None:
    metric = half()
    write = mx.callback.log_train_metric(2)
    for nbatch in range(4):
        write(param(1, nbatch, metric))
        write(param(1, nbatch, None))
    assert log.messages == [
        "Iter[1] Batch[0] Train-accuracy=0.500000",
        "Iter[1] Batch[2] Train-accuracy=0.500000",
    ]
    log.clear()
    write = mx.callback.log_train_metric(1, auto_reset=True)
    write(param(3, 0, both()))
    write(param(3, 1, metric))
    write(param(3, 2, metric))
    assert log.messages == [
        "Iter[3] Batch[0] Train-accuracy=0.500000",
        "Iter[3] Batch[0] Train-cross-entropy=0.636483",
        "Iter[3] Batch[1] Train-accuracy=0.500000",
        "Iter[3] Batch[2] Train-accuracy=nan",
    ]


def test_log_validation_metrics(log: pytest.LogCaptureFixture) -> None:
    write = mx.callback.LogValidationMetricsCallback()
    write(param(2, 3, None))
    write(param(2, 3, both()))
    assert log.messages == [
        "Epoch[2] Validation-accuracy=0.500000",
        "Epoch[2] Validation-cross-entropy=0.636483",
    ]


def test_progress_bar(log: pytest.LogCaptureFixture) -> None:
    bar = mx.callback.ProgressBar(4, length=10)
    for nbatch in range(6):
        bar(param(0, nbatch))
    assert log.messages == [
        "[----------] 0%\r",
        "[==--------] 25%\r",
        "[=====-----] 50%\r",
        "[========--] 75%\r",
        "[==========] 100%\r",
        "[============] 125%\r",
    ]
    log.clear()
    mx.callback.ProgressBar(3)(param(0, 1))
    assert log.messages == ["[" + "=" * 27 + "-" * 53 + "] 34%\r"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: mx.callback.Speedometer(4, 0),
        lambda: mx.callback.ProgressBar(0),
        lambda: mx.callback.log_train_metric(0),
    ],
)
def test_periods_of_nothing(make: Any) -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        make()


# ------------------------------------------------------------------ checkpoints


def network() -> Any:
    return mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")


def test_do_checkpoint(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    save = mx.callback.do_checkpoint(str(tmp_path / "net"), 2)
    for epoch in range(5):
        save(epoch, network(), {"fc_weight": mx.nd.full((2, 3), epoch)}, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net-0002.params", "net-0004.params", "net-symbol.json"]
    assert log.messages == [f'Saved checkpoint to "{tmp_path}/net-000{n}.params"' for n in (2, 4)]
    _, args, _ = mx.model.load_checkpoint(str(tmp_path / "net"), 4)
    assert args["fc_weight"].asnumpy().tolist() == [[3.0] * 3] * 2


@pytest.mark.parametrize("period", [0, -3, 1.7])
def test_periods_below_one(tmp_path: Path, period: Any) -> None:
    save = mx.callback.do_checkpoint(str(tmp_path / "net"), period)
    save(0, network(), {}, {})
    assert (tmp_path / "net-0001.params").exists()


def test_period_must_be_a_number() -> None:
    with pytest.raises(TypeError, match="period"):
        mx.callback.do_checkpoint("x", "a")  # type: ignore[arg-type]


def test_module_checkpoint() -> None:
    calls: list[Any] = []
    module = SimpleNamespace(save_checkpoint=lambda *args: calls.append(args))
    save = mx.callback.module_checkpoint(module, "net", 2, True)
    for epoch in range(4):
        save(epoch)
    save(5, None, {}, {})
    mx.callback.module_checkpoint(module, "net")(0)
    assert calls == [("net", 2, True), ("net", 4, True), ("net", 6, True), ("net", 1, False)]
