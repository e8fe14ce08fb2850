# SPDX-License-Identifier: Apache-2.0
"""Callbacks for `Module.fit` and `score`: progress, speed, curves, checkpoints (`mx.callback`).

A batch callback is called with an object that has `epoch`, `nbatch`, `eval_metric` and `locals`; an epoch callback with
the epoch, the symbol, the arguments and the auxiliary states. Reading a metric waits for the device.
"""

from __future__ import annotations

from ..model import save_checkpoint as save_checkpoint
from .checkpoints import do_checkpoint as do_checkpoint
from .checkpoints import module_checkpoint as module_checkpoint
from .curves import PlotCurves as PlotCurves
from .messages import LogValidationMetricsCallback as LogValidationMetricsCallback
from .messages import ProgressBar as ProgressBar
from .messages import Speedometer as Speedometer
from .messages import log_train_metric as log_train_metric
