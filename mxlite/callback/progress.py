# SPDX-License-Identifier: Apache-2.0
"""The bar of ``fit(progress=True)``: batches done, their speed, and metric values, without holding up the device."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

#: Seconds between two looks at the metric, and the part of all time that looking may take.
INTERVAL, SHARE = 1.0, 0.05


class Bar:
    """A batch callback that moves a bar and, about once a second, shows the metric beside it.

    Reading a metric waits for the device. So it is read less often where that takes long.

    Args:
        bar: a tqdm bar.
        epochs: how many epochs there are.
        first: the number of the first.
    """

    def __init__(self, bar: Any, epochs: int, first: int = 0):
        self._bar, self._epochs, self._first = bar, epochs, first
        self._epoch: int | None = None
        self._read_at = time.perf_counter()
        self._pause = INTERVAL
        self._shown: dict[str, str] = {}

    def __call__(self, param: Any) -> None:
        """Count a batch."""
        if param.epoch != self._epoch:
            self._begin(param.epoch)
        self._bar.update()
        now = time.perf_counter()
        if now - self._read_at >= self._pause:
            self.show(param.eval_metric.get_global_name_value())
            self._read_at = time.perf_counter()
            self._pause = max(INTERVAL, (self._read_at - now) / SHARE)

    def _begin(self, epoch: int) -> None:
        done = epoch - self._first
        if self._epoch is not None:  # now it is known how many batches an epoch has
            self._bar.total = self._bar.n // done * self._epochs
        self._epoch = epoch
        self._bar.set_description(f"epoch {epoch + 1}/{self._first + self._epochs}", refresh=False)

    def show(self, values: Sequence[tuple[str, float]], kind: str = "") -> None:
        """Show values beside the bar, those of before under other names included."""
        self._shown.update((f"{kind}{name}", f"{value:.4g}") for name, value in values)
        self._bar.set_postfix(self._shown)


@contextlib.contextmanager
def progress_bar(wanted: bool | None, data: Any, begin: int, end: int) -> Iterator[Bar | None]:
    """A bar for the epochs from `begin` up to `end`, None where there shall be none. Log lines go above it.

    Args:
        wanted: whether to show one; None: in a notebook, if tqdm is installed.
        data: the iterator of the training batches, which may have a length.
        begin, end: the first epoch, and one past the last.

    Raises:
        ImportError: one is wanted and tqdm is not installed.
    """
    if not (in_notebook() if wanted is None else wanted) or begin >= end:
        yield None
        return
    try:
        from tqdm.contrib.logging import logging_redirect_tqdm
    except ImportError:
        if wanted:
            raise ImportError("fit(progress=True) shows a bar of tqdm: pip install 'mxlite[curves]'") from None
        yield None
        return
    kind = _tqdm()
    batches = _batches(data)
    with (
        logging_redirect_tqdm(tqdm_class=kind),
        kind(total=None if batches is None else batches * (end - begin), unit="batch") as bar,
    ):
        yield Bar(bar, end - begin, begin)


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and type(ipython.get_ipython()).__name__ == "ZMQInteractiveShell"


def _tqdm() -> Any:
    """The widget in a notebook that can show one, else the bar of characters. (tqdm.auto warns where it cannot.)"""
    if in_notebook() and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm


def _batches(data: Any) -> int | None:
    """How many batches an epoch has, as far as the iterator tells before it has run."""
    with contextlib.suppress(TypeError):
        return len(data)
    samples, size = getattr(data, "num_data", None), getattr(data, "batch_size", None)
    return -(-samples // size) if isinstance(samples, int) and isinstance(size, int) and size > 0 else None
