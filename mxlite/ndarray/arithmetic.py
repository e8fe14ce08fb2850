# SPDX-License-Identifier: Apache-2.0
"""Operators between arrays and scalars: ``a + b``, ``2 - a``, ``a < b``, ``a += 1``; and functions of their names."""

from __future__ import annotations

import operator
from typing import Any

from mxlite_compiler.op import get_op

from ..base import numeric_types
from .dispatch import invoke, program, run
from .handle import Handle


class Binary:
    """An operation on two arrays, or an array and a scalar, as the operators that compute it.

    Args:
        array: the broadcasting operator of two arrays.
        scalar: the operator of array and scalar.
        reflected: the operator of scalar and array.
        python: the function of two scalars, for `mx.nd.maximum(2, 3)` and the like.
    """

    __slots__ = ("array", "python", "reflected", "scalar", "symbol")

    def __init__(self, symbol: str, array: str, scalar: str, reflected: str, python: Any):
        self.symbol, self.array, self.scalar, self.reflected, self.python = symbol, array, scalar, reflected, python

    def __call__(self, lhs: Any, rhs: Any, out: Any = None) -> Any:
        """Apply to arrays and scalars in either place.

        Raises TypeError for something else on the right; on the left AssertionError, which is MXNet's class there.
        """
        if isinstance(lhs, Handle):
            if isinstance(rhs, Handle):
                prog, _ = program(get_op(self.array), _NO_ATTRS)
                return run(type(lhs), prog, (), (lhs, rhs), lhs._cell.ctx, out)
            return self._with_scalar(lhs, self.scalar, rhs, out)
        if isinstance(rhs, Handle):
            if not isinstance(lhs, numeric_types):
                raise AssertionError(_unsupported(self.symbol, lhs))
            return self._with_scalar(rhs, self.reflected, lhs, out)
        others = [x for x in (lhs, rhs) if not isinstance(x, numeric_types)]
        if others:
            kind = AssertionError if len(others) == 1 else TypeError
            raise kind(_unsupported(self.symbol, others[0]))
        return self.python(lhs, rhs)

    def _with_scalar(self, array: Handle, name: str, scalar: Any, out: Any) -> Any:
        if not isinstance(scalar, numeric_types):
            raise TypeError(_unsupported(self.symbol, scalar))
        prog, values = program(get_op(name), {"scalar": float(scalar)})
        return run(type(array), prog, values, (array,), array._cell.ctx, out)


_NO_ATTRS: dict[str, Any] = {}


def _unsupported(symbol: str, value: Any) -> str:
    return f"{symbol}: an NDArray does not combine with {value!r:.80} of type {type(value).__name__}"


def _family(name: str, symbol: str, python: Any, reflected: str = "", array: str = "") -> Binary:
    scalar = f"_{name}_scalar"
    return Binary(symbol, array or f"broadcast_{name}", scalar, f"_{reflected or name}_scalar", python)


add = Binary("+", "broadcast_add", "_plus_scalar", "_plus_scalar", operator.add)
subtract = Binary("-", "broadcast_sub", "_minus_scalar", "_rminus_scalar", operator.sub)
multiply = _family("mul", "*", operator.mul)
divide = _family("div", "/", operator.truediv, "rdiv")
modulo = _family("mod", "%", operator.mod, "rmod")
_power = _family("power", "**", operator.pow, "rpower")
equal = _family("equal", "==", lambda a, b: int(a == b))
not_equal = _family("not_equal", "!=", lambda a, b: int(a != b))
greater = _family("greater", ">", lambda a, b: int(a > b), "lesser")
greater_equal = _family("greater_equal", ">=", lambda a, b: int(a >= b), "lesser_equal")
lesser = _family("lesser", "<", lambda a, b: int(a < b), "greater")
lesser_equal = _family("lesser_equal", "<=", lambda a, b: int(a <= b), "greater_equal")
maximum = _family("maximum", "maximum", max)
minimum = _family("minimum", "minimum", min)
logical_and = _family("logical_and", "logical_and", lambda a, b: int(bool(a and b)))
logical_or = _family("logical_or", "logical_or", lambda a, b: int(bool(a or b)))
logical_xor = _family("logical_xor", "logical_xor", lambda a, b: int(bool(a) != bool(b)))


def power(base: Any, exp: Any, out: Any = None) -> Any:
    """`base` to the power of `exp`, arrays (broadcast) or numbers. TypeError for operands of other types."""
    return _power(base, exp, out)


class Arithmetic(Handle):
    """The Python operators of an array. Comparisons give 0 and 1 in the dtype of the operands."""

    __slots__ = ()
    __hash__ = object.__hash__
    #: Before numpy's own operators, so that ``np.float32(2) * a`` is an NDArray; ``np.exp(a)`` is a numpy array.
    __array_priority__ = 1000.0

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    def __radd__(self, other: Any) -> Any:
        return add(self, other)

    def __iadd__(self, other: Any) -> Any:
        return add(self, other, self)

    def __sub__(self, other: Any) -> Any:
        return subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return subtract(other, self)

    def __isub__(self, other: Any) -> Any:
        return subtract(self, other, self)

    def __mul__(self, other: Any) -> Any:
        return multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return multiply(self, other)

    def __imul__(self, other: Any) -> Any:
        return multiply(self, other, self)

    def __truediv__(self, other: Any) -> Any:
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return divide(other, self)

    def __itruediv__(self, other: Any) -> Any:
        return divide(self, other, self)

    # Python 2's names for the same, which some scripts call.
    __div__ = __truediv__
    __rdiv__ = __rtruediv__
    __idiv__ = __itruediv__

    def __mod__(self, other: Any) -> Any:
        return modulo(self, other)

    def __rmod__(self, other: Any) -> Any:
        return modulo(other, self)

    def __imod__(self, other: Any) -> Any:
        return modulo(self, other, self)

    def __pow__(self, other: Any) -> Any:
        return _power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return _power(other, self)

    def __neg__(self) -> Any:
        return multiply(self, -1.0)

    def __abs__(self) -> Any:
        return invoke(type(self), "abs", (self,), {})

    def __eq__(self, other: object) -> Any:
        return equal(self, other)

    def __ne__(self, other: object) -> Any:
        return not_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return greater_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return lesser(self, other)

    def __le__(self, other: Any) -> Any:
        return lesser_equal(self, other)
