# SPDX-License-Identifier: Apache-2.0
"""`mx.sym.contrib`: the operators whose names begin with ``_contrib_``, and control flow."""

from __future__ import annotations

from .control_flow import cond as cond
from .control_flow import foreach as foreach
from .control_flow import while_loop as while_loop
from .functions import Namespace
from .random import rand_zipfian as rand_zipfian
from .updates import adamw_update as adamw_update
from .updates import mp_adamw_update as mp_adamw_update

__getattr__, __dir__ = Namespace(__name__, "_contrib_").hooks()
