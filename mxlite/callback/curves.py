# SPDX-License-Identifier: Apache-2.0
"""`PlotCurves`: the learning curves of a training as a picture that grows with every epoch."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any

from ..base import MXNetError, nearest
from ..serialize import atomic_write

#: Endings of pictures.
FORMATS = ("png", "svg", "pdf")
_TRAINING, _VALIDATION = "tab:blue", "tab:orange"


class PlotCurves:
    """Draws training and validation metrics over the epochs, one panel a metric, at the end of each epoch.

    Give the one object to all three callbacks of `fit`::

        curves = mx.callback.PlotCurves("curves.png")
        module.fit(..., batch_end_callback=curves, epoch_end_callback=curves, eval_end_callback=curves)

    As ``batch_end_callback`` it draws the training metric within an epoch, too: a thin line, of the value so far in
    the epoch. As ``epoch_end_callback`` it writes the picture, which is replaced as a whole. As ``eval_end_callback``
    it adds the validation.

    Args:
        path: where the picture goes; the ending says its kind: .png, .svg or .pdf.
        frequent: read the metric every so many batches, which waits for the device; None reads it at the end of
            epochs only. Default 50.
        title: stands above the picture.
        metrics: draw these only, by name; all by default.

    Attributes:
        training, validation: ``{metric: [(epochs since the start, value), ...]}`` at the ends of epochs.
        within: the same inside of epochs; one list of points an epoch.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: another ending, or a period below 1.
        MXNetError: the folder does not exist; later, the picture cannot be written or a name is none of the metrics.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frequent: int | None = 50,
        title: str = "",
        metrics: str | list[str] | None = None,
    ):
        self.path, self.frequent, self.title = os.fspath(path), frequent, title
        self.kind = os.path.splitext(self.path)[1].lower().lstrip(".")
        if self.kind not in FORMATS:
            raise ValueError(f"path must end in .{', .'.join(FORMATS)}, got {self.path!r}")
        if frequent is not None and frequent < 1:
            raise ValueError(f"frequent must be at least 1, or None, got {frequent!r}")
        folder = os.path.dirname(self.path) or "."
        if not os.path.isdir(folder):
            raise MXNetError(f"PlotCurves cannot write {self.path!r}: there is no folder {folder!r}; make it first")
        _figure()  # before hours of training
        self.metrics = [metrics] if isinstance(metrics, str) else metrics
        self.training: dict[str, list[tuple[float, float]]] = {}
        self.validation: dict[str, list[tuple[float, float]]] = {}
        self.within: dict[str, list[list[tuple[float, float]]]] = {}
        self._metric: Any = None
        self._points: list[tuple[int, dict[str, float]]] = []
        self._epoch, self._batches = -1, 0

    def __call__(self, param: Any, symbol: Any = None, arg_params: Any = None, aux_params: Any = None) -> None:
        """Take part as any of the three callbacks; which one shows in the arguments."""
        if not hasattr(param, "nbatch"):
            self._end_epoch(param)
        elif "train_data" in (param.locals or {"train_data": None}):
            self._batch(param)
        elif param.eval_metric is not None:
            self._add(self.validation, param.epoch + 1, param.eval_metric.get_name_value())
            self.save()

    def _batch(self, param: Any) -> None:
        if param.eval_metric is None:
            return
        if param.epoch != self._epoch:
            self._epoch, self._points = param.epoch, []
        self._metric, self._batches = param.eval_metric, param.nbatch + 1
        if self.frequent is not None and self._batches % self.frequent == 0:
            self._points.append((self._batches, dict(param.eval_metric.get_global_name_value())))

    def _end_epoch(self, epoch: int) -> None:
        if self._metric is None:
            warnings.warn(
                "PlotCurves knows no training metric: give it to fit as batch_end_callback, too", stacklevel=3
            )
            return
        found = self._metric.get_global_name_value()
        self._add(self.training, epoch + 1, found)
        for name, value in found:
            inside = [(epoch + batch / self._batches, values[name]) for batch, values in self._points if name in values]
            self.within.setdefault(name, []).append([*inside, (epoch + 1, value)])
        self.save()

    @staticmethod
    def _add(curves: dict[str, list[tuple[float, float]]], at: float, found: list[tuple[str, float]]) -> None:
        for name, value in found:
            points = curves.setdefault(name, [])
            if points and points[-1][0] == at:  # a callback of each batch of an evaluation: the last knows all of it
                points.pop()
            points.append((at, value))

    def _names(self) -> list[str]:
        seen = list(dict.fromkeys([*self.training, *self.validation]))
        for name in self.metrics or ():
            if name not in seen:
                raise MXNetError(f"PlotCurves: no metric is called {name!r}{nearest(name, seen)}; there is {seen}")
        return seen if self.metrics is None else list(self.metrics)

    def save(self) -> None:
        """Write the picture of what has been seen so far, atomically. Nothing is written before the first value."""
        names = self._names()
        if not names:
            return
        columns = min(len(names), 3)
        rows = -(-len(names) // columns)
        figure = _figure()(figsize=(5.2 * columns, 3.6 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel, name in zip(panels, names, strict=False):
            self._draw(panel, name)
        for panel in panels[len(names) :]:
            panel.set_axis_off()
        if self.title:
            figure.suptitle(self.title)
        picture = io.BytesIO()
        figure.savefig(picture, format=self.kind, dpi=120)
        atomic_write(self.path, picture.getvalue())

    def _draw(self, panel: Any, name: str) -> None:
        for points in self.within.get(name, ()):
            if len(points) > 1:
                panel.plot(*zip(*points, strict=True), color=_TRAINING, alpha=0.35, linewidth=1)
        for curves, color, label in (
            (self.training, _TRAINING, "training"),
            (self.validation, _VALIDATION, "validation"),
        ):
            if points := curves.get(name):
                marker = "o" if len(points) <= 40 else ""
                panel.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=3.5, label=label)
        panel.set(xlabel="epoch", ylabel=name)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)


def _figure() -> Any:
    """matplotlib's Figure, which needs no screen and leaves pyplot's state alone."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("PlotCurves draws with matplotlib: pip install 'mxlite[curves]'") from None
    return Figure
