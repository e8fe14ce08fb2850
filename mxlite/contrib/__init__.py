# SPDX-License-Identifier: Apache-2.0
"""`mx.contrib`: another place of `mx.nd.contrib` and `mx.sym.contrib`."""

from __future__ import annotations

from ..ndarray import contrib as ndarray
from ..symbol import contrib as symbol

nd = ndarray
sym = symbol
