# SPDX-License-Identifier: Apache-2.0
"""Methods of every NDArray that know the storages: `tostype`, `attach_grad`."""

from __future__ import annotations

from ...base import MXNetError, eager_mode, explain
from .. import dispatch
from ..ndarray import NDArray
from ..tape import is_active
from .array import converted
from .creation import zeros

STORAGES = ("default", "csr", "row_sparse")


def in_storage(self: NDArray, stype: str) -> NDArray:
    """A copy in a storage, off the tape."""
    return converted(self, stype)


def tostype(self: NDArray, stype: str) -> NDArray:
    """A copy in another storage. To a sparse one, it waits: what is stored depends on the values.

    Args:
        stype: "default", "csr" or "row_sparse".

    Raises MXNetError for another storage; ValueError from csr to row_sparse or back, and to csr when this is no matrix.
    """
    if stype not in STORAGES:
        raise MXNetError(explain(f"stype={stype!r} is none of {', '.join(STORAGES)}", op="cast_storage"))
    if "default" not in (self.stype, stype) and self.stype != stype:
        raise ValueError(f"{self.stype} does not become {stype} directly; by way of tostype('default')")
    if eager_mode.recording and is_active(self):
        return dispatch.invoke(NDArray, "cast_storage", (self,), {"stype": stype})
    return converted(self, stype)


def attach_grad(self: NDArray, grad_req: str = "write", stype: str | None = None) -> None:
    """Make this array a variable: `grad` becomes an array of zeros that backward writes the gradient into.

    An array that was recorded is cut off from what it was computed from.

    Args:
        grad_req: "write" replaces the gradient, "add" adds to it, "null" computes none.
        stype: the storage of `grad`; by default that of this array.

    Raises KeyError for another grad_req, as MXNet does, ValueError for an unknown storage.
    """
    kind = self.stype if stype is None else stype
    if kind == "default" and not self.shape:
        self._mark(converted(self, "default") * 0, grad_req)
        return
    self._mark(zeros(kind, self.shape, self.context, self.dtype), grad_req)
