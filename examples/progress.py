# SPDX-License-Identifier: Apache-2.0
"""What one watches while a Module trains: a progress bar, and the learning curves as a picture."""

from __future__ import annotations

import os
from typing import Any

import matplotlib.pyplot as plt
from tqdm.auto import tqdm

import mxlite as mx


class ProgressBar:
    """A batch-end callback that moves a bar. It asks for no number, so it never waits for the device."""

    def __init__(self, batches: int, epochs: int) -> None:
        self.bar = tqdm(total=batches * epochs, unit="batch")

    def __call__(self, param: Any) -> None:
        self.bar.update()

    def say(self, **values: float) -> None:
        """Show numbers beside the bar."""
        self.bar.set_postfix({name: f"{value:.4f}" for name, value in values.items()})

    def close(self) -> None:
        self.bar.close()


class History:
    """Records the metrics of every epoch: pass `on_epoch` and `on_eval` to `fit`, then `draw`."""

    def __init__(self, metric: mx.metric.EvalMetric, bar: ProgressBar | None = None) -> None:
        self.metric, self.bar = metric, bar
        self.train: list[dict[str, float]] = []
        self.test: list[dict[str, float]] = []

    def on_epoch(self, epoch: int, symbol: Any, arg_params: Any, aux_params: Any) -> None:
        """An epoch-end callback: here `metric` still holds what the training batches gave."""
        self.train.append(dict(self.metric.get_global_name_value()))

    def on_eval(self, param: Any) -> None:
        """An eval-end callback."""
        self.test.append(dict(param.eval_metric.get_global_name_value()))
        if self.bar is not None:
            self.bar.say(**self.test[-1])

    def draw(self, path: str | os.PathLike[str], title: str = "") -> None:
        """Write one panel a metric, training and test against the epoch, as a picture."""
        names = list(self.train[0])
        figure, panels = plt.subplots(1, len(names), figsize=(5 * len(names), 3.5), squeeze=False, layout="constrained")
        for panel, name in zip(panels[0], names, strict=True):
            for label, rows in (("training", self.train), ("test", self.test)):
                panel.plot(range(1, len(rows) + 1), [row[name] for row in rows], marker=".", label=label)
            panel.set(xlabel="epoch", ylabel=name)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.grid(alpha=0.3)
            panel.legend()
        figure.suptitle(title)
        figure.savefig(path, dpi=120)
        plt.close(figure)
