# SPDX-License-Identifier: Apache-2.0
"""`mx.sym._internal`: the operators whose names begin with an underscore, such as ``_plus_scalar``."""

from __future__ import annotations

from .functions import Namespace

__getattr__, __dir__ = Namespace(__name__, "_", keeps_prefix=True).hooks()
