# SPDX-License-Identifier: Apache-2.0
"""The three networks and their training step as one writes them in JAX and optax by hand, without mxlite.

One jitted function with donated state does everything that a batch of `Module.fit` does: forward, backward, SGD with
momentum and weight decay, the moving averages of BatchNorm, and the count of right answers. Parameters carry the
names and, in layout NCHW, the shapes of the Module's; layout NHWC is how JAX programs are usually written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cases import LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, Case

Params = dict[str, jax.Array]
# f(params, aux, images, layout) -> (scores, new aux)
Network = Callable[[Params, Params, jax.Array, str], tuple[jax.Array, Params]]


def dense(p: Params, name: str, x: jax.Array) -> jax.Array:
    return x @ p[f"{name}_weight"].T + p[f"{name}_bias"]


def conv(p: Params, name: str, x: jax.Array, layout: str, stride: int = 1, pad: int = 0) -> jax.Array:
    kernel = "OIHW" if layout == "NCHW" else "HWIO"
    x = jax.lax.conv_general_dilated(
        x, p[f"{name}_weight"], (stride, stride), [(pad, pad)] * 2, dimension_numbers=(layout, kernel, layout)
    )
    bias = p.get(f"{name}_bias")
    return x if bias is None else x + (bias[:, None, None] if layout == "NCHW" else bias)


def max_pool(x: jax.Array, layout: str) -> jax.Array:
    window = (1, 1, 2, 2) if layout == "NCHW" else (1, 2, 2, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")


def mlp(p: Params, aux: Params, x: jax.Array, layout: str) -> tuple[jax.Array, Params]:
    x = jax.nn.relu(dense(p, "fc1", x))
    x = jax.nn.relu(dense(p, "fc2", x))
    return dense(p, "fc3", x), aux


def lenet(p: Params, aux: Params, x: jax.Array, layout: str) -> tuple[jax.Array, Params]:
    for name in ("conv1", "conv2"):
        x = max_pool(jnp.tanh(conv(p, name, x, layout)), layout)
    x = jnp.tanh(dense(p, "fc1", x.reshape(len(x), -1)))
    return dense(p, "fc2", x), aux


def resnet(p: Params, aux: Params, x: jax.Array, layout: str, units: int = 3) -> tuple[jax.Array, Params]:
    axes = (0, 2, 3) if layout == "NCHW" else (0, 1, 2)
    moved = dict(aux)

    def bn_relu(x: jax.Array, name: str) -> jax.Array:
        mean = x.mean(axes, keepdims=True)
        var = ((x - mean) ** 2).mean(axes, keepdims=True)
        for kind, value in (("mean", mean), ("var", var)):
            key = f"{name}_bn_moving_{kind}"
            moved[key] = 0.9 * aux[key] + 0.1 * jax.lax.stop_gradient(value).reshape(-1)
        gamma, beta = (p[f"{name}_bn_{kind}"].reshape(mean.shape) for kind in ("gamma", "beta"))
        return jax.nn.relu((x - mean) * jax.lax.rsqrt(var + 2e-5) * gamma + beta)

    x = conv(p, "conv0", x, layout, pad=1)
    for stage in (1, 2, 3):
        for unit in range(1, units + 1):
            name, first = f"stage{stage}_unit{unit}", unit == 1 and stage > 1
            active = bn_relu(x, f"{name}_a")
            y = conv(p, f"{name}_conv1", active, layout, stride=2 if first else 1, pad=1)
            y = conv(p, f"{name}_conv2", bn_relu(y, f"{name}_b"), layout, pad=1)
            x = y + (conv(p, f"{name}_shortcut", active, layout, stride=2) if first else x)
    x = bn_relu(x, "final").mean(axes[1:])
    return dense(p, "fc", x), moved


NETWORKS: dict[str, Network] = {"mlp": mlp, "lenet": lenet, "resnet": resnet}


class Trainer:
    """A hand-written training loop.

    Args:
        case: what to train.
        params, aux: the starting weights and moving averages by the Module's names, in its layout.
        layout: ``NCHW`` or ``NHWC`` for images.
    """

    def __init__(
        self, case: Case, params: Mapping[str, np.ndarray], aux: Mapping[str, np.ndarray], layout: str = "NCHW"
    ) -> None:
        self.case, self.layout = case, layout
        decays = {name: name.endswith(("_weight", "_gamma")) for name in params}
        optimizer = optax.chain(
            optax.add_decayed_weights(WEIGHT_DECAY, decays), optax.sgd(LEARNING_RATE, momentum=MOMENTUM)
        )
        self.params: Any = {name: jnp.array(arranged(case, name, w, layout)) for name, w in params.items()}
        self.aux: Any = {name: jnp.array(w) for name, w in aux.items()}
        self.state = optimizer.init(self.params)
        network = NETWORKS[case.name]

        def loss(params: Params, aux: Params, x: jax.Array, y: jax.Array) -> tuple[jax.Array, tuple[jax.Array, Params]]:
            scores, aux = network(params, aux, x, layout)
            return optax.softmax_cross_entropy_with_integer_labels(scores, y.astype(jnp.int32)).mean(), (scores, aux)

        @partial(jax.jit, donate_argnums=(0, 1, 2, 3))
        def step(params: Params, aux: Params, state: Any, right: jax.Array, x: jax.Array, y: jax.Array) -> Any:
            grads, (scores, aux) = jax.grad(loss, has_aux=True)(params, aux, x, y)
            updates, state = optimizer.update(grads, state, params)
            right += (scores.argmax(1) == y).sum(dtype=jnp.int32)
            return optax.apply_updates(params, updates), aux, state, right

        self.step = step

    def epoch(self, images: np.ndarray, labels: np.ndarray) -> float:
        """One pass over the arrays, a batch at a time; returns the accuracy."""
        right, size = jnp.zeros((), jnp.int32), self.case.shape[0]
        for start in range(0, len(images), size):
            x, y = jax.device_put((images[start : start + size], labels[start : start + size]))
            self.params, self.aux, self.state, right = self.step(self.params, self.aux, self.state, right, x, y)
        jax.block_until_ready(self.params)
        return int(right) / len(images)


def channels_last(images: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W) as (N, H, W, C)."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def arranged(case: Case, name: str, weight: np.ndarray, layout: str) -> np.ndarray:
    """`weight` as a network of `layout` reads it."""
    if layout == "NCHW":
        return weight
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    if case.name == "lenet" and name == "fc1_weight":  # reads the flattened (C, 4, 4)
        return weight.reshape(len(weight), -1, 4, 4).transpose(0, 2, 3, 1).reshape(weight.shape)
    return weight
