# SPDX-License-Identifier: Apache-2.0
"""`mx.mon.Monitor`: statistics of every value inside a network, every few batches."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .ndarray import NDArray, from_host


def _rms(x: NDArray) -> NDArray:
    """The root of the mean square; on the host, because every array of a network has another shape."""
    values = x.asnumpy().astype(np.float64)
    return from_host(np.array([np.sqrt(np.mean(np.square(values)))], np.float32), x.context)


class Monitor:
    """Collects a statistic of outputs and parameters every `interval` batches.

    While one is installed, each forward and each backward also runs a program that gives every inner value: training is
    slower then. The gradients that a node sends back to its inputs are called ``NAME_backward_output0`` and so on.

    Args:
        interval: Batches between two collections.
        stat_func: Takes an NDArray and returns one, or a list of them; the root mean square by default.
        pattern: A regular expression; only names whose beginning it matches are collected.
        sort: Sort by name; otherwise in the order of computation, parameters last.
        monitor_all: Collect the inputs of operators, too.
    """

    def __init__(
        self,
        interval: int,
        stat_func: Callable[[NDArray], Any] | None = None,
        pattern: str = ".*",
        sort: bool = False,
        monitor_all: bool = False,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1 batch, got {interval}")
        self.stat_func = stat_func or _rms
        self.interval = interval
        self.activated = False
        self.queue: list[tuple[int, str, Any]] = []
        self.step = 0
        self.exes: list[Any] = []
        self.re_prog = re.compile(pattern)
        self.sort = sort
        self.monitor_all = monitor_all

    def stat_helper(self, name: str, array: NDArray) -> None:
        """Collect one value, if a collection is on and its name matches."""
        if self.activated and self.re_prog.match(name):
            self.queue.append((self.step, name, self.stat_func(array)))

    def install(self, exe: Any) -> None:
        """Watch an executor; `Module.install_monitor` calls this."""
        exe.set_monitor_callback(self.stat_helper, self.monitor_all)
        self.exes.append(exe)

    def tic(self) -> None:
        """Start a batch: collect it, if it is one of every `interval`. Call before forward."""
        if self.step % self.interval == 0:
            self.queue = []
            self.activated = True
        self.step += 1

    def toc(self) -> list[tuple[int, str, str]]:
        """End a batch.

        Returns:
            ``(batch number, name, statistics as text)``, or nothing when the batch was not collected.

        Raises:
            AssertionError: `stat_func` returned something that is no NDArray.
        """
        if not self.activated:
            return []
        for exe in self.exes:
            for name, array in (*exe.arg_dict.items(), *exe.aux_dict.items()):
                self.stat_helper(name, array)
        self.activated = False
        queue = sorted(self.queue, key=lambda item: item[1]) if self.sort else self.queue
        self.queue = []
        return [(step, name, self._text(name, values)) for step, name, values in queue]

    def _text(self, name: str, values: Any) -> str:
        text = ""
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, NDArray):
                raise AssertionError(
                    f"stat_func must return an NDArray or a list of them; for {name!r} it gave {type(value).__name__}"
                )
            text += f"{value.asscalar() if value.size == 1 else value.asnumpy()!s}\t"
        return text

    def toc_print(self) -> None:
        """As `toc`, and log the result."""
        for step, name, text in self.toc():
            logging.info("Batch: %7d %-30s %s", step, name, text)
