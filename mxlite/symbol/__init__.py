# SPDX-License-Identifier: Apache-2.0
"""`mx.sym`: networks that are described first and run later."""

from __future__ import annotations

from typing import Any

from . import _internal as _internal
from . import contrib as contrib
from . import functions as register  # noqa: F401 - what MXNet calls it
from . import image as image
from . import linalg as linalg
from . import op as op
from . import random as random
from . import sparse as sparse
from .fluent import add_methods
from .functions import Namespace
from .scalar_functions import histogram as histogram
from .scalar_functions import hypot as hypot
from .scalar_functions import maximum as maximum
from .scalar_functions import minimum as minimum
from .scalar_functions import pow as pow
from .scalar_functions import power as power
from .scalar_functions import split_v2 as split_v2
from .symbol import Symbol as Symbol
from .symbol import load as load
from .symbol import load_json as load_json
from .variable import Group as Group
from .variable import Variable as Variable
from .variable import arange as arange
from .variable import eye as eye
from .variable import full as full
from .variable import linspace as linspace
from .variable import ones as ones
from .variable import var as var
from .variable import zeros as zeros

_operators = Namespace(__name__)
add_methods(_operators)


def __getattr__(name: str) -> Any:
    return _operators.get(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_operators.names()})
