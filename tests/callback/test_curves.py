# SPDX-License-Identifier: Apache-2.0
"""`PlotCurves`: which points it draws, and that there is always a whole picture."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture
def fit() -> Any:
    """Train for some epochs of 4 batches; gives the values of the metrics by epoch."""
    x = np.random.RandomState(0).rand(16, 3).astype("float32")

    def run(epochs: int, begin: int = 0, **keywords: Any) -> list[Any]:
        net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
        module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
        batches = mx.io.NDArrayIter(x, (x[:, 0] > x[:, 1]).astype("float32"), 4)
        metric, seen = mx.metric.create(["acc", "ce"]), []
        given = keywords.pop("epoch_end_callback", None)
        ends = [lambda *_: seen.append(dict(metric.get_global_name_value())), *([given] if given else [])]
        module.fit(
            batches,
            batches if "eval_end_callback" in keywords else None,
            metric,
            num_epoch=epochs,
            begin_epoch=begin,
            epoch_end_callback=ends,
            validation_metric=["acc", "ce"],
            **keywords,
        )
        return seen

    return run


def test_one_object_is_all_three_callbacks(fit: Any, tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    curves = mx.callback.PlotCurves(path, frequent=2, title="two metrics")
    seen = fit(3, batch_end_callback=curves, epoch_end_callback=curves, eval_end_callback=curves)
    for name in ("accuracy", "cross-entropy"):
        assert curves.training[name] == [(i + 1, values[name]) for i, values in enumerate(seen)]
        assert [at for at, _ in curves.validation[name]] == [1, 2, 3]
        assert [[at for at, _ in points] for points in curves.within[name]] == [
            [i + 0.5, i + 1.0, i + 1] for i in range(3)
        ]
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]
    pixels = matplotlib.image.imread(path)[..., :3]
    for color in (matplotlib.colors.to_rgb("tab:blue"), matplotlib.colors.to_rgb("tab:orange")):
        assert (np.abs(pixels - color).max(axis=-1) < 0.02).sum() > 50


def test_the_picture_is_replaced_after_every_epoch(fit: Any, tmp_path: Path) -> None:
    curves = mx.callback.PlotCurves(tmp_path / "curves.svg", frequent=None, metrics="accuracy")
    texts = []

    def end(*args: Any) -> None:
        curves(*args)
        texts.append((tmp_path / "curves.svg").read_text())

    fit(4, begin=2, batch_end_callback=curves, epoch_end_callback=end)
    assert [at for at, _ in curves.training["accuracy"]] == [3, 4]
    assert len(set(texts)) == 2 and all(t.endswith("</svg>\n") for t in texts)


def test_validation_alone(fit: Any, tmp_path: Path) -> None:
    curves = mx.callback.PlotCurves(tmp_path / "v.png")
    fit(2, eval_end_callback=curves, eval_batch_end_callback=curves)
    assert not curves.training
    assert [at for at, _ in curves.validation["accuracy"]] == [1, 2]
    assert (tmp_path / "v.png").stat().st_size > 1000


def test_an_epoch_callback_alone_says_what_is_missing(fit: Any, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="give it to fit as batch_end_callback, too"):
        fit(1, epoch_end_callback=mx.callback.PlotCurves(tmp_path / "v.png"))
    assert not list(tmp_path.iterdir())


def test_mistakes(fit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg, \.pdf, got 'curves\.bmp'"):
        mx.callback.PlotCurves("curves.bmp")
    with pytest.raises(ValueError, match="at least 1, or None, got 0"):
        mx.callback.PlotCurves("curves.png", 0)
    with pytest.raises(mx.MXNetError, match=r"no folder '.*absent'; make it first"):
        mx.callback.PlotCurves(tmp_path / "absent" / "curves.png")
    curves = mx.callback.PlotCurves(tmp_path / "c.png", metrics=["acuracy"])
    with pytest.raises(mx.MXNetError, match=r"no metric is called 'acuracy'.*accuracy"):
        fit(1, batch_end_callback=curves, epoch_end_callback=curves)
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"matplotlib: pip install 'mxlite\[curves\]'"):
        mx.callback.PlotCurves(tmp_path / "c.png")
