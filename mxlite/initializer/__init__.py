# SPDX-License-Identifier: Apache-2.0
"""How parameters get their first values (`mx.init`).

An initializer is called with the parameter's name, an `InitDesc`, and its array. What it does follows from the end of
the name (weight, bias, gamma, beta, min, max), unless the variable's ``__init__`` attribute names an initializer.
"""

from __future__ import annotations

from .. import registry as registry
from .base import InitDesc as InitDesc
from .base import Initializer as Initializer
from .base import alias as alias
from .base import create as create
from .base import register as register
from .compound import FusedRNN as FusedRNN
from .compound import Load as Load
from .compound import Mixed as Mixed
from .weights import Bilinear as Bilinear
from .weights import Constant as Constant
from .weights import LSTMBias as LSTMBias
from .weights import MSRAPrelu as MSRAPrelu
from .weights import Normal as Normal
from .weights import One as One
from .weights import Orthogonal as Orthogonal
from .weights import Uniform as Uniform
from .weights import Xavier as Xavier
from .weights import Zero as Zero
