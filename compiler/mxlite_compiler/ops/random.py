# SPDX-License-Identifier: Apache-2.0
"""Random numbers: a row of a table for each distribution, from which three operators come.

``_random_X`` takes the parameters as numbers, ``_random_X_like`` the shape from an array, ``_sample_X`` a parameter
from each element of arrays. The key comes from the caller; nothing here has a state. The numbers are not MXNet's: only
the distribution is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ..errors import Mismatch, MXNetError, explain
from ..op import Mode, Op, op, register_op
from ..params import DType, Range, Shape
from ..shapes import DTypes, Shapes, join_shapes
from ._examples import plain_example
from ._numeric import convert
from .creation import whole
from .threefry import typed

FLOATS = ("float16", "float32", "float64")
POSITIVE = Annotated[float, Range(low=0)]
#: The shape of what is drawn.
Sizes = Annotated[Shape, Range(low=0)]
#: (key, shape, dtype, *parameters) -> numbers; the parameters broadcast with the shape.
Draw = Callable[..., jax.Array]


class Parameter(NamedTuple):
    """A parameter of a distribution."""

    name: str
    default: float
    hint: Any = float


def key_of(env: Mode, name: str) -> jax.Array:
    """The key of this call. MXNetError when the caller gave none."""
    if env.key is None:
        raise MXNetError(explain("draws random numbers and needs a key", op=name, hint="pass key=... to the function"))
    return env.key


def _float_dtype(p: Any) -> str:
    """The dtype rule of a generator without inputs."""
    if p.dtype not in (None, *FLOATS):
        raise Mismatch(f"dtype={p.dtype} must be one of {', '.join(FLOATS)}")
    return f"-> {p.dtype or 'float32'}"


def distribution(
    name: str, parameters: Sequence[Parameter], draw: Draw, doc: str, *, alias: Sequence[str] = (),
    arrays: Sequence[str] = (),
) -> None:  # fmt: skip
    """Register ``_random_name``, ``_random_name_like`` and ``_sample_name``.

    Args:
        name: the distribution.
        parameters: its parameters, in MXNet's order.
        draw: the function that draws.
        doc: one sentence about what is drawn.
        alias: further names of ``_random_name``.
        arrays: names of the inputs of ``_sample_name`` where they are not those of the parameters.
    """
    names = [q.name for q in parameters]
    arrays = arrays or names
    env = ("env", inspect.Parameter.empty, Mode)
    options = [(q.name, q.default, q.hint) for q in parameters]
    about = f"{doc}\n\nArgs:\n"
    numbers = "".join(f"    {q.name}: parameter of the distribution.\n" for q in parameters)
    size = "    shape: shape of the result.\n    ctx: device, set by the caller.\n    dtype: dtype of the result.\n"

    def random(*, shape: Shape | None, dtype: str | None, env: Mode, **values: Any) -> jax.Array:
        size = (1,) if shape is None else whole(f"_random_{name}", shape)
        return draw(key_of(env, name), size, dtype or "float32", *(values[n] for n in names))

    def like(*, data: jax.Array, env: Mode, **values: Any) -> jax.Array:
        return draw(key_of(env, name), data.shape, data.dtype.name, *(values[n] for n in names))

    def sample(*, shape: Shape, dtype: str | None, env: Mode, **values: Any) -> jax.Array:
        given = [values[n].astype(jnp.float64 if dtype == "float64" else jnp.float32) for n in arrays]
        wide = [v.reshape(*v.shape, *(1,) * len(shape)) for v in given]
        return draw(key_of(env, name), (*given[0].shape, *shape), dtype or "float32", *wide)

    numeric = [q.name for q in parameters if q.hint is not int]
    new = _register(
        f"_random_{name}", random, (),
        [*options, ("shape", None, Sizes | None), ("ctx", "", str), ("dtype", None, DType | None), env],
        about + numbers + size + plain_example(f"mx.nd.random_{name}(shape=(2, 3)).shape", "(2, 3)"),
        dtypes=_float_dtype, alias=(f"random_{name}", *alias), dynamic=numeric,
    )  # fmt: skip
    new.infer(lambda p, ins, outs: (ins, [join_shapes(p.shape or None, o, "shape") for o in outs]))
    new = _register(
        f"_random_{name}_like", like, ("data",), [*options, env],
        about + numbers + "    data: array whose shape and dtype the result gets.\n"
        + plain_example(f"mx.nd._internal._random_{name}_like(mx.nd.zeros((2, 3))).shape", "(2, 3)"),
        shapes="*s -> *s", dynamic=numeric,
    )  # fmt: skip
    new.infer_dtypes(_like_dtypes)
    new.grad(lambda p, g, data, out: (None,))
    each = "".join(f"    {n}: parameters of the distribution, one an element.\n" for n in arrays)
    new = _register(
        f"_sample_{name}", sample, arrays, [("shape", (), Sizes), ("dtype", None, DType | None), env],
        about + each + "    shape: how many numbers to draw for each element.\n    dtype: dtype of the result.\n"
        + plain_example(f"mx.nd.sample_{name}({', '.join(['mx.nd.ones(2)'] * len(names))}, shape=3).shape", "(2, 3)"),
        shapes=lambda p: ", ".join(["*s"] * len(names)) + " -> *s " + " ".join(map(str, p.shape)),
        alias=(f"sample_{name}",),
    )  # fmt: skip
    new.infer_dtypes(_sample_dtypes)
    new.grad(lambda p, g, *xs: (None,) * (len(xs) - 1))


def _register(name: str, kernel: Any, arrays: Sequence[str], options: Sequence[tuple], doc: str, **rest: Any) -> Op:
    """Register `kernel` under a signature made of `arrays` and keyword `options` (name, default, type)."""
    signature = [inspect.Parameter(a, inspect.Parameter.POSITIONAL_OR_KEYWORD) for a in arrays]
    signature += [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=d, annotation=h) for n, d, h in options]
    kernel.__signature__ = inspect.Signature(signature)
    kernel.__annotations__ = {n: h for n, _, h in options}
    kernel.__name__ = kernel.__qualname__ = name
    kernel.__doc__ = doc
    return register_op(Op(name, kernel, random=True, **rest))


def _like_dtypes(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    dtype = ins[0] or outs[0]
    if dtype not in (None, *FLOATS):
        raise Mismatch(f"dtype={dtype} must be one of {', '.join(FLOATS)}")
    return [dtype], [dtype]


def _sample_dtypes(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    _float_dtype(p)
    given = next((d for d in ins if d), None)
    if any(d not in (None, given) for d in ins):
        raise Mismatch(f"the parameters must have one dtype, got {', '.join(map(str, ins))}")
    return [given] * len(ins), [p.dtype or "float32"]


def _narrow(draw: Draw) -> Draw:
    """`draw` in float32 for the dtypes that `jax.random` does not draw in."""

    def wrapped(key: jax.Array, shape: Shape, dtype: str, *values: Any) -> jax.Array:
        wide = dtype if dtype in ("float32", "float64") else "float32"
        return convert(draw(key, shape, wide, *(jnp.asarray(v, wide) for v in values)), dtype)

    return wrapped


@_narrow
def _uniform(key: jax.Array, shape: Shape, dtype: str, low: Any, high: Any) -> jax.Array:
    return low + (high - low) * jax.random.uniform(typed(key), shape, dtype)


@_narrow
def _normal(key: jax.Array, shape: Shape, dtype: str, loc: Any, scale: Any) -> jax.Array:
    return loc + scale * jax.random.normal(typed(key), shape, dtype)


@_narrow
def _exponential(key: jax.Array, shape: Shape, dtype: str, lam: Any) -> jax.Array:
    return jax.random.exponential(key, shape, dtype) / lam


@_narrow
def _gamma(key: jax.Array, shape: Shape, dtype: str, alpha: Any, beta: Any) -> jax.Array:
    return jax.random.gamma(key, jnp.broadcast_to(alpha, shape), shape, dtype) * beta


@_narrow
def _poisson(key: jax.Array, shape: Shape, dtype: str, lam: Any) -> jax.Array:
    return jax.random.poisson(key, jnp.broadcast_to(lam, shape), shape, jnp.int32).astype(dtype)


@_narrow
def _negative_binomial(key: jax.Array, shape: Shape, dtype: str, k: Any, p: Any) -> jax.Array:
    one, two = jax.random.split(key)
    return _poisson(two, shape, dtype, _gamma(one, shape, dtype, k, (1 - p) / p))


@_narrow
def _generalized(key: jax.Array, shape: Shape, dtype: str, mu: Any, alpha: Any) -> jax.Array:
    one, two = jax.random.split(key)
    safe = jnp.where(alpha == 0, 1, alpha)  # without dispersion this is a Poisson distribution
    return _poisson(two, shape, dtype, jnp.where(alpha == 0, mu, _gamma(one, shape, dtype, 1 / safe, mu * safe)))


distribution("uniform", [Parameter("low", 0.0), Parameter("high", 1.0)], _uniform,
             "Uniform numbers from `low` to `high`, which is not included.", alias=("uniform",))  # fmt: skip
distribution("normal", [Parameter("loc", 0.0), Parameter("scale", 1.0, POSITIVE)], _normal,
             "Normal numbers with the mean `loc` and the standard deviation `scale`.", alias=("normal",),
             arrays=("mu", "sigma"))  # fmt: skip
distribution("exponential", [Parameter("lam", 1.0, POSITIVE)], _exponential, "Exponential numbers with the rate `lam`.")
distribution("gamma", [Parameter("alpha", 1.0, POSITIVE), Parameter("beta", 1.0, POSITIVE)], _gamma,
             "Gamma numbers with the shape `alpha` and the scale `beta`.")  # fmt: skip
distribution("poisson", [Parameter("lam", 1.0, POSITIVE)], _poisson, "Poisson numbers, as floats, with the mean `lam`.")
distribution("negative_binomial", [Parameter("k", 1, int), Parameter("p", 1.0, Annotated[float, Range(0, 1)])],
             _negative_binomial,
             "How many failures come before `k` successes of the probability `p`, as floats.")  # fmt: skip
distribution("generalized_negative_binomial", [Parameter("mu", 1.0, POSITIVE), Parameter("alpha", 1.0, POSITIVE)],
             _generalized,
             "Negative binomial numbers with the mean `mu` and the dispersion `alpha`, as floats.")  # fmt: skip


@op("_random_randint", dtypes=lambda p: f"-> {p.dtype or 'int32'}", alias=("random_randint",), random=True)
def randint(*, low: int, high: int, shape: Sizes | None = None, ctx: str = "", dtype: DType | None = None, env: Mode):
    """Integers from `low` to `high`, which is not included.

    Args:
        low: the smallest number.
        high: one more than the largest number.
        shape: shape of the result.
        ctx: device, set by the caller.
        dtype: int32 (the default) or int64.

    Example:
        >>> mx.nd.random.randint(0, 10, shape=(2, 3)).shape
        (2, 3)
    """
    size = (1,) if shape is None else whole("_random_randint", shape)
    return jax.random.randint(key_of(env, "_random_randint"), size, low, high, dtype or "int32")


@randint.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.low >= p.high:
        raise Mismatch(f"low={p.low} must be less than high={p.high}")
    if p.dtype not in (None, "int32", "int64"):
        raise Mismatch(f"dtype={p.dtype} must be int32 or int64")
    return ins, [join_shapes(p.shape or None, outs[0], "shape")]


@op("_sample_multinomial", alias=("sample_multinomial",), random=True,
    outputs=lambda p: ("output0", "output1") if p.get_prob else ("output",))  # fmt: skip
def sample_multinomial(data, *, shape: Sizes = (), get_prob: bool = False, dtype: DType = "int32", env: Mode):
    """Classes drawn with given probabilities.

    Args:
        data: (..., k) probabilities of the k classes.
        shape: how many classes to draw from each row.
        get_prob: also return the logarithm of the probability of each class that was drawn.
        dtype: dtype of the classes.

    Returns:
        (..., *shape), or (...) for shape (), or (1,) for one row. With `get_prob` the logarithms too: their gradient
        reaches `data`, as policy gradients want it.

    Example:
        >>> mx.nd.sample_multinomial(mx.nd.array([[0, 1, 0], [0, 0, 1]]))
        [1 2]
        <NDArray 2 @cpu(0)>
    """
    lead, k, n = data.shape[:-1], data.shape[-1], len(shape)
    logits = jnp.log(lax.stop_gradient(data).astype(jnp.promote_types(data.dtype, jnp.float32)))
    wide = logits.reshape(*lead, *(1,) * n, k)
    # The maximum of logits and Gumbel noise is such a draw; jax.random.categorical would count in int64.
    noise = jax.random.gumbel(key_of(env, "_sample_multinomial"), (*lead, *shape, k), wide.dtype)
    drawn = lax.argmax(noise + wide, len(lead) + n, jnp.int32)
    out = _multinomial_shape(data.shape, shape)
    if not get_prob:
        return drawn.reshape(out).astype(dtype)
    rows = jnp.broadcast_to(data.reshape(*lead, *(1,) * n, k), (*lead, *shape, k))
    probability = jnp.take_along_axis(rows, drawn[..., None], -1, mode="clip")[..., 0]
    return drawn.reshape(out).astype(dtype), jnp.log(probability).reshape(out)


def _multinomial_shape(data: Shape, shape: Shape) -> Shape:
    return (*data[:-1], *shape) or (1,)


@sample_multinomial.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins[0] is None:
        return ins, outs
    return ins, [join_shapes(_multinomial_shape(ins[0], p.shape), o, "an output") for o in outs]


@sample_multinomial.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    if ins[0] and "float" not in ins[0]:
        raise Mismatch(f"data must hold floats, got {ins[0]}")
    data = ins[0] or (outs[1] if p.get_prob else None)
    return [data], [p.dtype, data] if p.get_prob else [p.dtype]


@op("_shuffle", "*s -> *s", alias=("shuffle",), random=True)
def shuffle(data, *, env: Mode):
    """`data` with the slices along its first axis in a random order.

    Example:
        >>> mx.nd.shuffle(mx.nd.array([1, 2, 3])).sum()
        [6.]
        <NDArray 1 @cpu(0)>
    """
    return jax.random.permutation(key_of(env, "_shuffle"), data, 0)
