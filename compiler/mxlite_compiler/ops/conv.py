# SPDX-License-Identifier: Apache-2.0
"""Convolution and Deconvolution over 1, 2 or 3 spatial axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import op
from ..params import Range, Shape
from ..shapes import Shapes
from .precision import precision
from .window import Window, agree, window

ConvLayout = Literal["NCDHW", "NCHW", "NCW", "NDHWC", "NHWC"]
Tuning = Literal["fastest", "limited_workspace", "off"]

#: A depthwise kernel of at most this many elements is unrolled on a CPU.
_UNROLL = 64


def _convolve(x: jax.Array, weight: jax.Array, w: Window, groups: int) -> jax.Array:
    """XLA's own convolution.

    Measured on XLA:CPU at the shapes of LeNet and ResNet-20 (`tests/benchmarks/bench_ops.py`): transposing NCHW data
    to NHWC and back costs what it gains, and the weight's gradient as im2col and one product, or as one product an
    element of the kernel, is at most 15 % faster at 3x3 kernels. So there is one form for all platforms.
    """
    kernel_layout = w.layout.replace("N", "O").replace("C", "I")
    return jax.lax.conv_general_dilated(
        x,
        weight,
        w.stride,
        [(n, n) for n in w.pad],
        rhs_dilation=w.dilate,
        dimension_numbers=(w.layout, kernel_layout, w.layout),
        feature_group_count=groups,
        precision=precision(x),
    )


def _split(x: jax.Array, weight: jax.Array, w: Window, groups: int) -> jax.Array:
    """One convolution a group."""
    axis = w.layout.index("C")
    parts = zip(jnp.split(x, groups, axis), jnp.split(weight, groups, w.layout.index("N")), strict=True)
    return jnp.concatenate([_convolve(a, b, w, 1) for a, b in parts], axis)


def _shift(x: jax.Array, weight: jax.Array, w: Window, groups: int) -> jax.Array:
    """A depthwise convolution as a sum of shifted, scaled copies of the data, which XLA fuses into one loop."""
    channel, spatial = w.layout.index("C"), w.spatial
    repeat = weight.shape[w.layout.index("N")] // groups
    if repeat > 1:
        x = jnp.repeat(x, repeat, channel)
    x = jnp.pad(x, [(n, n) for n in w.over(w.pad, 0)])
    counts = [(x.shape[a] - e) // s + 1 for a, e, s in zip(spatial, w.extent, w.stride, strict=True)]
    weight = jnp.moveaxis(weight, [w.layout.index("N"), channel, *spatial], range(x.ndim))[:, 0]
    total = None
    for at in itertools.product(*map(range, w.kernel)):
        start = w.over(tuple(i * d for i, d in zip(at, w.dilate, strict=True)), 0)
        size = w.over(tuple((n - 1) * s + 1 for n, s in zip(counts, w.stride, strict=True)), 0)
        limit = tuple(b + (n or x.shape[i]) for i, (b, n) in enumerate(zip(start, size, strict=True)))
        factor = weight[(slice(None), *at)].reshape([-1 if i == channel else 1 for i in range(x.ndim)])
        term = jax.lax.slice(x, start, limit, w.over(w.stride, 1)) * factor
        total = term if total is None else total + term
    return total  # type: ignore[return-value]


def _grouped(x: jax.Array, weight: jax.Array, w: Window, groups: int) -> jax.Array:
    """A convolution in `groups`, in the form that is fast on the platform it is compiled for.

    XLA:CPU runs grouped convolutions, and above all their gradients, in a generic loop: at 256 channels depthwise
    80 times slower than shifted copies, in 32 groups 140 times slower than separate convolutions (forward and
    backward). A GPU has kernels for them. `jax.lax.platform_dependent` decides when the program is lowered, so an
    exported one carries the right form for each of its platforms.
    """
    depthwise = groups == x.shape[w.layout.index("C")] and math.prod(w.kernel) <= _UNROLL

    def form(f: Callable[..., jax.Array]) -> Callable[[jax.Array, jax.Array], jax.Array]:
        return lambda a, b: f(a, b, w, groups)

    return jax.lax.platform_dependent(x, weight, cpu=form(_shift if depthwise else _split), default=form(_convolve))


def _with_bias(y: jax.Array, bias: jax.Array | None, w: Window) -> jax.Array:
    if bias is None:
        return y
    return y + bias.reshape([-1 if a == "C" else 1 for a in w.layout])


def _check_groups(num_filter: int, channels: int, groups: int) -> None:
    if num_filter % groups:
        raise Mismatch(f"num_filter={num_filter} must be a multiple of num_group={groups}")
    if channels % groups:
        raise Mismatch(f"data has {channels} channels, which is not a multiple of num_group={groups}")


def _size(shape: Shape | None, axis: int) -> int:
    """The size of `axis`, 0 where it is unknown."""
    return shape[axis] if shape is not None and axis < len(shape) else 0


@op("Convolution", drop={"bias": lambda p: p.no_bias})
def convolution(
    data,
    weight,
    bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: Annotated[int, Range(low=1)],
    num_group: Annotated[int, Range(low=1)] = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    cudnn_tune: Tuning | None = None,
    cudnn_off: bool = False,
    layout: ConvLayout | None = None,
):
    """Convolution (cross-correlation) with `num_filter` kernels.

    The output has ``(size + 2 * pad - (dilate * (kernel - 1) + 1)) // stride + 1`` positions on each spatial axis.

    Args:
        data: (batch, channel, *spatial), or as `layout` says.
        weight: (num_filter, channel / num_group, *kernel); with a channel-last layout
            (num_filter, *kernel, channel / num_group).
        bias: (num_filter,); left out with `no_bias`.
        kernel: sizes of the kernel; its length tells how many spatial axes there are.
        stride: steps; 1 by default.
        dilate: distances between the elements of the kernel; 1 by default.
        pad: zeros added at both ends; 0 by default.
        num_filter: number of output channels.
        num_group: number of groups, each of which sees its own part of the channels.
        workspace: accepted for compatibility, as are `cudnn_tune` and `cudnn_off`: XLA chooses.
        no_bias: whether there is no `bias` input.
        cudnn_tune: see `workspace`.
        cudnn_off: see `workspace`.
        layout: of data and output; NCW, NCHW or NCDHW by default.

    Example:
        >>> x, w = mx.nd.ones((1, 1, 3, 3)), mx.nd.ones((1, 1, 2, 2))
        >>> mx.nd.Convolution(x, w, no_bias=True, kernel=(2, 2), num_filter=1)
        [[[[4. 4.]
           [4. 4.]]]]
        <NDArray 1x1x2x2 @cpu(0)>
    """
    w = window(kernel, stride, dilate, pad, layout)
    y = _convolve(data, weight, w, 1) if num_group == 1 else _grouped(data, weight, w, num_group)
    return _with_bias(y, bias, w)


@convolution.infer
def _infer_convolution(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    w = window(p.kernel, p.stride, p.dilate, p.pad, p.layout)
    data, out = w.canonical(ins[0]), w.canonical(outs[0])
    _check_groups(p.num_filter, 0, p.num_group)
    if data is None and out is None:
        return ins, outs
    data, out = data or (0,) * (w.ndim + 2), out or (0,) * (w.ndim + 2)
    channels = data[1] or _size(ins[1], w.layout.index("C")) * p.num_group
    _check_groups(p.num_filter, channels, p.num_group)
    sizes, back = [], []
    for n, done, e, s, pad in zip(data[2:], out[2:], w.extent, w.stride, w.pad, strict=True):
        if n and n + 2 * pad < e:
            raise Mismatch(f"the kernel spans {w.extent}, dilation included, more than the padded data {ins[0]}")
        sizes.append((n + 2 * pad - e) // s + 1 if n else 0)
        back.append(done + e - 1 - 2 * pad if done and s == 1 else 0)  # other strides leave it open
    data = agree("data", data, (out[0], channels, *back))
    out = agree("output", out, (data[0], p.num_filter, *sizes))
    wanted = w.laid_out((p.num_filter, channels // p.num_group, *w.kernel))
    inferred: Shapes = [w.laid_out(data), agree("weight", ins[1], wanted)]
    if not p.no_bias:
        inferred.append(agree("bias", ins[2], (p.num_filter,)))
    return inferred, [w.laid_out(out)]


@op("Convolution_v1", drop={"bias": lambda p: p.no_bias})
def convolution_v1(
    data,
    weight,
    bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: Annotated[int, Range(low=1)],
    num_group: Annotated[int, Range(low=1)] = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    cudnn_tune: Tuning | None = None,
    cudnn_off: bool = False,
    layout: Literal["NCDHW", "NCHW", "NDHWC", "NHWC"] | None = None,
):
    """`Convolution` as MXNet had it before 0.9, kept for old models. The parameters are those of `Convolution`."""
    return convolution.kernel(
        data, weight, bias, kernel=kernel, stride=stride, dilate=dilate, pad=pad, num_filter=num_filter,
        num_group=num_group, layout=layout,
    )  # fmt: skip


convolution_v1.infer(_infer_convolution)


def _deconv_pads(w: Window, adj: Shape, target: Shape, sizes: Shape) -> list[tuple[int, int, int]]:
    """Per spatial axis: the size of the output, and how much of the full transposed convolution is cut at each end.

    A negative cut at the end adds rows. With `target` given, half of the surplus (rounded up) goes at the start.
    """
    result = []
    for i, (n, e, s, pad) in enumerate(zip(sizes, w.extent, w.stride, w.pad, strict=True)):
        full = s * (n - 1) + e
        if target:
            low = (full - target[i] + 1) // 2
            result.append((target[i], low, full - target[i] - low))
        else:
            extra = adj[i] if adj else 0
            result.append((full - 2 * pad + extra, pad, pad - extra))
    return result


@op("Deconvolution", drop={"bias": lambda p: p.no_bias})
def deconvolution(
    data,
    weight,
    bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    adj: Shape = (),
    target_shape: Shape = (),
    num_filter: Annotated[int, Range(low=1)],
    num_group: Annotated[int, Range(low=1)] = 1,
    workspace: int = 512,
    no_bias: bool = True,
    cudnn_tune: Tuning | None = None,
    cudnn_off: bool = False,
    layout: ConvLayout | None = None,
):
    """The transposed convolution: the gradient of a convolution with respect to its data.

    The output has ``stride * (size - 1) + dilate * (kernel - 1) + 1 - 2 * pad + adj`` positions on each spatial axis.

    Args:
        data: (batch, channel, *spatial), or as `layout` says.
        weight: (channel, num_filter / num_group, *kernel), or (channel, *kernel, num_filter / num_group).
        bias: (num_filter,); left out with `no_bias`, which is the default.
        kernel: sizes of the kernel.
        stride: by how much the output is finer than the data; 1 by default.
        dilate: distances between the elements of the kernel; 1 by default.
        pad: positions cut off at both ends; 0 by default.
        adj: positions added at the end, less than `stride`; 0 by default.
        target_shape: the spatial sizes of the output; overrides `pad` and `adj`.
        num_filter: number of output channels.
        num_group: number of groups.
        workspace: accepted for compatibility, as are `cudnn_tune` and `cudnn_off`.
        no_bias: whether there is no `bias` input.
        cudnn_tune: see `workspace`.
        cudnn_off: see `workspace`.
        layout: of data and output; NCW, NCHW or NCDHW by default.

    Example:
        >>> x, w = mx.nd.ones((1, 1, 2, 2)), mx.nd.ones((1, 1, 2, 2))
        >>> mx.nd.Deconvolution(x, w, kernel=(2, 2), num_filter=1)
        [[[[1. 2. 1.]
           [2. 4. 2.]
           [1. 2. 1.]]]]
        <NDArray 1x1x3x3 @cpu(0)>
    """
    w = window(kernel, stride, dilate, pad, layout)
    pads = _deconv_pads(w, adj, _target(target_shape), tuple(data.shape[a] for a in w.spatial))
    # Turned into a convolution of the stretched data with the mirrored kernel, its channel roles exchanged per group.
    weight = jax.lax.rev(weight, w.spatial)
    axis_in, axis_out = w.layout.index("N"), w.layout.index("C")
    if num_group > 1:
        parts = jnp.split(weight, num_group, axis_in)
        weight = jnp.concatenate(parts, axis_out)
    y = jax.lax.conv_general_dilated(
        data,
        weight,
        (1,) * w.ndim,
        [(e - 1 - low, e - 1 - high) for (_, low, high), e in zip(pads, w.extent, strict=True)],
        lhs_dilation=w.stride,
        rhs_dilation=w.dilate,
        dimension_numbers=(w.layout, w.layout.replace("N", "I").replace("C", "O"), w.layout),
        feature_group_count=num_group,
        precision=precision(data),
    )
    return _with_bias(y, bias, w)


def _target(target_shape: Shape) -> Shape:
    """A target of zeros means none."""
    return target_shape if any(target_shape) else ()


@deconvolution.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    w = window(p.kernel, p.stride, p.dilate, p.pad, p.layout)
    target = _target(p.target_shape)
    for name, value in (("adj", p.adj), ("target_shape", target)):
        if value and len(value) != w.ndim:
            raise Mismatch(f"{name}={value} must have {w.ndim} sizes, as kernel={w.kernel} has")
    for i, (a, s) in enumerate(zip(p.adj if not target else (), w.stride, strict=False)):
        if a >= s:
            raise Mismatch(f"adj={p.adj} must be less than stride={w.stride} on axis {i}")
    data, out = w.canonical(ins[0]), w.canonical(outs[0])
    _check_groups(p.num_filter, 0, p.num_group)
    if data is None and out is None:
        return ins, outs
    data, out = data or (0,) * (w.ndim + 2), out or (0,) * (w.ndim + 2)
    channels = data[1] or _size(ins[1], w.layout.index("N"))
    _check_groups(p.num_filter, channels, p.num_group)
    sizes = [0] * w.ndim
    if all(data[2:]):
        for i, (size, low, high) in enumerate(_deconv_pads(w, p.adj, target, data[2:])):
            if target and low + high < 0:
                raise Mismatch(f"target_shape={target} is larger than data {ins[0]} can give on axis {i}")
            if size < 1:
                raise Mismatch(f"pad={w.pad} cuts off more than there is of data {ins[0]} on axis {i}")
            sizes[i] = size
    data = agree("data", data, (out[0], channels, *data[2:]))
    out = agree("output", out, (data[0], p.num_filter, *sizes))
    wanted = w.laid_out((channels, p.num_filter // p.num_group, *w.kernel))
    inferred: Shapes = [w.laid_out(data), agree("weight", ins[1], wanted)]
    if not p.no_bias:
        inferred.append(agree("bias", ins[2], (p.num_filter,)))
    return inferred, [w.laid_out(out)]
