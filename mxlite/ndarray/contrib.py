# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.contrib`: the operators whose name begins with ``_contrib_``, and functions of lists of arrays."""

from __future__ import annotations

from typing import Any

from . import register
from .control_flow import cond as cond
from .control_flow import foreach as foreach
from .control_flow import isfinite as isfinite
from .control_flow import isinf as isinf
from .control_flow import isnan as isnan
from .control_flow import while_loop as while_loop
from .functions import boolean_mask as boolean_mask
from .random import rand_zipfian as rand_zipfian
from .sparse.contrib import edge_id as edge_id
from .sparse.contrib import getnnz as getnnz
from .updates import adamw_update as adamw_update
from .updates import mp_adamw_update as mp_adamw_update
from .updates import multi_adamw_update as multi_adamw_update
from .updates import multi_lamb_update as multi_lamb_update
from .updates import multi_mp_adamw_update as multi_mp_adamw_update
from .updates import multi_mp_lamb_update as multi_mp_lamb_update

register.install(globals(), ("_contrib_",), __name__)


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
