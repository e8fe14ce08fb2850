# SPDX-License-Identifier: Apache-2.0
"""Colours of (height, width, channel) pictures: brightness, contrast, saturation, hue, lighting.

The factors are MXNet's: drawn evenly from [min_factor, max_factor], once a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch
from ..op import Mode, op
from ..params import Range
from ..shapes import Shapes, join_shapes
from .image import Floats, check_picture, to_integers
from .random import key_of

Factor = Annotated[float, Range(low=0)]
Change = Callable[[jax.Array, jax.Array], jax.Array]

#: The weights of red, green and blue in the brightness of a pixel (ITU-R BT.601).
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)

#: Principal components of the colours of ImageNet, scaled by the roots of their variances.
#: Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, 2012.
_LIGHTING = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
) * [55.46, 4.794, 1.148]  # fmt: skip


def _wide(data: jax.Array) -> jax.Array:
    return data.astype(jnp.float64 if data.dtype == jnp.float64 else jnp.float32)


def _brighter(x: jax.Array, factor: jax.Array) -> jax.Array:
    return x * factor


def _more_contrast(x: jax.Array, factor: jax.Array) -> jax.Array:
    gray = x @ _GRAY.astype(x.dtype) if x.shape[-1] == 3 else x
    return x * factor + (1 - factor) * jnp.mean(gray)


def _more_saturated(x: jax.Array, factor: jax.Array) -> jax.Array:
    # MXNet 1.9.1 keeps only the last term of the sum over red, green and blue.
    return x * factor + (1 - factor) * _GRAY[2].astype(x.dtype) * x[..., 2:] if x.shape[-1] == 3 else x


def _turned(x: jax.Array, factor: jax.Array) -> jax.Array:
    """Red, green, blue to hue, lightness, saturation, the hue turned by `factor` times the circle, and back."""
    if x.shape[-1] != 3:
        return x
    rgb = x / 255
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    high, low = jnp.max(rgb, -1), jnp.min(rgb, -1)
    spread, light = high - low, (high + low) / 2
    colored = spread > jnp.finfo(x.dtype).eps
    safe = jnp.where(colored, spread, 1)
    saturation = spread / jnp.where(colored, jnp.where(light < 0.5, high + low, 2 - high - low), 1)
    sector = jnp.where(high == r, (g - b) / safe, jnp.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4))
    sector = jnp.mod(sector + 6 * factor, 6)
    top = jnp.where(light <= 0.5, light * (1 + saturation), light + saturation - light * saturation)
    bottom = 2 * light - top

    def channel(shift: int) -> jax.Array:
        at = jnp.mod(sector + shift, 6)  # up in sector 0, high in 1 and 2, down in 3, low in 4 and 5
        return bottom + (top - bottom) * jnp.clip(jnp.minimum(at, 4 - at), 0, 1)

    turned = jnp.stack([channel(2), channel(0), channel(4)], -1)
    return jnp.where(colored[..., None], turned, light[..., None]) * 255


def _same_picture(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = join_shapes(ins[0], outs[0], "data")
    if shape is not None:
        check_picture(shape, (3,))
        if shape[2] not in (0, 1, 3):
            raise Mismatch(f"data must have 1 or 3 channels, got {shape[2]} in {shape}")
    return [shape], [shape]


def _factor_op(name: str, change: Change, what: str) -> None:
    def kernel(data, *, min_factor: Factor, max_factor: Factor, env: Mode):
        x = _wide(data)
        factor = min_factor + (max_factor - min_factor) * jax.random.uniform(key_of(env, name), dtype=x.dtype)
        return to_integers(change(x, factor), data.dtype)

    kernel.__doc__ = f"""{what}

    Args:
        data: (height, width, channel) with 1 or 3 channels.
        min_factor: the smallest factor, at least 0.
        max_factor: the largest factor.
    """
    op(name, "*s -> *s", random=True, dynamic=("min_factor", "max_factor"))(kernel).infer(_same_picture)


_factor_op("_image_random_brightness", _brighter, "Multiply a picture by a random factor.")
_factor_op("_image_random_contrast", _more_contrast, "Move a picture away from its mean brightness by a random factor.")
_factor_op(
    "_image_random_saturation",
    _more_saturated,
    "Scale a picture's colours by a random factor; MXNet blends with 0.114 times blue instead of the brightness.",
)
_factor_op("_image_random_hue", _turned, "Turn the hues of a picture by a random part of the circle; 1 is all of it.")


@op("_image_random_color_jitter", "*s -> *s", random=True, dynamic=("brightness", "contrast", "saturation", "hue"))
def random_color_jitter(data, *, brightness: float, contrast: float, saturation: float, hue: float, env: Mode):
    """Change brightness, contrast, saturation and hue of a picture, in random order.

    Args:
        data: (height, width, channel) with 1 or 3 channels.
        brightness: its factor is drawn from [1 - brightness, 1 + brightness].
        contrast: likewise.
        saturation: likewise.
        hue: the hue turns by a part of the circle drawn from [-hue, hue].
    """
    x = _wide(data)
    order, draws = jax.random.split(key_of(env, "_image_random_color_jitter"))
    by = jax.random.uniform(draws, (4,), x.dtype, -1, 1) * jnp.stack(
        [jnp.asarray(v, x.dtype) for v in (brightness, contrast, saturation, hue)]
    )
    changes = [
        lambda x: _brighter(x, 1 + by[0]),
        lambda x: _more_contrast(x, 1 + by[1]),
        lambda x: _more_saturated(x, 1 + by[2]),
        lambda x: _turned(x, by[3]),
    ]
    places = jax.random.permutation(order, 4)
    for i in range(4):
        x = jax.lax.switch(places[i], changes, x)
    return to_integers(x, data.dtype)


random_color_jitter.infer(_same_picture)


def _lit(data: jax.Array, alpha: jax.Array) -> jax.Array:
    if data.shape[-1] != 3:
        return data
    x = _wide(data)
    return to_integers(x + jnp.asarray(_LIGHTING, x.dtype) @ alpha.astype(x.dtype), data.dtype)


@op("_image_adjust_lighting", "*s -> *s")
def adjust_lighting(data, *, alpha: Floats):
    """Add multiples of the principal components of the colours of ImageNet.

    Args:
        data: (height, width, channel) with 1 or 3 channels; one channel stays as it is.
        alpha: three multiples.

    Source: Krizhevsky, Sutskever, Hinton 2012, section 4.1.
    """
    return _lit(data, jnp.asarray(alpha))


@adjust_lighting.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if len(p.alpha) != 3:
        raise Mismatch(f"alpha={p.alpha} must have three numbers")
    return _same_picture(p, ins, outs)


@op("_image_random_lighting", "*s -> *s", random=True, dynamic=("alpha_std",))
def random_lighting(data, *, alpha_std: float = 0.05000000074505806, env: Mode):
    """`image.adjust_lighting` with multiples from the normal distribution.

    Args:
        data: (height, width, channel) with 1 or 3 channels; one channel stays as it is.
        alpha_std: their standard deviation.
    """
    return _lit(data, alpha_std * jax.random.normal(key_of(env, "_image_random_lighting"), (3,)))


random_lighting.infer(_same_picture)
