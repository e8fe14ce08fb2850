# SPDX-License-Identifier: Apache-2.0
"""`mx.sym.random`: draws whose parameters are numbers, or symbols with one parameter per draw."""

from __future__ import annotations

import math
from typing import Any

from mxlite_compiler.op import get_op

from .._zipfian import zipfian
from .arithmetic import is_scalar
from .compose import make_node, single
from .functions import Namespace
from .symbol import Symbol

_operators = Namespace("mxlite.symbol.random", "_random_")


def _draw(
    scalar_op: str, symbol_op: str, params: dict[str, Any], shape: Any, dtype: Any, kwargs: dict[str, Any]
) -> Symbol:
    """A draw with numbers (`scalar_op`) or symbols (`symbol_op`) as `params`.

    Raises:
        AssertionError: `params` are not all of one kind.
        ValueError: the first of them is neither.
    """
    name, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
    options = {**({} if shape is None else {"shape": shape}), **({} if dtype is None else {"dtype": dtype}), **kwargs}
    if all(isinstance(p, Symbol) for p in params.values()):
        entries = [single(p.graph.entries, f"{symbol_op}: {k}") for k, p in params.items()]
        return Symbol(make_node(get_op(symbol_op), symbol_op, entries, {}, options, name, attr).entries())
    if all(is_scalar(p) for p in params.values()):
        return Symbol(make_node(get_op(scalar_op), scalar_op, (), {}, {**params, **options}, name, attr).entries())
    shown = ", ".join(f"{k}={v!r}" for k, v in params.items())
    first = next(iter(params.values()))
    error = AssertionError if isinstance(first, Symbol) or is_scalar(first) else ValueError
    raise error(f"Distribution parameters must all be either Symbols or numbers, got {shown}")


def uniform(low: Any = 0, high: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Numbers from [low, high).

    Args:
        low, high: numbers; or symbols of one shape, then `shape` numbers are drawn for each of their elements.
        shape: the shape, a number or a tuple.
        dtype: float32 by default.
        kwargs: `name`, `attr`, `ctx`.

    Raises:
        AssertionError: `low` and `high` are of different kinds.
        ValueError: `low` is neither a Symbol nor a number.
    """
    return _draw("_random_uniform", "_sample_uniform", {"low": low, "high": high}, shape, dtype, kwargs)


def normal(loc: Any = 0, scale: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Normally distributed numbers with mean `loc` and standard deviation `scale`; see `uniform`."""
    return _draw("_random_normal", "_sample_normal", {"loc": loc, "scale": scale}, shape, dtype, kwargs)


def randn(*shape: int, loc: Any = 0, scale: Any = 1, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Normally distributed numbers of the shape that the positional arguments give; see `normal`."""
    return normal(loc, scale, shape or None, dtype, **kwargs)


def poisson(lam: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Poisson distributed numbers with mean `lam`; see `uniform`."""
    return _draw("_random_poisson", "_sample_poisson", {"lam": lam}, shape, dtype, kwargs)


def exponential(scale: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Exponentially distributed numbers with mean `scale`; see `uniform`."""
    lam = 1.0 / scale
    return _draw("_random_exponential", "_sample_exponential", {"lam": lam}, shape, dtype, kwargs)


def gamma(alpha: Any = 1, beta: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Gamma distributed numbers with shape `alpha` and scale `beta`; see `uniform`."""
    return _draw("_random_gamma", "_sample_gamma", {"alpha": alpha, "beta": beta}, shape, dtype, kwargs)


def negative_binomial(k: Any = 1, p: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Failures before `k` successes of probability `p`; see `uniform`."""
    return _draw("_random_negative_binomial", "_sample_negative_binomial", {"k": k, "p": p}, shape, dtype, kwargs)


def generalized_negative_binomial(
    mu: Any = 1, alpha: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any
) -> Symbol:
    """Negative binomial numbers with mean `mu` and dispersion `alpha`; see `uniform`."""
    names = "_random_generalized_negative_binomial", "_sample_generalized_negative_binomial"
    return _draw(*names, {"mu": mu, "alpha": alpha}, shape, dtype, kwargs)


def randint(low: int, high: int, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Integers from [low, high); int32 by default."""
    name, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
    given = {"low": low, "high": high, "shape": shape, "dtype": dtype}
    attrs = {**{k: v for k, v in given.items() if v is not None}, **kwargs}
    return Symbol(make_node(get_op("_random_randint"), "_random_randint", (), {}, attrs, name, attr).entries())


def multinomial(data: Symbol, shape: Any = None, get_prob: bool = True, dtype: Any = "int32", **kwargs: Any) -> Symbol:
    """Indices drawn with the probabilities in the rows of `data`, and the logarithms of those with `get_prob`."""
    name, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
    attrs = {**({} if shape is None else {"shape": shape}), "get_prob": get_prob, "dtype": dtype, **kwargs}
    entries = [single(data.graph.entries, "multinomial: input 'data'")]
    return Symbol(
        make_node(get_op("_sample_multinomial"), "_sample_multinomial", entries, {}, attrs, name, attr).entries()
    )


def shuffle(data: Symbol, **kwargs: Any) -> Symbol:
    """The rows of `data` in random order."""
    name, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
    entries = [single(data.graph.entries, "shuffle: input 'data'")]
    return Symbol(make_node(get_op("_shuffle"), "_shuffle", entries, {}, kwargs, name, attr).entries())


def rand_zipfian(true_classes: Symbol, num_sampled: int, range_max: int) -> tuple[Any, Any, Any]:
    """Draws classes from an approximately Zipfian (log-uniform) distribution: P(k) ~ log((k + 2) / (k + 1)).

    Args:
        true_classes: the classes that are right, a symbol of integers in any dtype.
        num_sampled: how many to draw, with replacement.
        range_max: the classes are the integers from 0 to range_max - 1.

    Returns:
        The draws (num_sampled,) int64; how often `true_classes` are expected among them, float64 of their shape; and
        how often the draws are, (num_sampled,) float64.
    """
    draws = uniform(0, math.log(range_max + 1), shape=(num_sampled,), dtype="float64")
    return zipfian(draws, true_classes, num_sampled, range_max)


__getattr__, __dir__ = _operators.hooks()
