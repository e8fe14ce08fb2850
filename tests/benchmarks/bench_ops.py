# SPDX-License-Identifier: Apache-2.0
"""Operators that choose a form of their own, against the form that XLA or JAX would take by itself.

    python tests/benchmarks/bench_ops.py        # milliseconds, forward and forward + backward; the least of many runs

The choices in `conv.py`, `pool.py` and `norm.py` rest on these numbers: run it after an update of JAX.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mxlite_compiler import OPS, Mode

Function = Callable[..., jax.Array]


def least(f: Function, *arrays: jax.Array, seconds: float = 0.7) -> float:
    """Milliseconds of the fastest call of jitted `f`."""
    run = jax.jit(f)
    jax.block_until_ready(run(*arrays))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        jax.block_until_ready(run(*arrays))
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def both_ways(f: Function) -> Function:
    """The output of `f` and the gradients of its inputs."""

    def run(*arrays: jax.Array) -> Any:
        out, pull = jax.vjp(f, *arrays)
        return out, pull(jnp.ones_like(out))

    return run


def operator(name: str, **attrs: Any) -> Function:
    """The first output of an operator in training."""
    op = OPS[name]
    return lambda *arrays: op.apply(op.bind(attrs), *arrays, mode=Mode(train=True))[0][0]


def normal(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.RandomState(0).randn(*shape), jnp.float32)


def plain_convolution(
    x: jax.Array, w: jax.Array, stride: int, pad: int, groups: int, layout: str = "NCHW"
) -> jax.Array:
    order = [layout.index(a) for a in "NCHW"]
    there, back = [order.index(i) for i in range(4)], order
    y = jax.lax.conv_general_dilated(
        x.transpose(there), w, (stride, stride), [(pad, pad)] * 2, feature_group_count=groups,
        dimension_numbers=(layout, "OIHW", layout),
    )  # fmt: skip
    return y.transpose(back)


def plain_max_pool(x: jax.Array, kernel: int, stride: int, pad: int) -> jax.Array:
    pads = [(0, 0), (0, 0), (pad, pad), (pad, pad)]
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, kernel, kernel), (1, 1, stride, stride), pads)


def plain_batch_norm(x: jax.Array, gamma: jax.Array, beta: jax.Array, *_: jax.Array) -> jax.Array:
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + 1e-3) * gamma[:, None, None] + beta[:, None, None]


def cases() -> Iterator[tuple[str, Function, Function, list[jax.Array]]]:
    """Title, the operator, the plain form, inputs."""
    for n, c, size, out, kernel, stride, pad, groups in (
        (64, 20, 12, 50, 5, 1, 0, 1),
        (32, 16, 32, 16, 3, 1, 1, 1),
        (32, 64, 8, 64, 3, 1, 1, 1),
        (4, 256, 28, 256, 3, 1, 1, 256),
        (4, 64, 56, 64, 3, 2, 1, 64),
        (4, 128, 28, 128, 3, 1, 1, 2),
    ):
        mine = operator(
            "Convolution", kernel=(kernel,) * 2, stride=(stride,) * 2, pad=(pad,) * 2, num_filter=out,
            num_group=groups, no_bias=True,
        )  # fmt: skip
        arrays = [normal(n, c, size, size), normal(out, c // groups, kernel, kernel)]
        title = f"Convolution {n}x{c}x{size}x{size}, {out} of {kernel}x{kernel} by {stride}, {groups} groups"
        yield title, mine, partial(plain_convolution, stride=stride, pad=pad, groups=groups), arrays
        if groups == 1:
            nhwc = partial(plain_convolution, stride=stride, pad=pad, groups=1, layout="NHWC")
            yield f"{title}; plain in NHWC", mine, nhwc, arrays
    for n, c, size, kernel, stride, pad in ((64, 20, 24, 2, 2, 0), (16, 64, 56, 3, 2, 1), (16, 64, 28, 3, 1, 1)):
        mine = operator("Pooling", kernel=(kernel,) * 2, stride=(stride,) * 2, pad=(pad,) * 2)
        plain = partial(plain_max_pool, kernel=kernel, stride=stride, pad=pad)
        yield (
            f"Pooling max {n}x{c}x{size}x{size}, {kernel}x{kernel} by {stride}",
            mine,
            plain,
            [normal(n, c, size, size)],
        )
    for n, c, size in ((32, 16, 32), (32, 32, 16), (32, 64, 8)):
        arrays = [normal(n, c, size, size), *(jnp.ones(c, jnp.float32) for _ in range(4))]
        yield f"BatchNorm {n}x{c}x{size}x{size}", operator("BatchNorm", fix_gamma=False), plain_batch_norm, arrays


def main() -> None:
    print(f"jax {jax.__version__} on {jax.default_backend()}; ms, forward / forward + backward")
    for title, mine, plain, arrays in cases():
        np.testing.assert_allclose(mine(*arrays), plain(*arrays), rtol=1e-3, atol=1e-3)
        numbers = [least(g, *arrays) for f in (mine, plain) for g in (f, both_ways(f))]
        print(f"{title}: {numbers[0]:.2f} / {numbers[1]:.2f}; plain {numbers[2]:.2f} / {numbers[3]:.2f}", flush=True)


if __name__ == "__main__":
    main()
