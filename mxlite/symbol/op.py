# SPDX-License-Identifier: Apache-2.0
"""`mx.sym.op`: the operators whose names begin with no underscore, as in `mx.sym` itself."""

from __future__ import annotations

from .functions import Namespace

__getattr__, __dir__ = Namespace(__name__).hooks()
