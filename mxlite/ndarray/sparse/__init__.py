# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.sparse`: arrays of which only what is not zero is stored, and the operators ``_sparse_*``."""

from __future__ import annotations

from typing import Any

from .. import register
from ..arithmetic import add as add
from ..arithmetic import divide as divide
from ..arithmetic import multiply as multiply
from ..arithmetic import subtract as subtract
from ..ndarray import NDArray as NDArray
from .array import BaseSparseNDArray as BaseSparseNDArray
from .array import CSRNDArray as CSRNDArray
from .array import RowSparseNDArray as RowSparseNDArray
from .creation import array as array
from .creation import csr_matrix as csr_matrix
from .creation import empty as empty
from .creation import row_sparse_array as row_sparse_array
from .creation import zeros as zeros

register.install(globals(), ("_sparse_",), __name__)
gs_retain = globals()["retain"]


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
