# SPDX-License-Identifier: Apache-2.0
"""`mx.sym.sparse`: the operators whose names begin with ``_sparse_``."""

from __future__ import annotations

from .functions import Namespace

__getattr__, __dir__ = Namespace(__name__, "_sparse_").hooks()
