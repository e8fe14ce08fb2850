# SPDX-License-Identifier: Apache-2.0
"""Densities of the distributions of `random`: a row of a table each."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from ..op import Op, register_op


def density(
    name: str, parameters: Sequence[str], log: Callable[..., jax.Array], doc: str, *, vector: bool = False
) -> None:
    """Register ``_random_pdf_name``.

    Args:
        name: the distribution.
        parameters: names of the arrays of parameters.
        log: the logarithm of the density of (sample, *parameters).
        doc: the density in words.
        vector: the last axis of a sample and of the parameters is one point.
    """

    def kernel(is_log: bool, **arrays: jax.Array) -> jax.Array:
        sample = arrays.pop("sample")
        behind = (1,) * (sample.ndim - arrays[parameters[0]].ndim)
        given = [arrays[q] for q in parameters]
        if vector:
            wide = [q.reshape(*q.shape[:-1], *behind, q.shape[-1]) for q in given]
        else:
            wide = [q.reshape(*q.shape, *behind) for q in given]
        out = log(sample, *wide)
        return out if is_log else jnp.exp(out)

    keyword = inspect.Parameter("is_log", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)
    names = ("sample", *parameters)
    kernel.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*(inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names), keyword]
    )
    kernel.__annotations__ = {"is_log": bool}
    kernel.__name__ = kernel.__qualname__ = f"_random_pdf_{name}"
    given = "".join(f"    {q}: parameters, the leading axes of `sample`.\n" for q in parameters)
    kernel.__doc__ = (
        f"{doc}\n\nArgs:\n    sample: the leading axes of the parameters, then those of their samples.\n{given}"
        "    is_log: return the logarithm of the density.\n\nReturns:\n    A density for each sample.\n"
    )
    tail = " k" if vector else ""
    shapes = f"*r{tail}" + f", *p{tail}" * len(parameters) + " -> *r"
    register_op(Op(f"_random_pdf_{name}", kernel, shapes=shapes, alias=(f"random_pdf_{name}",), floats=True))


def _uniform(x: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    return -jnp.log(high - low) + jnp.zeros_like(x)


def _normal(x: jax.Array, mu: jax.Array, sigma: jax.Array) -> jax.Array:
    z = (x - mu) / sigma
    return -0.5 * z * z - jnp.log(sigma * math.sqrt(2 * math.pi))


def _gamma(x: jax.Array, alpha: jax.Array, beta: jax.Array) -> jax.Array:
    return alpha * jnp.log(beta) + (alpha - 1) * jnp.log(x) - beta * x - gammaln(alpha)


def _counts(log: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """`log` of whole numbers, which have no gradient."""
    return lambda x, *parameters: log(lax.stop_gradient(x), *parameters)


@_counts
def _poisson(x: jax.Array, lam: jax.Array) -> jax.Array:
    return x * jnp.log(lam) - gammaln(x + 1) - lam


@_counts
def _negative_binomial(x: jax.Array, k: jax.Array, p: jax.Array) -> jax.Array:
    return gammaln(x + k) - gammaln(x + 1) - gammaln(k) + k * jnp.log(p) + x * jnp.log(1 - p)


def _generalized(x: jax.Array, mu: jax.Array, alpha: jax.Array) -> jax.Array:
    return _negative_binomial(x, 1 / alpha, 1 / (mu * alpha + 1))


def _dirichlet(x: jax.Array, alpha: jax.Array) -> jax.Array:
    return ((alpha - 1) * jnp.log(x)).sum(-1) + gammaln(alpha.sum(-1)) - gammaln(alpha).sum(-1)


density("uniform", ("low", "high"), _uniform, "The density of uniform numbers between `low` and `high`.")
density("normal", ("mu", "sigma"), _normal, "The density of normal numbers.")
density("gamma", ("alpha", "beta"), _gamma, "The density of gamma numbers with the rate `beta`.")
density("exponential", ("lam",), lambda x, lam: jnp.log(lam) - lam * x, "The density of exponential numbers.")
density("poisson", ("lam",), _poisson, "The probability of Poisson numbers.")
density("negative_binomial", ("k", "p"), _negative_binomial, "The probability of failures before `k` successes.")
density("generalized_negative_binomial", ("mu", "alpha"), _generalized,
        "The probability of negative binomial numbers with the mean `mu` and the dispersion `alpha`.")  # fmt: skip
density("dirichlet", ("alpha",), _dirichlet, "The density of points of a Dirichlet distribution.", vector=True)
