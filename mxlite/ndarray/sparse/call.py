# SPDX-License-Identifier: Apache-2.0
"""An operator call with sparse arrays among its inputs: its sparse form, or dense copies; and its place on the tape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ...base import MXNetError, eager_mode, explain
from ...context import Context
from .. import dispatch
from ..handle import Handle
from ..ndarray import NDArray
from ..rows import RowGradient
from ..tape import Arrays, Call, Cotangents, check_targets, is_active, record
from .fallback import log
from .kernels import QUIET, Given, Updated, kernel_of
from .storage import Stored, densify, from_dense

#: How an input is stored: the storage, its shape, and how many operands stand for it.
Form = tuple[str, tuple[int, ...], int]


class SparseCall(Call):
    """A call whose inputs are stored sparsely. Its gradients are those of the same call on dense arrays.

    The operands of the sparse inputs follow the values of all inputs on the tape.
    """

    def __init__(self, prog: dispatch.Program, forms: tuple[Form, ...]):
        self.prog, self.forms, self.name = prog, forms, prog.name
        self.host = False

    def pull(self, extras: Any, inputs: Arrays, wanted: Sequence[int], heads: Cotangents, train: bool) -> Cotangents:
        rest = list(inputs[len(self.forms) :])
        operands = []
        for (_, _, count), x in zip(self.forms, inputs, strict=False):
            operands.append((x, *rest[: count - 1]))
            del rest[: count - 1]
        rows_only = self.name == "dot" and self.forms[0][0] == "csr" and not self.prog.params.transpose_b
        if rows_only and tuple(wanted) == (1,) and heads[0] is not None:
            return [self._dot_rhs(operands[0], heads[0])]
        if self.name in ("cast_storage", "_copy"):
            return [heads[0]]
        dense = [
            o[0] if stype == "default" else densify(o, stype, shape)
            for o, (stype, shape, _) in zip(operands, self.forms, strict=True)
        ]
        return self.prog.pull(extras, dense, wanted, heads, train)

    def _dot_rhs(self, csr: tuple[Any, ...], head: Any) -> RowGradient:
        """The gradient of dot(csr, x): one row for every value of the matrix."""
        values, rows, columns = csr
        here, there = (columns, rows) if self.prog.params.transpose_a else (rows, columns)
        picked = head.at[here].get(mode="fill", fill_value=0)
        return RowGradient(values[:, None] * picked, there, self.forms[1][1])

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        return self.prog.operators(extras)


_sparse_call = functools.lru_cache(maxsize=1024)(SparseCall)


def run(
    prog: dispatch.Program,
    numbers: Sequence[Any],
    arrays: Sequence[Any],
    ctx: Context,
    out: Any,
    wrap: Callable[[Any, Context], NDArray],
) -> Any:
    """Call a program on arrays some of which are sparse: what `dispatch.run` does for dense ones.

    Args:
        prog, numbers, arrays, ctx, out: as there.
        wrap: makes an array of the content that a kernel returns.
    """
    recording = eager_mode.recording
    if recording and out is not None:
        check_targets(out if isinstance(out, list | tuple) else (out,), arrays)
    inputs = [a._stored if a.stype != "default" else a._data for a in arrays]
    _same_dtype(prog, arrays)
    given = Given(prog, numbers, dispatch._numbers(numbers, ctx))
    kernel = kernel_of(prog)
    result = None if kernel is None else kernel(given, inputs)
    if result is None:
        return _densely(prog, numbers, arrays, ctx, out)
    if isinstance(result, Updated):
        for i, state in zip(prog.mutates, result.states, strict=True):
            (arrays[i]._set if arrays[i].stype == "default" else arrays[i]._set_all)(state)
        result = result.weight
    if prog.storage and not (isinstance(result, Stored) and result.stype == prog.storage):
        result = from_dense(result.dense() if isinstance(result, Stored) else result, prog.storage)
    made = wrap(result, ctx) if out is None else write(prog, [result], out)
    if recording and any(map(is_active, arrays)):
        _record(given, arrays, inputs, made)
    return made


def _same_dtype(prog: dispatch.Program, arrays: Sequence[Any]) -> None:
    if len({a._cell.dtype for a in arrays}) > 1 and prog.name not in ("_sparse_retain", "take", "Embedding", "where"):
        given = [(n, f"{a.shape} {a._cell.dtype}") for n, a in zip(prog.names, arrays, strict=False)]
        raise MXNetError(explain("the inputs must have one dtype", op=prog.name, given=given))


def _record(given: Given, arrays: Sequence[Any], inputs: Sequence[Any], made: Any) -> None:
    operands = [x.operands() if isinstance(x, Stored) else (x,) for x in inputs]
    forms = tuple((a.stype, a.shape, len(o)) for a, o in zip(arrays, operands, strict=True))
    values = [o[0] for o in operands] + [place for o in operands for place in o[1:]]
    shown = made if isinstance(made, list | tuple) else [made]
    outs = [r._cell.stored.values if r.stype != "default" else r._data for r in shown]
    record(_sparse_call(given.prog, forms), (None, given.numbers), arrays, values, outs, shown)


def _densely(prog: Any, numbers: Sequence[Any], arrays: Sequence[Any], ctx: Context, out: Any) -> Any:
    """By way of dense copies, through which gradients flow."""
    stypes = [a.stype for a in arrays]
    if prog.name not in QUIET:
        log(prog.name, stypes, prog.storage or "default")
    dense = [a.tostype("default") if a.stype != "default" else a for a in arrays]
    made = dispatch.run(NDArray, prog, numbers, dense, ctx, out)
    for i in prog.mutates:
        if arrays[i] is not dense[i]:
            arrays[i]._set(dense[i]._data)
    return made


def write(prog: Any, results: Sequence[Any], out: Any) -> Any:
    """Write results into the arrays that the user gave, in their storages."""
    targets = list(out) if isinstance(out, list | tuple) else [out]
    for target, result in zip(targets, results, strict=True):
        if not isinstance(target, Handle):
            raise TypeError(f"{prog.name}: out must be an NDArray or a list of them, got {type(target).__name__}")
        if isinstance(result, Stored) and result.stype != target.stype:
            result = result.dense()
        target._set(result)
    return out
