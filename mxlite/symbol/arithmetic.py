# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on symbols: ``a + b`` adds arrays of one shape (elemwise_add), ``a + 1`` is _plus_scalar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from mxlite_compiler.errors import explain
from mxlite_compiler.graph import Entry, Graph
from mxlite_compiler.op import get_op

from ..base import MXNetError, NotImplementedForSymbol
from .compose import make_node, single


def apply(name: str, hint: str, inputs: Mapping[str, Entry], attrs: Mapping[str, Any]) -> tuple[Entry, ...]:
    """The outputs of a call of operator `name`, named after `hint`."""
    return make_node(get_op(name), hint, (), inputs, attrs).entries()


def with_symbol(name: str, hint: str, lhs: Arithmetic, rhs: Arithmetic) -> tuple[Entry, ...]:
    """The operator `name` on two symbols with one output each."""
    left, right = (
        single(s._graph.entries, f"the {side} side of {name}") for side, s in (("left", lhs), ("right", rhs))
    )
    return apply(name, hint, {"lhs": left, "rhs": right}, {})


def with_scalar(name: str, hint: str, data: Arithmetic, scalar: Any) -> tuple[Entry, ...]:
    """The operator `name` on a symbol with one output and a number, whose text is stored."""
    if isinstance(scalar, bool | np.bool_):
        raise MXNetError(explain(f"scalar={scalar} must be a number", op=name, hint=f"write {int(scalar)}"))
    return apply(name, hint, {"data": single(data._graph.entries, f"the operand of {name}")}, {"scalar": scalar})


def is_scalar(value: Any) -> bool:
    """Whether `value` is a number that arithmetic takes: of Python or of numpy."""
    return isinstance(value, int | float | np.generic)


class Arithmetic:
    """The operators of a Symbol.

    Comparisons give symbols as well, so symbols are not hashable and have no truth value.
    """

    #: numpy's scalars leave ``np.float32(2) * symbol`` to the symbol.
    __array_priority__: ClassVar[float] = 1000.0

    __slots__ = ()

    _graph: Graph

    def _make(self, entries: tuple[Entry, ...]) -> Self:
        return type(self)(entries)  # type: ignore[call-arg]

    def _binary(self, other: Any, name: str, hint: str, scalar_name: str, scalar_hint: str) -> Self:
        if isinstance(other, Arithmetic):
            return self._make(with_symbol(name, hint, self, other))
        return self._scalar(other, scalar_name, scalar_hint)

    def _scalar(self, other: Any, name: str, hint: str) -> Self:
        if not is_scalar(other):
            raise TypeError(f"type {type(other)} not supported; arithmetic of a Symbol takes Symbols and numbers")
        return self._make(with_scalar(name, hint, self, other))

    def __add__(self, other: Any) -> Self:
        return self._binary(other, "elemwise_add", "_plus", "_plus_scalar", "_plusscalar")

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        return self._binary(other, "elemwise_sub", "_minus", "_minus_scalar", "_minusscalar")

    def __rsub__(self, other: Any) -> Self:
        return self._scalar(other, "_rminus_scalar", "_rminusscalar")

    def __mul__(self, other: Any) -> Self:
        return self._binary(other, "elemwise_mul", "_mul", "_mul_scalar", "_mulscalar")

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Self:
        return self._binary(other, "elemwise_div", "_div", "_div_scalar", "_divscalar")

    def __rtruediv__(self, other: Any) -> Self:
        return self._scalar(other, "_rdiv_scalar", "_rdivscalar")

    __div__, __rdiv__ = __truediv__, __rtruediv__

    def __mod__(self, other: Any) -> Self:
        return self._binary(other, "_mod", "_mod", "_mod_scalar", "_modscalar")

    def __rmod__(self, other: Any) -> Self:
        return self._scalar(other, "_rmod_scalar", "_rmodscalar")

    def __pow__(self, other: Any) -> Self:
        return self._binary(other, "_power", "_power", "_power_scalar", "_powerscalar")

    def __rpow__(self, other: Any) -> Self:
        return self._scalar(other, "_rpower_scalar", "_rpower_scalar")

    def __neg__(self) -> Self:
        return self._scalar(-1.0, "_mul_scalar", "_mulscalar")

    def __abs__(self) -> Self:
        return self._make(apply("abs", "abs", {"data": single(self._graph.entries, "the operand of abs")}, {}))

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return self._binary(other, "_equal", "_equal", "_equal_scalar", "_equal_scalar")

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return self._binary(other, "_not_equal", "_not_equal", "_not_equal_scalar", "_not_equal_scalar")

    def __gt__(self, other: Any) -> Self:
        return self._binary(other, "_greater", "_greater", "_greater_scalar", "_greater_scalar")

    def __ge__(self, other: Any) -> Self:
        return self._binary(other, "_greater_equal", "_greater_equal", "_greater_equal_scalar", "_greater_equal_scalar")

    def __lt__(self, other: Any) -> Self:
        return self._binary(other, "_lesser", "_lesser", "_lesser_scalar", "_lesser_scalar")

    def __le__(self, other: Any) -> Self:
        return self._binary(other, "_lesser_equal", "_lesser_equal", "_lesser_equal_scalar", "_lesser_equal_scalar")

    __hash__ = None  # type: ignore[assignment]

    # What only an array of numbers can do.

    def __bool__(self) -> NoReturn:
        raise NotImplementedForSymbol("__bool__", "bool")

    __nonzero__ = __bool__

    def __iadd__(self, other: Any) -> NoReturn:
        raise NotImplementedForSymbol("__iadd__", "+=", other)

    def __isub__(self, other: Any) -> NoReturn:
        raise NotImplementedForSymbol("__isub__", "-=", other)

    def __imul__(self, other: Any) -> NoReturn:
        raise NotImplementedForSymbol("__imul__", "*=", other)

    def __itruediv__(self, other: Any) -> NoReturn:
        raise NotImplementedForSymbol("__itruediv__", "/=", other)

    def __idiv__(self, other: Any) -> NoReturn:
        """Not for symbols; raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("__idiv__", "/=", other)

    def asnumpy(self) -> NoReturn:
        """Not for symbols; raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("asnumpy")

    def asscalar(self) -> NoReturn:
        """Not for symbols; raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("asscalar")

    def wait_to_read(self) -> NoReturn:
        """Not for symbols; raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("wait_to_read")

    def copy(self) -> NoReturn:
        """Not for symbols; use copy.copy. Raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("copy")

    def as_in_context(self, *args: Any) -> NoReturn:
        """Not for symbols; raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("as_in_context")

    def detach(self) -> NoReturn:
        """Not for symbols; use mx.sym.BlockGrad. Raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("detach")

    def backward(self) -> NoReturn:
        """Not for symbols; bind one and call the executor's. Raises NotImplementedForSymbol."""
        raise NotImplementedForSymbol("backward")
