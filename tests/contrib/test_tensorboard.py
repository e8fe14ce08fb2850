# SPDX-License-Identifier: Apache-2.0
"""`LogMetricsCallback`: the calls that MXNet 1.9.1 makes of its writer, read back from the event file."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mxlite as mx

tensorboardX = pytest.importorskip("tensorboardX")


def scalars(folder: Path) -> list[tuple[str, float, int]]:
    """(tag, value, step) of the events: records of a length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

    (path,) = folder.iterdir()
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        event = Event.FromString(data[at + 12 : at + 12 + size])
        found += [(v.tag, v.simple_value, event.step) for v in event.summary.value]
        at += 16 + size
    return found


def metric() -> Any:
    metric = mx.metric.create(["acc", "ce"])
    metric.update([mx.nd.array([0, 1])], [mx.nd.array([[0.7, 0.3], [0.6, 0.4]])])
    return metric


@pytest.mark.parametrize(("prefix", "first"), [(None, ""), ("train", "train-")])
def test_metrics_become_scalars_by_epoch(tmp_path: Path, prefix: str | None, first: str) -> None:
    write = mx.contrib.tensorboard.LogMetricsCallback(tmp_path / "logs", prefix)
    for epoch, found in ((0, metric()), (1, None), (2, metric())):
        write(SimpleNamespace(epoch=epoch, nbatch=3, eval_metric=found, locals=None))
    write.summary_writer.close()
    expected = [
        (f"{first}{name}", pytest.approx(value, rel=1e-6), epoch)
        for epoch in (0, 2)
        for name, value in (("accuracy", 0.5), ("cross-entropy", 0.636482834815979))
    ]
    assert scalars(tmp_path / "logs") == expected


def test_without_tensorboardX(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"tensorboardX: pip install 'mxlite\[curves\]'"):
        mx.contrib.tensorboard.LogMetricsCallback(tmp_path)
