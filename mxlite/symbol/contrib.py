# SPDX-License-Identifier: Apache-2.0
"""`mx.sym.contrib`: the operators whose names begin with ``_contrib_``."""

from __future__ import annotations

from .functions import Namespace

__getattr__, __dir__ = Namespace(__name__, "_contrib_").hooks()
