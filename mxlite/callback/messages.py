# SPDX-License-Identifier: Apache-2.0
"""Callbacks that log the metric, the speed and how far an epoch is, in MXNet's words."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any


def log_train_metric(period: int, auto_reset: bool = False) -> Callable[[Any], None]:
    """A batch callback that logs the training metric.

    Args:
        period: every so many batches.
        auto_reset: begin to count anew after each line.

    Raises:
        ValueError: `period` is no positive number.

    Source: `mxnet.callback.log_train_metric`.
    """
    if period < 1:
        raise ValueError(f"period must be at least 1, got {period!r}")

    def log(param: Any) -> None:
        if param.nbatch % period == 0 and param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.info("Iter[%d] Batch[%d] Train-%s=%f", param.epoch, param.nbatch, name, value)
            if auto_reset:
                param.eval_metric.reset_local()

    return log


class Speedometer:
    """A batch callback that logs the speed and the training metric.

    Args:
        batch_size: samples of a batch.
        frequent: every so many batches; also how often the device is waited for.
        auto_reset: begin to count the metric anew after each line, so that it tells of the batches since the last.

    Raises:
        ValueError: `frequent` is no positive number.

    Source: `mxnet.callback.Speedometer`.
    """

    def __init__(self, batch_size: int, frequent: int = 50, auto_reset: bool = True):
        if frequent < 1:
            raise ValueError(f"frequent must be at least 1, got {frequent!r}")
        self.batch_size = batch_size
        self.frequent = frequent
        self.init = False
        self.tic = 0.0
        self.last_count = 0
        self.auto_reset = auto_reset

    def __call__(self, param: Any) -> None:
        """Count the batch; every `frequent` batches, log."""
        count = param.nbatch
        if self.last_count > count:  # a new epoch
            self.init = False
        self.last_count = count
        if not self.init:
            self.init = True
            self.tic = time.time()
        elif count % self.frequent == 0:
            self._log(param, count)
            self.tic = time.time()

    def _log(self, param: Any, count: int) -> None:
        metric = param.eval_metric
        found = None if metric is None else metric.get_name_value()
        # After the metric has been read: that waits for the batches whose time is taken.
        took = time.time() - self.tic
        speed = self.frequent * self.batch_size / took if took > 0 else math.inf
        if metric is None or found is None:
            logging.info("Iter[%d] Batch [%d]\tSpeed: %.2f samples/sec", param.epoch, count, speed)
            return
        first = count - self.frequent if self.auto_reset else 0
        if self.auto_reset:
            metric.reset_local()
        text = "Epoch[%d] Batch [%d-%d]\tSpeed: %.2f samples/sec" + "\t%s=%f" * len(found)
        logging.info(text, param.epoch, first, count, speed, *[x for pair in found for x in pair])


class ProgressBar:
    """A batch callback that logs a bar of ``=``.

    Args:
        total: batches of an epoch.
        length: characters of the full bar.

    Source: `mxnet.callback.ProgressBar`.
    """

    def __init__(self, total: int, length: int = 80):
        if total < 1:
            raise ValueError(f"total must be at least 1, got {total!r}")
        self.bar_len = length
        self.total = total

    def __call__(self, param: Any) -> None:
        """Log how far the epoch is."""
        done = param.nbatch / self.total
        filled = round(self.bar_len * done)
        bar = "=" * filled + "-" * (self.bar_len - filled)
        logging.info("[%s] %s%%\r", bar, math.ceil(100.0 * param.nbatch / self.total))


class LogValidationMetricsCallback:
    """A callback for `eval_end_callback` that logs the validation metric.

    Source: `mxnet.callback.LogValidationMetricsCallback`.
    """

    def __call__(self, param: Any) -> None:
        """Log every value of the metric, if there is one."""
        if param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.info("Epoch[%d] Validation-%s=%f", param.epoch, name, value)
