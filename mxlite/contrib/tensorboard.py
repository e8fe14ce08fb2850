# SPDX-License-Identifier: Apache-2.0
"""`mx.contrib.tensorboard`: metrics as TensorBoard's event files."""

from __future__ import annotations

import os
from typing import Any


class LogMetricsCallback:
    """A callback that writes every value of the metric to an event file, which TensorBoard draws against the epoch.

    Give one to ``batch_end_callback`` and another, with a folder of its own, to ``eval_end_callback``::

        module.fit(..., batch_end_callback=mx.contrib.tensorboard.LogMetricsCallback("logs/train"),
                   eval_end_callback=mx.contrib.tensorboard.LogMetricsCallback("logs/eval"))

    Args:
        logging_dir: the folder of the event files; made if it does not exist.
        prefix: goes before the names of the metrics: ``PREFIX-accuracy``.

    Attributes:
        summary_writer: the `tensorboardX.SummaryWriter`.

    Raises:
        ImportError: tensorboardX is not installed. (MXNet looks for mxboard, and only logs that it misses it.)

    Source: `mxnet.contrib.tensorboard.LogMetricsCallback`.
    """

    def __init__(self, logging_dir: str | os.PathLike[str], prefix: str | None = None):
        self.prefix = prefix
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError("LogMetricsCallback writes with tensorboardX: pip install 'mxlite[curves]'") from None
        self.summary_writer = SummaryWriter(os.fspath(logging_dir))

    def __call__(self, param: Any) -> None:
        """Write the values of the metric, if there is one, at the step `param.epoch`; waits for the device."""
        if param.eval_metric is None:
            return
        for name, value in param.eval_metric.get_name_value():
            tag = name if self.prefix is None else f"{self.prefix}-{name}"
            self.summary_writer.add_scalar(tag, value, global_step=param.epoch)
