# SPDX-License-Identifier: Apache-2.0
"""Functions of one array, element by element: a row of a table each.

Integers go through float32 and come back truncated. The derivative is JAX's own unless the row gives one: MXNet
computes derivatives from the formula, where JAX sometimes guards a singular point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..op import Op, register_op
from ._examples import example, table
from ._numeric import sign, through_float

Function = Callable[[jax.Array], jax.Array]

#: What the documentation shows: operator | data | the numbers that MXNet prints.
EXAMPLES = table("""
abs         | [-1, 0, 2]     | [1. 0. 2.]
sign        | [-3, 0, 2]     | [-1.  0.  1.]
negative    | [-1, 0, 2]     | [ 1. -0. -2.]
reciprocal  | [1, 2, -4]     | [ 1.    0.5  -0.25]
square      | [1, 2, -3]     | [1. 4. 9.]
sqrt        | [1, 4, 9]      | [1. 2. 3.]
rsqrt       | [1, 4, 16]     | [1.   0.5  0.25]
cbrt        | [1, -8, 27]    | [ 1. -2.  3.]
rcbrt       | [1, -8, 64]    | [ 1.   -0.5   0.25]
exp         | [-1, 0, 1]     | [0.36787945 1.         2.7182817 ]
expm1       | [-1, 0, 1]     | [-0.63212055  0.          1.7182817 ]
log         | [1, 2, 10]     | [0.        0.6931472 2.3025851]
log10       | [1, 10, 1000]  | [0. 1. 3.]
log2        | [1, 2, 0.5]    | [ 0.  1. -1.]
log1p       | [0, 1, -0.5]   | [ 0.         0.6931472 -0.6931472]
sin         | [0, 1, 2]      | [0.         0.84147096 0.9092974 ]
cos         | [0, 1, 2]      | [ 1.          0.5403023  -0.41614684]
tan         | [0, 1, 2]      | [ 0.         1.5574077 -2.1850398]
arcsin      | [0, 0.5, 1]    | [0.        0.5235988 1.5707964]
arccos      | [0, 0.5, 1]    | [1.5707964 1.0471976 0.       ]
arctan      | [0, 1, -1]     | [ 0.         0.7853982 -0.7853982]
degrees     | [0, 1, 2]      | [  0.        57.295776 114.59155 ]
radians     | [0, 90, 180]   | [0.        1.5707964 3.1415927]
sinh        | [0, 1, -1]     | [ 0.         1.1752012 -1.1752012]
cosh        | [0, 1, -1]     | [1.        1.5430806 1.5430806]
tanh        | [0, 1, -1]     | [ 0.         0.7615942 -0.7615942]
arcsinh     | [0, 1, -1]     | [ 0.         0.8813736 -0.8813736]
arccosh     | [1, 2, 10]     | [0.       1.316958 2.993223]
arctanh     | [0, 0.5, -0.5] | [ 0.          0.54930615 -0.54930615]
ceil        | [-1.5, 0.2, 2] | [-1.  1.  2.]
floor       | [-1.5, 0.2, 2] | [-2.  0.  2.]
trunc       | [-1.5, 0.2, 2] | [-1.  0.  2.]
fix         | [-1.5, 0.2, 2] | [-1.  0.  2.]
rint        | [-1.5, 0.5, 1.6] | [-2.  0.  2.]
round       | [-1.5, 0.5, 1.6] | [-2.  1.  2.]
gamma       | [1, 0.5, 5]    | [ 1.         1.7724538 24.       ]
gammaln     | [1, 0.5, 5]    | [0.        0.5723649 3.1780539]
erf         | [0, 1, -1]     | [ 0.         0.8427008 -0.8427008]
erfinv      | [0, 0.5, -0.5] | [ 0.          0.47693628 -0.47693628]
relu        | [-1, 0, 2]     | [0. 0. 2.]
sigmoid     | [-1, 0, 2]     | [0.26894143 0.5        0.880797  ]
softsign    | [-1, 0, 3]     | [-0.5   0.    0.75]
logical_not | [-1, 0, 2]     | [0. 1. 0.]
zeros_like  | [-1, 0, 2]     | [0. 0. 0.]
ones_like   | [-1, 0, 2]     | [1. 1. 1.]
""")


def unary(
    name: str, f: Function, doc: str, *, df: Callable[[jax.Array, jax.Array], Any] | None = None,
    exact: bool = False, alias: Sequence[str] = (),
) -> Op:  # fmt: skip
    """Register the operator `name`, ``f`` of every element.

    `df(x, out)` is the derivative where it is not JAX's own. An `exact` function takes integers as they are.
    """

    def kernel(data):  # the type is that of every kernel: arrays in, arrays out
        return f(data) if exact else through_float(f, data)

    kernel.__name__ = kernel.__qualname__ = name
    values, printed = EXAMPLES[name]
    kernel.__doc__ = (
        f"{doc}\n\nArgs:\n    data: array of any shape.\n\nReturns:\n    An array with the shape and dtype of `data`.\n"
        + example(f"mx.nd.{name}(mx.nd.array({values}))", printed)
    )
    new = register_op(Op(name, kernel, shapes="*s -> *s", alias=alias))
    if df is not None:
        new.grad(lambda p, g, x, out: (g * df(x, out),))
    return new


def _rint(x: jax.Array) -> jax.Array:
    return jnp.ceil(x - 0.5)  # a tie goes to the lower neighbour


def _round(x: jax.Array) -> jax.Array:
    return lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO)


def _gamma(x: jax.Array) -> jax.Array:
    """The gamma function: inf at 0, nan at the negative integers."""
    out = jnp.exp(lax.lgamma(x)) * (1 - 2 * ((x < 0) & (jnp.floor(x) % 2 != 0)).astype(x.dtype))
    # exp(lgamma) loses digits; products of the first integers are exact.
    limit = float(jnp.finfo(x.dtype).max)
    exact = jnp.asarray([math.factorial(i) for i in range(13) if math.factorial(i) <= limit], x.dtype)
    whole = (x == jnp.floor(x)) & (x >= 1) & (x <= len(exact))
    out = jnp.where(x == 0, 1 / x, out)  # -inf at -0
    out = jnp.where(whole, exact.at[jnp.where(whole, x - 1, 0).astype(jnp.int32)].get(mode="clip"), out)
    return jnp.where((x < 0) & (x == jnp.floor(x)), jnp.nan, out)


def _digamma(x: jax.Array) -> jax.Array:
    pole = (x <= 0) & (x == jnp.floor(x))
    return jnp.where(pole, jnp.inf, lax.digamma(x))


def _zero(x: jax.Array, out: jax.Array) -> jax.Array:
    return jnp.zeros_like(x)


def _not(x: jax.Array) -> jax.Array:
    return (x == 0).astype(x.dtype)


RAD = math.pi / 180
SQRT_PI_HALF = math.sqrt(math.pi) / 2

unary("abs", lambda x: jnp.abs(x), "Absolute value; the derivative at 0 is 0.", df=lambda x, y: sign(x), exact=True)
unary("sign", sign, "-1, 0 or 1 by the sign; 0 of nan.", df=_zero, exact=True)
unary("negative", lambda x: -x, "The number with its sign changed; unsigned integers wrap.", exact=True)
unary("reciprocal", lambda x: 1 / x, "``1 / data``.", df=lambda x, y: -1 / (x * x))
unary("square", lambda x: x * x, "``data * data``.", exact=True)
unary("sqrt", jnp.sqrt, "Square root.", df=lambda x, y: 0.5 / y)
unary("rsqrt", lambda x: 1 / jnp.sqrt(x), "``1 / sqrt(data)``.", df=lambda x, y: -0.5 / (x * jnp.sqrt(x)))
unary("cbrt", jnp.cbrt, "Cube root.", df=lambda x, y: 1 / (3 * y * y))
unary("rcbrt", lambda x: 1 / jnp.cbrt(x), "``1 / cbrt(data)``.", df=lambda x, y: -1 / (3 * x * jnp.cbrt(x)))

unary("exp", jnp.exp, "``e ** data``.", df=lambda x, y: y)
unary("expm1", jnp.expm1, "``e ** data - 1``, exact near 0.", df=lambda x, y: jnp.exp(x))
unary("log", jnp.log, "Natural logarithm.", df=lambda x, y: 1 / x)
unary("log10", jnp.log10, "Logarithm to base 10.", df=lambda x, y: 1 / (x * math.log(10)))
unary("log2", jnp.log2, "Logarithm to base 2.", df=lambda x, y: 1 / (x * math.log(2)))
unary("log1p", jnp.log1p, "``log(1 + data)``, exact near 0.", df=lambda x, y: 1 / (1 + x))

unary("sin", jnp.sin, "Sine of an angle in radians.")
unary("cos", jnp.cos, "Cosine of an angle in radians.")
unary("tan", jnp.tan, "Tangent of an angle in radians.", df=lambda x, y: y * y + 1)
unary("arcsin", jnp.arcsin, "Inverse sine, in [-pi/2, pi/2].", df=lambda x, y: 1 / jnp.sqrt(1 - x * x))
unary("arccos", jnp.arccos, "Inverse cosine, in [0, pi].", df=lambda x, y: -1 / jnp.sqrt(1 - x * x))
unary("arctan", jnp.arctan, "Inverse tangent, in (-pi/2, pi/2).", df=lambda x, y: 1 / (x * x + 1))
unary("degrees", lambda x: x * (1 / RAD), "Radians to degrees.", df=lambda x, y: 1 / RAD)
unary("radians", lambda x: x * RAD, "Degrees to radians.", df=lambda x, y: RAD)
unary("sinh", jnp.sinh, "Hyperbolic sine.", df=lambda x, y: jnp.cosh(x))
unary("cosh", jnp.cosh, "Hyperbolic cosine.", df=lambda x, y: jnp.sinh(x))
unary("tanh", jnp.tanh, "Hyperbolic tangent.", df=lambda x, y: 1 - y * y)
unary("arcsinh", jnp.arcsinh, "Inverse hyperbolic sine.", df=lambda x, y: 1 / jnp.sqrt(x * x + 1))
unary("arccosh", jnp.arccosh, "Inverse hyperbolic cosine.", df=lambda x, y: 1 / jnp.sqrt(x * x - 1))
unary("arctanh", jnp.arctanh, "Inverse hyperbolic tangent.", df=lambda x, y: 1 / (1 - x * x))

unary("ceil", jnp.ceil, "The nearest integer that is not smaller.", df=_zero, exact=True)
unary("floor", jnp.floor, "The nearest integer that is not larger.", df=_zero, exact=True)
unary("trunc", jnp.trunc, "The integer part.", df=_zero, exact=True)
unary("fix", jnp.trunc, "The nearest integer towards 0.", df=_zero, exact=True)
unary("rint", _rint, "The nearest integer; of two equally near ones the lower.", df=_zero)
unary("round", _round, "The nearest integer; of two equally near ones that farther from 0.", df=_zero)

unary("gamma", _gamma, "The gamma function.", df=lambda x, y: y * _digamma(x))
unary("gammaln", lax.lgamma, "Logarithm of the absolute value of the gamma function.", df=lambda x, y: _digamma(x))
unary("erf", lax.erf, "The error function.", df=lambda x, y: jnp.exp(-(x * x)) / SQRT_PI_HALF)
unary("erfinv", lax.erf_inv, "Inverse of the error function.", df=lambda x, y: SQRT_PI_HALF * jnp.exp(y * y))

unary("relu", lambda x: jnp.maximum(x, 0), "``max(data, 0)``; the derivative at 0 is 0.",
      df=lambda x, y: (y > 0).astype(x.dtype), exact=True)  # fmt: skip
unary("sigmoid", jax.nn.sigmoid, "``1 / (1 + exp(-data))``.", df=lambda x, y: y * (1 - y))
unary(
    "softsign",
    lambda x: x / (1 + jnp.abs(x)),
    "``data / (1 + abs(data))``.",
    df=lambda x, y: 1 / jnp.square(1 + jnp.abs(x)),
)
unary("logical_not", _not, "1 where `data` is 0, else 0, in the dtype of `data`.", df=_zero, exact=True)
unary("zeros_like", jnp.zeros_like, "Zeros with the shape and dtype of `data`.", df=_zero, exact=True)
unary("ones_like", jnp.ones_like, "Ones with the shape and dtype of `data`.", df=_zero, exact=True)
