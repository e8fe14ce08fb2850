# SPDX-License-Identifier: Apache-2.0
"""`mx.contrib`: mixed precision, metrics for TensorBoard, and another place of `mx.nd.contrib` and `mx.sym.contrib`."""

from __future__ import annotations

from ..ndarray import contrib as ndarray
from ..symbol import contrib as symbol
from . import amp as amp
from . import tensorboard as tensorboard

nd = ndarray
sym = symbol
