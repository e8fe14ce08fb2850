# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.linalg`: the operators whose name begins with ``_linalg_``."""

from __future__ import annotations

from typing import Any

from . import register

register.install(globals(), ("_linalg_",), __name__)


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
