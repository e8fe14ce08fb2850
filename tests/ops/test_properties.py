# SPDX-License-Identifier: Apache-2.0
"""Properties that hold for all arguments: operators against numpy over drawn shapes, inverses, second derivatives."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.op import OPS
from tests.ops.golden import quick_compile

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_compile")
few = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def apply(name: str, *arrays: Any, **attrs: Any) -> Any:
    """The outputs of an operator; what its shape rule says of them is checked, too."""
    op = OPS[name]
    if op.variadic and op.variadic in op.param_types:
        attrs.setdefault(op.variadic, len(arrays))
    p = op.bind(attrs)
    inferred = op.infer_shape(p, [np.shape(x) for x in arrays], [None] * len(op.outputs(p)))[1]
    outs = jax.jit(lambda *xs: op.apply(p, *xs)[0])(*arrays)
    assert [tuple(s or ()) for s in inferred] == [x.shape for x in outs]
    return [np.asarray(x) for x in outs[: op.visible(p)]]


def numbers(*shape: int) -> np.ndarray:
    return np.random.RandomState(math.prod(shape)).randn(*shape).astype(np.float32)


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
arrays = shapes.map(lambda s: numbers(*s))


@st.composite
def with_axis(draw: Any) -> tuple[np.ndarray, int]:
    x = draw(arrays)
    return x, draw(st.integers(-x.ndim, x.ndim - 1))


@st.composite
def with_axes(draw: Any) -> tuple[np.ndarray, tuple[int, ...]]:
    x = draw(arrays)
    return x, tuple(draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True)))


@st.composite
def that_broadcast(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(shapes)
    sides = [tuple(n if draw(st.booleans()) else 1 for n in shape) for _ in range(2)]
    return numbers(*sides[0][draw(st.integers(0, len(shape) - 1)) :]), numbers(*sides[1])


@few
@given(that_broadcast())
def test_broadcasting_is_that_of_numpy(pair: tuple[np.ndarray, np.ndarray]):
    x, y = pair
    np.testing.assert_allclose(apply("broadcast_sub", x, y)[0], x - y, rtol=1e-6)


@few
@given(that_broadcast())
def test_gradients_of_broadcasting_have_the_shapes_of_the_inputs(pair: tuple[np.ndarray, np.ndarray]):
    op = OPS["broadcast_mul"]
    gradients = jax.jit(jax.grad(lambda x, y: op.apply(op.bind({}), x, y)[0][0].sum(), (0, 1)))(*pair)
    for g, x, y in zip(gradients, pair, pair[::-1], strict=True):
        assert g.shape == x.shape
        np.testing.assert_allclose(g.sum(), (np.ones(np.broadcast_shapes(x.shape, y.shape)) * y).sum(), 1e-4, 1e-4)


@few
@given(with_axes(), st.booleans(), st.booleans())
def test_reductions(given_: tuple[np.ndarray, tuple[int, ...]], keepdims: bool, exclude: bool):
    x, axes = given_
    over = tuple(i for i in range(x.ndim) if i not in axes) if exclude else axes
    want = np.sum(x, axis=over or (), keepdims=keepdims)
    if exclude and not over:
        want = x
    got = apply("sum", x, axis=axes, keepdims=keepdims, exclude=exclude)[0]
    np.testing.assert_allclose(got, want.reshape(want.shape or (1,)), 1e-5, 1e-6)


@st.composite
def with_slices(draw: Any) -> tuple[np.ndarray, list[slice]]:
    x = draw(arrays)
    cuts = []
    for n in x.shape[: draw(st.integers(1, x.ndim))]:
        a = draw(st.integers(0, n - 1))
        b = draw(st.integers(a + 1, n))
        backwards = draw(st.booleans())
        cuts.append(slice(b - 1, a - 1 if a else None, -1) if backwards else slice(a, b, draw(st.sampled_from([1, 2]))))
    return x, cuts


@few
@given(with_slices())
def test_slices_are_those_of_python(given_: tuple[np.ndarray, list[slice]]):
    x, cuts = given_
    got = apply("slice", x, begin=tuple(c.start for c in cuts), end=tuple(c.stop for c in cuts),
                step=tuple(c.step for c in cuts))[0]  # fmt: skip
    np.testing.assert_array_equal(got, x[tuple(cuts)])


@few
@given(with_axis(), st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.sampled_from(["clip", "wrap"]))
def test_take(given_: tuple[np.ndarray, int], indices: list[int], mode: Any):
    x, axis = given_
    got = apply("take", x, np.array(indices, np.int32), axis=axis, mode=mode)[0]
    np.testing.assert_array_equal(got, np.take(x, indices, axis, mode=mode))


@few
@given(with_axis(), st.integers(1, 3))
def test_split_undoes_concat(given_: tuple[np.ndarray, int], parts: int):
    x, axis = given_
    if axis < 0:
        axis += x.ndim
    whole = apply("Concat", *[x + i for i in range(parts)], dim=axis)[0]
    for i, part in enumerate(apply("SliceChannel", whole, num_outputs=parts, axis=axis)):
        np.testing.assert_array_equal(part, x + i)


@few
@given(arrays, st.randoms())
def test_transposing_back(x: np.ndarray, random: Any):
    axes = list(range(x.ndim))
    random.shuffle(axes)
    there = apply("transpose", x, axes=tuple(axes))[0]
    np.testing.assert_array_equal(there, x.transpose(axes))
    np.testing.assert_array_equal(apply("transpose", there, axes=tuple(np.argsort(axes).tolist()))[0], x)


@few
@given(with_axis(), st.booleans())
def test_sort_argsort_and_topk_agree(given_: tuple[np.ndarray, int], ascending: bool):
    x, axis = given_
    ordered = apply("sort", x, axis=axis, is_ascend=ascending)[0]
    places = apply("argsort", x, axis=axis, is_ascend=ascending, dtype="int32")[0]
    np.testing.assert_array_equal(np.take_along_axis(x, places, axis), ordered)
    k = x.shape[axis]
    values, found = apply("topk", x, axis=axis, k=k, ret_typ="both", is_ascend=ascending)
    np.testing.assert_array_equal(values, ordered)
    np.testing.assert_array_equal(np.take_along_axis(x, found.astype(int), axis), ordered)
    np.testing.assert_array_equal(np.sort(x, axis) if ascending else -np.sort(-x, axis), ordered)


@few
@given(with_axis(), st.integers(1, 3))
def test_repeat_and_tile(given_: tuple[np.ndarray, int], n: int):
    x, axis = given_
    np.testing.assert_array_equal(apply("repeat", x, repeats=n, axis=axis)[0], np.repeat(x, n, axis))
    np.testing.assert_array_equal(apply("tile", x, reps=(n, 2))[0], np.tile(x, (n, 2)))


@few
@given(shapes, st.data())
def test_reshape_of_split_and_merged_axes(shape: tuple[int, ...], data: Any):
    """-4 splits an axis, -3 merges two, 0 keeps one, -2 the rest: there and back."""
    x = numbers(*shape)
    at = data.draw(st.integers(0, len(shape) - 1))
    n = shape[at]
    a = data.draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0]))
    split = apply("Reshape", x, shape=(*[0] * at, -4, a, -1, -2))[0]
    assert split.shape == (*shape[:at], a, n // a, *shape[at + 1 :])
    np.testing.assert_array_equal(apply("Reshape", split, shape=(*[0] * at, -3, -2))[0], x)


@few
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_dot_transposes(n: int, k: int, m: int, a: bool, b: bool):
    x, y = numbers(n, k), numbers(k, m)
    got = apply("dot", x.T if a else x, y.T if b else y, transpose_a=a, transpose_b=b)[0]
    np.testing.assert_allclose(got, x @ y, 1e-5, 1e-6)


@few
@given(st.tuples(st.integers(3, 7), st.integers(3, 7)), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1))
def test_pooling_and_convolution_count_positions_alike(size: tuple[int, int], kernel: int, stride: int, pad: int):
    pad = min(pad, kernel - 1)
    x, ones = numbers(1, 1, *size), np.ones((1, 1, kernel, kernel), np.float32)
    window = {"kernel": (kernel, kernel), "stride": (stride, stride), "pad": (pad, pad)}
    total = apply("Pooling", x, pool_type="sum", **window)[0]
    np.testing.assert_allclose(
        apply("Convolution", x, ones, num_filter=1, no_bias=True, **window)[0], total, 1e-4, 1e-5
    )


@few
@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 5))
def test_sequence_reverse_is_its_own_inverse(batch: int, rest: int, steps: int):
    x = numbers(steps, batch, rest)
    lengths = np.arange(batch, dtype=np.float32) % steps + 1
    there = apply("SequenceReverse", x, lengths, use_sequence_length=True)[0]
    np.testing.assert_array_equal(apply("SequenceReverse", there, lengths, use_sequence_length=True)[0], x)
    last = apply("SequenceLast", x, lengths, use_sequence_length=True)[0]
    np.testing.assert_array_equal(last, x[lengths.astype(int) - 1, np.arange(batch)])


# Second derivatives.

_POINTS = np.array([0.23, 0.41, 0.77])
#: Functions of one array that are defined in (0, 1), and those that need other points.
_UNARY = """abs square sqrt rsqrt cbrt rcbrt reciprocal exp expm1 log log10 log2 log1p sin cos tan arcsin arccos arctan
degrees radians sinh cosh tanh arcsinh arctanh gamma gammaln erf erfinv relu sigmoid softsign negative""".split()
SECOND: dict[str, tuple[str, dict[str, Any], float]] = {
    **{name: (name, {}, 0.0) for name in _UNARY},
    "arccosh": ("arccosh", {}, 1.0),
    "sin beyond pi": ("sin", {}, 4.0),
    **{f"{stem} with a number": (f"_{stem}_scalar", {"scalar": 1.7}, 0.0) for stem in (
        "power rpower div rdiv hypot mul maximum").split()},
    **{f"Activation {a}": ("Activation", {"act_type": a}, 0.0) for a in ("softrelu", "softsign", "tanh", "sigmoid")},
    # The slope of selu is not its derivative in MXNet, so a slope of that slope means nothing.
    **{f"LeakyReLU {a}": ("LeakyReLU", {"act_type": a}, -1.0) for a in ("elu", "gelu", "leaky")},
    "smooth_l1": ("smooth_l1", {"scalar": 1.0}, 0.0),
    "softmax": ("softmax", {}, 0.0),
    "log_softmax": ("log_softmax", {}, 0.0),
    "norm": ("norm", {}, 0.0),
    "prod": ("prod", {}, 0.0),
    "L2Normalization": ("L2Normalization", {}, 0.0),
}  # fmt: skip


@cache
def _derivatives() -> dict[str, Any]:
    """For every function the derivative of its derivative, and the difference quotient of that; one program for all."""
    step = 1e-5

    def both(name: str) -> tuple[jax.Array, jax.Array]:
        operator, attrs, shift = SECOND[name]
        op = OPS[operator]
        p = op.bind(attrs)
        weights = jnp.asarray([[1.0, -2.0, 0.5]])

        def f(x: jax.Array) -> jax.Array:
            y = op.apply(p, x)[0][0]
            return jnp.sum(weights[:, : y.shape[-1]] * y)

        def slope(x: jax.Array) -> jax.Array:
            return jnp.sum(jnp.asarray([[0.3, 1.0, -0.7]]) * jax.grad(f)(x))

        x = jnp.asarray(_POINTS + shift)[None]
        quotients = [(slope(x.at[0, i].add(step)) - slope(x.at[0, i].add(-step))) / (2 * step) for i in range(3)]
        return jax.grad(slope)(x)[0], jnp.stack(quotients)

    return jax.device_get(jax.jit(lambda: {n: both(n) for n in SECOND}, compiler_options=quick_compile())())


@pytest.mark.parametrize("name", SECOND)
def test_second_derivative(name: str):
    exact, quotient = _derivatives()[name]
    assert np.isfinite(exact).all()
    np.testing.assert_allclose(exact, quotient, 1e-6, 1e-7)


#: Functions of two arrays whose second derivatives are not 0.
@pytest.mark.parametrize("stem", ["mul", "div", "power", "hypot"])
def test_second_derivatives_by_both(stem: str):
    op = OPS[f"broadcast_{stem}"]

    def f(x: Any, y: Any) -> jax.Array:
        return jnp.sum(op.apply(op.bind({}), x, y)[0][0])

    pair = [jnp.asarray([0.7, 1.3]), jnp.asarray([[1.1, 0.6], [2.0, 0.9]])]
    for one, other in itertools.product((0, 1), repeat=2):
        slope = jax.jit(lambda x, y, i=one: jnp.sum(jax.grad(f, i)(x, y)))
        exact = jax.jit(jax.grad(slope, other))(*pair)
        for place in np.ndindex(*pair[other].shape):
            moved = [[p if i != other else p.at[place].add(h) for i, p in enumerate(pair)] for h in (1e-5, -1e-5)]
            np.testing.assert_allclose(exact[place], (slope(*moved[0]) - slope(*moved[1])) / 2e-5, 1e-6, 1e-7)
