# SPDX-License-Identifier: Apache-2.0
"""``fit(progress=...)``: what the bar shows, when, and how rarely it looks at the metric."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.callback import progress
from mxlite_compiler.program import COUNTERS

pytest.importorskip("tqdm")


def fit(**keywords: Any) -> mx.mod.Module:
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    x = np.random.RandomState(0).rand(16, 3).astype("float32")
    batches = mx.io.NDArrayIter(x, (x[:, 0] > x[:, 1]).astype("float32"), 4)
    module.fit(batches, eval_data=batches, num_epoch=3, **keywords)
    return module


def test_a_bar_over_all_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    fit(progress=True, begin_epoch=1)
    shown = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert any("epoch 2/3:  50%" in line and "4/8" in line and "validation-accuracy=" in line for line in shown)
    assert "epoch 3/3: 100%" in shown[-1] and "8/8" in shown[-1] and ", accuracy=" in shown[-1]


def test_no_bar_unless_asked_or_in_a_notebook(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    fit()
    fit(progress=False)
    fit(progress=True, begin_epoch=3)  # nothing to do
    assert capsys.readouterr().err == ""
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)  # no widgets
    fit()
    assert "epoch 3/3: 100%" in capsys.readouterr().err


def test_log_lines_stand_above_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    root, handler = logging.getLogger(), logging.StreamHandler(sys.stderr)
    level, before = root.level, list(root.handlers)
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        fit(progress=True)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert root.handlers == before
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert any(line.startswith("Epoch[0] Train-accuracy=") and "%|" not in line for line in lines)


def test_an_error_closes_the_bar() -> None:
    from tqdm import tqdm

    def stop(param: Any) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        fit(progress=True, batch_end_callback=stop)
    assert not getattr(tqdm, "_instances", ())


def test_the_bar_costs_no_launch_and_no_look_at_the_metric() -> None:
    launches = []
    for wanted in (False, True):
        COUNTERS.reset()
        fit(progress=wanted)
        launches.append(COUNTERS.launches)
    assert launches[0] == launches[1]


def test_the_metric_is_read_once_a_second_and_rarer_where_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(value=0.0)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now.value)
    reads: list[float] = []
    cost = SimpleNamespace(value=0.0)

    def read() -> list[tuple[str, float]]:
        reads.append(now.value)
        now.value += cost.value
        return [("accuracy", 0.5)]

    tqdm = SimpleNamespace(update=lambda: None, set_description=lambda *a, **k: None, set_postfix=lambda v: None)
    bar = progress.Bar(tqdm, epochs=1)
    metric = SimpleNamespace(get_global_name_value=read)
    for batch in range(100):
        now.value += 0.25
        bar(SimpleNamespace(epoch=0, nbatch=batch, eval_metric=metric))
    assert len(reads) == 25 and np.diff(reads).min() == 1
    cost.value = 0.5  # half a second: then not before ten have passed
    reads.clear()
    for batch in range(100, 200):
        now.value += 0.25
        bar(SimpleNamespace(epoch=0, nbatch=batch, eval_metric=metric))
    assert len(reads) == 3 and np.diff(reads).min() >= 10


def test_batches_of_an_iterator() -> None:
    assert progress._batches([1, 2, 3]) == 3
    assert progress._batches(mx.io.NDArrayIter(np.zeros((10, 2)), batch_size=4)) == 3
    assert progress._batches(object()) is None


def test_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.contrib.logging", None)
    with pytest.raises(ImportError, match=r"fit\(progress=True\) shows a bar of tqdm: pip install 'mxlite\[curves\]'"):
        fit(progress=True)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    fit()
