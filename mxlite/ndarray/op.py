# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.op`: the public operators, and only those."""

from __future__ import annotations

from typing import Any

from . import register

register.install(globals(), ("",), __name__)


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
