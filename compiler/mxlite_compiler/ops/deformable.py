# SPDX-License-Identifier: Apache-2.0
"""Convolutions whose kernels are bent: DeformableConvolution and ModulatedDeformableConvolution."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Range, Shape
from ..shapes import Shapes
from ._floats import floats
from ._pixels import Pixels, interpolate, wide
from .precision import precision
from .window import Window, agree, window

Positive = Annotated[int, Range(low=1)]


def _columns(data: jax.Array, offset: jax.Array, mask: jax.Array | None, w: Window, groups: int) -> jax.Array:
    """What every element of the kernel reads at every position: (batch, channel, elements, positions).

    Args:
        data: (batch, channel, height, width).
        offset: (batch, groups * elements * 2, h, w), y before x.
        mask: (batch, groups * elements, h, w), a factor for each, or None.
        w: the window.
        groups: how many parts of the channels have offsets of their own.
    """
    n, c, height, width = data.shape
    high, broad = offset.shape[2:]
    elements = math.prod(w.kernel)
    pixels = Pixels(n * groups, height, width)
    rows = wide(pixels.rows(data.reshape(n * groups, c // groups, height, width)))
    moved = wide(offset).reshape(n * groups, elements, 2, high, broad)

    def places(axis: int) -> jax.Array:
        """Where the unbent kernel reads along `axis`: (elements of that axis, positions of that axis)."""
        element = jnp.arange(w.kernel[axis], dtype=moved.dtype) * w.dilate[axis]
        return element[:, None] + jnp.arange((high, broad)[axis], dtype=moved.dtype) * w.stride[axis] - w.pad[axis]

    y = jnp.repeat(places(0), w.kernel[1], 0)[:, :, None] + moved[:, :, 0]
    x = jnp.tile(places(1), (w.kernel[0], 1))[:, None, :] + moved[:, :, 1]
    batch = jnp.arange(n * groups, dtype=jnp.int32).reshape(-1, 1, 1, 1)
    if mask is None:
        # The first version reads nothing outside the picture, and its edge, without a slope, between the last pixel and
        # one further.
        inside = (y >= 0) & (x >= 0) & (y < height) & (x < width)
        y, x = (jnp.where(a < size - 1, a, size - 1) for a, size in ((y, height), (x, width)))
        read = jnp.where(inside[..., None], interpolate(rows, pixels, batch, y, x), 0)
    else:
        factor = wide(mask).reshape(n * groups, elements, high, broad, 1)
        read = interpolate(rows, pixels, batch, y, x) * factor
    read = read.reshape(n, groups, elements, high * broad, -1)
    return read.transpose(0, 1, 4, 2, 3).reshape(n, c, elements, high * broad)


def _bent(data: Any, offset: Any, mask: Any, weight: Any, bias: Any, w: Window, groups: int, bent: int) -> jax.Array:
    """The convolution in `groups` groups of what the kernel reads, with `bent` groups of offsets."""
    columns = _columns(data, offset, mask, w, bent)
    n, filters = data.shape[0], weight.shape[0]
    columns = columns.reshape(n, groups, -1, columns.shape[3]).astype(data.dtype)
    kernels = weight.reshape(groups, filters // groups, -1)
    y = jnp.einsum("ngkp,gfk->ngfp", columns, kernels, precision=precision(data))
    y = y.reshape(n, filters, *offset.shape[2:])
    return y if bias is None else y + bias[:, None, None]


@op("_contrib_DeformableConvolution", drop={"bias": lambda p: p.no_bias})
def deformable_convolution(
    data,
    offset,
    weight,
    bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: Positive,
    num_group: Positive = 1,
    num_deformable_group: Positive = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    layout: Literal["NCDHW", "NCHW", "NCW"] | None = None,
):
    """A convolution that reads every element of its kernel at a place of its own (Dai et al. 2017).

    Values lie between pixels, bilinear; a place outside the picture reads 0.

    Args:
        data: (batch, channel, height, width).
        offset: (batch, 2 * num_deformable_group * kernel height * kernel width, h, w) for an output of h by w: by how
            much each element of the kernel is moved, y before x.
        weight: (num_filter, channel / num_group, *kernel).
        bias: (num_filter,); left out with `no_bias`.
        kernel: (height, width) of the kernel.
        stride: steps; 1 by default.
        dilate: distances between the elements of the kernel; 1 by default.
        pad: zeros added at both ends; 0 by default.
        num_filter: number of output channels.
        num_group: number of groups, each of which sees its own part of the channels.
        num_deformable_group: into how many parts the channels are cut that have offsets of their own.
        workspace: accepted for compatibility.
        no_bias: whether there is no `bias` input.
        layout: NCHW, the only one for a kernel of two sizes.

    Returns:
        (batch, num_filter, h, w).

    Example:
        >>> x, w = mx.nd.array([[[[0, 1], [2, 3]]]]), mx.nd.ones((1, 1, 1, 1))
        >>> half = mx.nd.ones((1, 2, 2, 2)) * 0.5
        >>> mx.nd.contrib.DeformableConvolution(x, half, w, kernel=(1, 1), num_filter=1, no_bias=True)
        [[[[1.5 2. ]
           [2.5 3. ]]]]
        <NDArray 1x1x2x2 @cpu(0)>
    """
    w = window(kernel, stride, dilate, pad)
    return _bent(data, offset, None, weight, bias, w, num_group, num_deformable_group)


@op("_contrib_ModulatedDeformableConvolution", drop={"bias": lambda p: p.no_bias})
def modulated_deformable_convolution(
    data,
    offset,
    mask,
    weight,
    bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: Positive,
    num_group: Positive = 1,
    num_deformable_group: Positive = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    im2col_step: Positive = 64,
    layout: Literal["NCDHW", "NCHW", "NCW"] | None = None,
):
    """`_contrib_DeformableConvolution` with a factor for every element that is read (Zhu et al. 2019).

    Between the picture and one pixel outside it, values fall to 0. MXNet has the gradient on a GPU only.

    Args:
        data: (batch, channel, height, width).
        offset: (batch, 2 * num_deformable_group * kernel height * kernel width, h, w), y before x.
        mask: (batch, num_deformable_group * kernel height * kernel width, h, w), the factors.
        weight: (num_filter, channel / num_group, *kernel).
        bias: (num_filter,); left out with `no_bias`.
        kernel: (height, width) of the kernel.
        stride: steps; 1 by default.
        dilate: distances between the elements of the kernel; 1 by default.
        pad: zeros added at both ends; 0 by default.
        num_filter: number of output channels.
        num_group: number of groups, each of which sees its own part of the channels.
        num_deformable_group: into how many parts the channels are cut that have offsets of their own.
        workspace: accepted for compatibility, as is `im2col_step`.
        no_bias: whether there is no `bias` input.
        im2col_step: see `workspace`.
        layout: NCHW, the only one for a kernel of two sizes.

    Returns:
        (batch, num_filter, h, w).
    """
    w = window(kernel, stride, dilate, pad)
    return _bent(data, offset, mask, weight, bias, w, num_group, num_deformable_group)


def _infer(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    w = window(p.kernel, p.stride, p.dilate, p.pad, p.layout)
    if w.ndim != 2:
        raise Mismatch(f"kernel={p.kernel} must be two sizes, (height, width)")
    if p.num_filter % p.num_group:
        raise Mismatch(f"num_filter={p.num_filter} must be a multiple of num_group={p.num_group}")
    masked = hasattr(p, "im2col_step")
    given = ins[2 if not masked else 3]
    data, out = ins[0] or (0,) * 4, outs[0] or (0,) * 4
    channels = given[1] * p.num_group if given is not None and len(given) == 4 else 0
    data = agree("data", data, (out[0], channels, 0, 0))
    for name in ("num_group", "num_deformable_group"):
        if data[1] % getattr(p, name):
            raise Mismatch(f"data has {data[1]} channels, which is not a multiple of {name}={getattr(p, name)}")
    sizes = []
    for n, e, s, pad in zip(data[2:], w.extent, w.stride, w.pad, strict=True):
        if n and n + 2 * pad < e:
            raise Mismatch(f"the kernel spans {w.extent}, dilation included, more than the padded data {data}")
        sizes.append((n + 2 * pad - e) // s + 1 if n else 0)
    out = agree("output", out, (data[0], p.num_filter, *sizes))
    read = p.num_deformable_group * math.prod(w.kernel)
    shapes: Shapes = [data if ins[0] or outs[0] or channels else None]
    names: list[tuple[str, Shape]] = [("offset", (out[0], 2 * read, *out[2:]))]
    if masked:
        names.append(("mask", (out[0], read, *out[2:])))
    names.append(("weight", (p.num_filter, data[1] // p.num_group, *w.kernel)))
    names.append(("bias", (p.num_filter,)))
    shapes += [agree(name, shape, wanted) for (name, wanted), shape in zip(names, ins[1:], strict=False)]
    return shapes, [out]


for _op in (deformable_convolution, modulated_deformable_convolution):
    _op.infer(_infer)
    _op.infer_dtypes(floats)
