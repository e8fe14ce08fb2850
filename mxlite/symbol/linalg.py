# SPDX-License-Identifier: Apache-2.0
"""`mx.sym.linalg`: the operators whose names begin with ``_linalg_``."""

from __future__ import annotations

from .functions import Namespace

__getattr__, __dir__ = Namespace(__name__, "_linalg_").hooks()
