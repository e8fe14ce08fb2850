# SPDX-License-Identifier: Apache-2.0
"""`mx.sym.image`: the operators whose names begin with ``_image_``."""

from __future__ import annotations

from .functions import Namespace

__getattr__, __dir__ = Namespace(__name__, "_image_").hooks()
