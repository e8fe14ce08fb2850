# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.random`: draws from distributions, with parameters that are numbers or arrays.

The numbers come from JAX's generator: the same seed gives the same numbers again, but not MXNet's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from mxlite_compiler.op import get_op

from .._zipfian import zipfian
from ..base import MXNetError, explain, numeric_types
from ..context import Context, as_context
from . import dispatch, register
from .ndarray import NDArray, invoke

_Shape = int | Sequence[int] | None


def _draw(
    number_op: str, array_op: str, params: dict[str, Any], shape: _Shape, dtype: Any, ctx: Any, out: Any
) -> NDArray:
    values = list(params.values())
    attrs: dict[str, Any] = {}
    if dtype is not None:
        attrs["dtype"] = dtype
    if isinstance(values[0], NDArray):
        for other in values:
            if not isinstance(other, NDArray):
                raise AssertionError(
                    f"{number_op}: distribution parameters must all be arrays or all numbers, got {other!r}"
                )
        if shape is not None:
            attrs["shape"] = shape
        return invoke(array_op, values, attrs, out)
    for other in values:
        if isinstance(other, NDArray):
            raise AssertionError(f"{number_op}: distribution parameters must all be arrays or all numbers")
        if not isinstance(other, numeric_types):
            raise ValueError(f"{number_op}: distribution parameters must be arrays or numbers, got {other!r}")
    if shape is None:
        shape = out.shape if out is not None else (1,)
    attrs["shape"] = shape
    if out is not None and dtype is None:
        attrs["dtype"] = out.dtype
    where = out.context if out is not None else as_context(ctx, number_op)
    legal = _EVERYDAY.get(number_op) if out is dtype is None else None
    if legal and isinstance(shape, tuple) and _plain(shape, values) and legal(*values):
        return dispatch.run(NDArray, _program(number_op, tuple(params), shape, where), values, (), where)
    return invoke(number_op, (), {**params, **attrs, "ctx": where}, out)


#: Operators whose parameters are all real numbers that come with each call, and which of those are legal.
_EVERYDAY: dict[str, Callable[[Any, Any], bool]] = {
    "_random_uniform": lambda low, high: low <= high,
    "_random_normal": lambda loc, scale: scale >= 0,
}


def _plain(shape: tuple[Any, ...], numbers: Sequence[Any]) -> bool:
    """Whether nothing has to be converted before a program is looked up."""
    if set(map(type, shape)) != {int}:
        return False
    return all(type(x) is float or (type(x) is int and abs(x) < 1 << 53) for x in numbers)


@functools.lru_cache(maxsize=1024)
def _program(name: str, params: tuple[str, ...], shape: tuple[int, ...], ctx: Context) -> dispatch.Program:
    """The program of a draw, looked up by what it depends on: of a few numbers, reading the arguments costs most."""
    attrs: dict[str, Any] = {**dict.fromkeys(params, 0.5), "shape": shape, "ctx": str(ctx)}
    return dispatch.program(get_op(name), attrs, ctx)[0]


def uniform(
    low: Any = 0, high: Any = 1, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws from [low, high).

    Args:
        low: lower end, a number, or an array of them.
        high: upper end; an array when `low` is one.
        shape: how many; (1,) by default. With array parameters: how many for each element.
        dtype: float32 (default), float16 or float64.
        ctx: the device; the current one by default.
        out: an array to write into.

    Raises MXNetError for an illegal shape or dtype and for numbers with low > high, ValueError for a parameter that is
    no number, AssertionError when only some parameters are arrays. The arguments of the other functions mean the same.
    """
    if isinstance(low, numeric_types) and isinstance(high, numeric_types) and float(low) > float(high):
        raise MXNetError(explain(f"low={low} must not be greater than high={high}", op="_random_uniform"))
    return _draw("_random_uniform", "_sample_uniform", {"low": low, "high": high}, shape, dtype, ctx, out)


def normal(
    loc: Any = 0, scale: Any = 1, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws from the normal distribution with mean `loc` and standard deviation `scale`."""
    params = {"loc": loc, "scale": scale}
    if isinstance(loc, NDArray):
        params = {"mu": loc, "sigma": scale}
    return _draw("_random_normal", "_sample_normal", params, shape, dtype, ctx, out)


def randn(
    *shape: int, loc: Any = 0, scale: Any = 1, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """`normal` with the shape as positional integers."""
    return normal(loc, scale, shape or None, dtype, ctx, out)


def poisson(
    lam: Any = 1, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws from the Poisson distribution with rate `lam`, as floating numbers."""
    return _draw("_random_poisson", "_sample_poisson", {"lam": lam}, shape, dtype, ctx, out)


def exponential(
    scale: Any = 1, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws from the exponential distribution with mean `scale`."""
    lam = invoke("_rdiv_scalar", (scale,), {"scalar": 1.0}) if isinstance(scale, NDArray) else 1.0 / scale
    return _draw("_random_exponential", "_sample_exponential", {"lam": lam}, shape, dtype, ctx, out)


def gamma(
    alpha: Any = 1, beta: Any = 1, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws from the gamma distribution with shape `alpha` and scale `beta`."""
    return _draw("_random_gamma", "_sample_gamma", {"alpha": alpha, "beta": beta}, shape, dtype, ctx, out)


def negative_binomial(
    k: Any = 1, p: Any = 1, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws the number of failures before the `k`-th success of probability `p`, as floating numbers."""
    return _draw("_random_negative_binomial", "_sample_negative_binomial", {"k": k, "p": p}, shape, dtype, ctx, out)


def generalized_negative_binomial(
    mu: Any = 1, alpha: Any = 1, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws from the negative binomial distribution with mean `mu` and dispersion `alpha`."""
    names = ("_random_generalized_negative_binomial", "_sample_generalized_negative_binomial")
    return _draw(*names, {"mu": mu, "alpha": alpha}, shape, dtype, ctx, out)


def randint(
    low: int, high: int, shape: _Shape = None, dtype: Any = None, ctx: Any = None, out: NDArray | None = None
) -> NDArray:
    """Draws integers from [low, high), int32 by default or int64."""
    if isinstance(low, NDArray) or isinstance(high, NDArray):
        raise MXNetError(explain("takes numbers, not arrays", op="randint"))
    return _draw("_random_randint", "", {"low": low, "high": high}, shape, dtype, ctx, out)


def multinomial(
    data: NDArray, shape: _Shape = None, get_prob: bool = False, out: Any = None, dtype: Any = "int32"
) -> Any:
    """Draws indices with the probabilities of the rows of `data`.

    Args:
        data: probabilities (n,) or (rows, n).
        shape: how many draws a row; one by default.
        get_prob: also return the logarithm of each draw's probability.
        out: an array to write into.
        dtype: of the indices: int32 (default), int64, uint8, float16, float32, float64.
    """
    attrs: dict[str, Any] = {"get_prob": get_prob, "dtype": dtype}
    if shape is not None:
        attrs["shape"] = shape
    return invoke("_sample_multinomial", (data,), attrs, out)


def shuffle(data: NDArray, out: NDArray | None = None) -> NDArray:
    """The rows of `data` in random order."""
    return invoke("_shuffle", (data,), {}, out)


def rand_zipfian(true_classes: NDArray, num_sampled: int, range_max: int, ctx: Any = None) -> tuple[Any, Any, Any]:
    """Draws classes from an approximately Zipfian (log-uniform) distribution: P(k) ~ log((k + 2) / (k + 1)).

    Args:
        true_classes: the classes that are right, an array of integers in any dtype.
        num_sampled: how many to draw, with replacement.
        range_max: the classes are the integers from 0 to range_max - 1.
        ctx: the device; that of `true_classes` by default.

    Returns:
        The draws (num_sampled,) int64; how often `true_classes` are expected among them, float64 of their shape; and
        how often the draws are, (num_sampled,) float64.
    """
    where = true_classes.context if ctx is None else ctx
    draws = uniform(0, math.log(range_max + 1), shape=(num_sampled,), dtype="float64", ctx=where)
    return zipfian(draws, true_classes.as_in_context(draws.context), num_sampled, range_max)


register.install(globals(), ("_random_", "_sample_"), __name__)


def __getattr__(name: str) -> Any:
    raise register.unknown(__name__, name, globals())
