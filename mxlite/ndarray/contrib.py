# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.contrib`: the operators whose name begins with ``_contrib_``."""

from __future__ import annotations

from typing import Any

from . import register
from .functions import boolean_mask as boolean_mask

register.install(globals(), ("_contrib_",), __name__)


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
