# SPDX-License-Identifier: Apache-2.0
"""Functions of two arrays: a row of a table each, from which up to four operators come.

The same function serves two arrays of one shape (`elemwise_add`, which Symbols use), two that broadcast
(`broadcast_add`, which NDArrays use), and an array with a number on either side (`_plus_scalar`, `_rminus_scalar`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..op import Op, register_op
from ..shapes import DTypes, Shapes, broadcast, join_shapes
from ._examples import example, table
from ._numeric import convert, is_float, scalar_like, unbroadcast

Function = Callable[[Any, Any], jax.Array]
#: (x, y, out) -> the derivatives by x and by y.
Derivative = Callable[[Any, Any, jax.Array], tuple[Any, Any]]

#: What the documentation shows: function | x | f(x, 2) as MXNet prints it | f(2, x).
EXAMPLES = table("""
add           | [7, -7, 2] | [ 9. -5.  4.]        | [ 9. -5.  4.]
sub           | [7, -7, 2] | [ 5. -9.  0.]        | [-5.  9.  0.]
mul           | [7, -7, 2] | [ 14. -14.   4.]     | [ 14. -14.   4.]
div           | [7, -7, 2] | [ 3.5 -3.5  1. ]     | [ 0.2857143 -0.2857143  1.       ]
mod           | [7, -7, 2] | [1. 1. 0.]           | [ 2. -5.  0.]
power         | [3, 4, -2] | [ 9. 16.  4.]        | [ 8.   16.    0.25]
hypot         | [7, -7, 2] | [7.28011  7.28011  2.828427] | [7.28011  7.28011  2.828427]
maximum       | [7, -7, 2] | [7. 2. 2.]           | [7. 2. 2.]
minimum       | [7, -7, 2] | [ 2. -7.  2.]        | [ 2. -7.  2.]
equal         | [7, -7, 2] | [0. 0. 1.]           | [0. 0. 1.]
not_equal     | [7, -7, 2] | [1. 1. 0.]           | [1. 1. 0.]
greater       | [7, -7, 2] | [1. 0. 0.]           | [0. 1. 0.]
greater_equal | [7, -7, 2] | [1. 0. 1.]           | [0. 1. 1.]
lesser        | [7, -7, 2] | [0. 1. 0.]           | [1. 0. 0.]
lesser_equal  | [7, -7, 2] | [0. 1. 1.]           | [1. 0. 1.]
logical_and   | [7, 0, 2]  | [1. 0. 1.]           | [1. 0. 1.]
logical_or    | [7, 0, 2]  | [1. 1. 1.]           | [1. 1. 1.]
logical_xor   | [7, 0, 2]  | [0. 1. 0.]           | [0. 1. 0.]
""")

_DOC = """{doc}

Args:
{args}
Returns:
    An array with the {shape} and the dtype of the arguments.
{example}"""
_ARRAYS = "    lhs: first array, any shape.\n    rhs: second array, same dtype, {}.\n"
_SCALAR = """    data: array of any shape.
    scalar: the number. An integer array first cuts it to its own dtype.
    is_int: False makes an integer array count in float64, and so does the result.
"""


def binary(
    f: Function, doc: str, *, wide: Sequence[str], same: Sequence[str] = (), scalar: Sequence[str] = (),
    rscalar: Sequence[str] = (), df: Derivative | None = None, fixed: Sequence[float] = (),
) -> None:  # fmt: skip
    """Register ``f(x, y)`` under the names (canonical one first) of its four forms.

    Args:
        same: names for two arrays of one shape.
        wide: names for two arrays that broadcast; the first one, without its prefix, is the row of `EXAMPLES`.
        scalar: names for ``f(array, number)``.
        rscalar: names for ``f(number, array)``.
        df: the derivatives where they are not JAX's own.
        fixed: numbers that eager calls compile in instead of passing them as traced values.
    """
    values, printed, reversed_ = EXAMPLES[wide[0].removeprefix("broadcast_")]
    for names, shapes, other, shape, y in (
        (same, "*s, *s -> *s", "same shape", "shape", [2, 2, 2]),
        (wide, None, "a shape that broadcasts with it", "broadcast shape", [2]),
    ):
        if names:
            shown = example(f"mx.nd.{_path(names[0])}(mx.nd.array({values}), mx.nd.array({y}))", printed)
            text = _DOC.format(doc=doc, args=_ARRAYS.format(other), shape=shape, example=shown)
            new = _register(names, _of_arrays(f), text, shapes)
            if shapes is None:
                new.infer(_infer_broadcast)
            if df is not None:
                new.grad(_array_gradients(df))
    for names, reverse in ((scalar, False), (rscalar, True)):
        if names:
            text = doc.replace("lhs", "scalar" if reverse else "data").replace("rhs", "data" if reverse else "scalar")
            call = f"mx.nd.{_path(names[0])}(mx.nd.array({values}), scalar=2)"
            shown = example(call, reversed_ if reverse else printed)
            text = _DOC.format(doc=text, args=_SCALAR, shape="shape", example=shown)
            new = _register(names, _of_scalar(f, reverse), text, "*s -> *s", dynamic=("scalar",), fixed=fixed)
            new.infer_dtypes(_scalar_dtypes)
            if df is not None:
                new.grad(_scalar_gradient(df, reverse))


def _register(
    names: Sequence[str],
    kernel: Callable[..., Any],
    doc: str,
    shapes: str | None,
    dynamic: Sequence[str] = (),
    fixed: Sequence[float] = (),
) -> Op:
    kernel.__name__ = kernel.__qualname__ = names[0]
    kernel.__doc__ = doc
    return register_op(Op(names[0], kernel, shapes=shapes, alias=names[1:], dynamic=dynamic, fixed=fixed))


def _path(name: str) -> str:
    """Where `mx.nd` has the operator."""
    return f"_internal.{name}" if name.startswith("_") else name


def _of_arrays(f: Function) -> Callable[..., Any]:
    def kernel(lhs, rhs):
        return f(lhs, rhs)

    return kernel


def _of_scalar(f: Function, reverse: bool) -> Callable[..., Any]:
    def kernel(data, *, scalar: float = 1.0, is_int: bool = True):
        x = data.astype(_scalar_dtype(data.dtype.name, is_int))
        s = scalar_like(scalar, x)
        return f(s, x) if reverse else f(x, s)

    return kernel


def _scalar_dtype(dtype: str, is_int: bool) -> str:
    """What an operator with a number makes of `dtype`: bool counts in int64, without `is_int` integers in float64."""
    if "float" in dtype:
        return dtype
    return "float64" if not is_int else "int64" if dtype == "bool" else dtype


def _scalar_dtypes(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    data = ins[0] or (outs[0] if p.is_int and outs[0] != "int64" else None)
    return [data], [_scalar_dtype(data, p.is_int) if data else outs[0]]


def _infer_broadcast(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [join_shapes(broadcast(*ins), outs[0], "the output")]


def _array_gradients(df: Derivative) -> Callable[..., Any]:
    def rule(p, g, lhs, rhs, out):
        dl, dr = df(lhs, rhs, out)
        return unbroadcast(g * dl, lhs.shape), unbroadcast(g * dr, rhs.shape)

    return rule


def _scalar_gradient(df: Derivative, reverse: bool) -> Callable[..., Any]:
    def rule(p, g, data, out):
        s = scalar_like(p.scalar, data)
        return (g * (df(s, data, out)[1] if reverse else df(data, s, out)[0]),)

    return rule


def _divide(x: Any, y: Any) -> jax.Array:
    if is_float(x):
        return x / y
    x, y = jnp.broadcast_arrays(x, y)
    zero = y == 0
    by_zero = jnp.asarray(scalar_like(math.inf, x))  # as if floats were divided
    return jnp.where(zero, by_zero, lax.div(x, jnp.where(zero, jnp.ones_like(y), y)))  # truncates; // would floor


def _mod(x: Any, y: Any) -> jax.Array:
    safe = jnp.where(y == 0, jnp.ones_like(y), y)
    return jnp.where(y == 0, jnp.zeros_like(x), jnp.mod(x, safe))


def _power(x: Any, y: Any) -> jax.Array:
    if is_float(x):
        return jnp.power(x, y)
    # Negative exponents truncate: 1 and -1 keep their absolute value, 0 becomes inf, everything else 0.
    x, y = jnp.broadcast_arrays(x, y)
    out = jnp.power(x, jnp.abs(y))
    small = jnp.where(x == 0, convert(jnp.asarray(jnp.inf, jnp.float32), x.dtype), jnp.zeros_like(out))
    return jnp.where((y >= 0) | (jnp.abs(x) == 1), out, small)


def _hypot(x: Any, y: Any) -> jax.Array:
    if is_float(x):
        return jnp.hypot(x, y)  # which neither overflows nor loses an inf beside a nan
    a, b = jnp.asarray(x).astype(jnp.float32), jnp.asarray(y).astype(jnp.float32)
    return convert(jnp.sqrt(a * a + b * b), x.dtype)


def _maximum(x: Any, y: Any) -> jax.Array:
    return jnp.where((x >= y) | (x != x), x, y)  # a tie and its gradient belong to the left


def _minimum(x: Any, y: Any) -> jax.Array:
    return jnp.where((x <= y) | (x != x), x, y)


def _truth(f: Function) -> Function:
    """A comparison with the result 0 or 1 in the dtype of the arguments."""
    return lambda x, y: f(x, y).astype(x.dtype)


def _none(x: Any, y: Any, out: jax.Array) -> tuple[Any, Any]:
    return jnp.zeros_like(out), jnp.zeros_like(out)


binary(lambda x, y: x + y, "``lhs + rhs``.", same=("elemwise_add", "_plus", "_Plus", "_add"),
       wide=("broadcast_add", "broadcast_plus"), scalar=("_plus_scalar", "_PlusScalar"))  # fmt: skip
binary(lambda x, y: x - y, "``lhs - rhs``.", same=("elemwise_sub", "_minus", "_Minus", "_sub"),
       wide=("broadcast_sub", "broadcast_minus"), scalar=("_minus_scalar", "_MinusScalar"),
       rscalar=("_rminus_scalar", "_RMinusScalar"))  # fmt: skip
binary(lambda x, y: x * y, "``lhs * rhs``.", same=("elemwise_mul", "_mul", "_Mul"),
       wide=("broadcast_mul",), scalar=("_mul_scalar", "_MulScalar"))  # fmt: skip
binary(_divide, "``lhs / rhs``; integers truncate.", same=("elemwise_div", "_div", "_Div"),
       wide=("broadcast_div",), scalar=("_div_scalar", "_DivScalar"), rscalar=("_rdiv_scalar", "_RDivScalar"),
       df=lambda x, y, out: (1 / y, -x / (y * y)))  # fmt: skip
binary(_mod, "``lhs % rhs`` with the sign of rhs; 0 where rhs is 0.", same=("_mod", "_Mod"), wide=("broadcast_mod",),
       scalar=("_mod_scalar", "_ModScalar"), rscalar=("_rmod_scalar", "_RModScalar"),
       df=lambda x, y, out: (jnp.ones_like(out), -jnp.floor(x / y)))  # fmt: skip
# XLA turns x**2 into x*x, which it could not for a traced exponent.
binary(_power, "``lhs ** rhs``; integers truncate.", same=("_power", "_Power"), wide=("broadcast_power",),
       scalar=("_power_scalar", "_PowerScalar"), rscalar=("_rpower_scalar", "_RPowerScalar"),
       fixed=(-2, -1, -0.5, 0, 0.5, 1, 2, 3, 4),
       df=lambda x, y, out: (y * jnp.power(x, y - 1), out * jnp.log(x)))  # fmt: skip
binary(_hypot, "``sqrt(lhs**2 + rhs**2)``.", same=("_hypot", "_Hypot"), wide=("broadcast_hypot",),
       scalar=("_hypot_scalar", "_HypotScalar"), df=lambda x, y, out: (x / out, y / out))  # fmt: skip
binary(_maximum, "The larger of lhs and rhs; on a tie the gradient goes to lhs.", same=("_maximum", "_Maximum"),
       wide=("broadcast_maximum",), scalar=("_maximum_scalar", "_MaximumScalar"))  # fmt: skip
binary(_minimum, "The smaller of lhs and rhs; on a tie the gradient goes to lhs.", same=("_minimum", "_Minimum"),
       wide=("broadcast_minimum",), scalar=("_minimum_scalar", "_MinimumScalar"))  # fmt: skip

for _name, _alias, _f, _doc in (
    ("equal", "Equal", jnp.equal, "1 where lhs equals rhs, else 0."),
    ("not_equal", "Not_Equal", jnp.not_equal, "1 where lhs differs from rhs, else 0."),
    ("greater", "Greater", jnp.greater, "1 where lhs is greater than rhs, else 0."),
    ("greater_equal", "Greater_Equal", jnp.greater_equal, "1 where lhs is at least rhs, else 0."),
    ("lesser", "Lesser", jnp.less, "1 where lhs is less than rhs, else 0."),
    ("lesser_equal", "Lesser_Equal", jnp.less_equal, "1 where lhs is at most rhs, else 0."),
    ("logical_and", "Logical_And", lambda x, y: (x != 0) & (y != 0), "1 where lhs and rhs are not 0, else 0."),
    ("logical_or", "Logical_Or", lambda x, y: (x != 0) | (y != 0), "1 where lhs or rhs is not 0, else 0."),
    ("logical_xor", "Logical_Xor", lambda x, y: (x != 0) ^ (y != 0), "1 where one of lhs and rhs is not 0, else 0."),
):
    binary(_truth(_f), _doc, same=(f"_{_name}", f"_{_alias}"), wide=(f"broadcast_{_name}",),
           scalar=(f"_{_name}_scalar", f"_{_alias.replace('_', '')}Scalar"), df=_none)  # fmt: skip
