# SPDX-License-Identifier: Apache-2.0
"""UpSampling."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax.numpy as jnp

from ..errors import Mismatch
from ..op import Op, register_op
from ..params import Range, Shape
from ..shapes import Shapes
from .conv import deconvolution
from .window import agree


class _UpSampling(Op):
    """Bilinear mode has the inputs data and weight, nearest mode as many as `num_args` says."""

    def inputs(self, p: Any) -> tuple[str, ...]:
        return ("data", "weight") if p.sample_type == "bilinear" else super().inputs(p)


def _geometry(scale: int) -> tuple[Shape, Shape, Shape]:
    """Kernel, stride and padding of the transposed convolution that a bilinear upsampling is."""
    return (2 * scale - scale % 2,) * 2, (scale,) * 2, (scale // 2,) * 2


def _up_sampling(
    *data,
    scale: Annotated[int, Range(low=1)],
    num_filter: int = 0,
    sample_type: Literal["bilinear", "nearest"],
    multi_input_mode: Literal["concat", "sum"] = "concat",
    num_args: Annotated[int, Range(low=1)],
    workspace: int = 512,
):
    """Enlarge pictures by an integer factor.

    Args:
        data: (batch, channel, height, width). For ``nearest``, more of them may be given; each is brought to the size
            of the first one times `scale`. For ``bilinear``, a second input holds the weights of a transposed
            convolution, (channel, 1, k, k) with k = 2 * scale - scale % 2, which `mx.init.Bilinear` fills.
        scale: the factor.
        num_filter: the number of channels, for ``bilinear``.
        sample_type: ``nearest`` repeats pixels, ``bilinear`` interpolates.
        multi_input_mode: several inputs are concatenated along the channels, or added.
        num_args: how many inputs there are.
        workspace: accepted for compatibility.

    Example:
        >>> mx.nd.UpSampling(mx.nd.array([[[[1, 2]]]]), scale=2, sample_type="nearest")
        [[[[1. 1. 2. 2.]
           [1. 1. 2. 2.]]]]
        <NDArray 1x1x2x4 @cpu(0)>
    """
    if sample_type == "bilinear":
        kernel, stride, pad = _geometry(scale)
        x, weight = data
        return deconvolution.kernel(
            x, weight, kernel=kernel, stride=stride, pad=pad, num_filter=num_filter, num_group=num_filter
        )
    height = data[0].shape[2] * scale
    parts = []
    for x in data:
        factor = height // x.shape[2]
        parts.append(jnp.repeat(jnp.repeat(x, factor, 2), factor, 3))
    return sum(parts[1:], parts[0]) if multi_input_mode == "sum" else jnp.concatenate(parts, 1)


up_sampling = register_op(_UpSampling("UpSampling", _up_sampling))


@up_sampling.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    first = ins[0]
    if first is None:
        return ins, outs
    for name, shape in zip(up_sampling.inputs(p), ins, strict=True):
        if shape is not None and len(shape) != 4:
            raise Mismatch(f"{name} must be (batch, channel, height, width), got {shape}")
    n, c, *sizes = first
    out = (n, c, *(s * p.scale for s in sizes))
    if p.sample_type == "bilinear":
        data = agree("data", first, (0, p.num_filter, 0, 0))
        weight = agree("weight", ins[1], (p.num_filter, 1, *_geometry(p.scale)[0]))
        return [data, weight], [agree("output", outs[0], out)]
    channels = [c]
    for name, shape in zip(up_sampling.inputs(p)[1:], ins[1:], strict=True):
        if shape is None:
            return ins, outs
        agree(name, shape, (n, c if p.multi_input_mode == "sum" else 0, 0, 0))
        for goal, size in zip(out[2:], shape[2:], strict=True):
            if size and goal % size:
                raise Mismatch(f"{name} {shape} cannot be enlarged to {out[2:]} by a whole number")
        channels.append(shape[1])
    if p.multi_input_mode == "concat":
        out = (n, sum(channels) if all(channels) else 0, *out[2:])
    return ins, [agree("output", outs[0], out)]
