# SPDX-License-Identifier: Apache-2.0
"""Axes as MXNet counts them, and errors that name the legal ones."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Mismatch
from ..params import Shape


def axis_of(axis: int, ndim: int, what: str = "axis") -> int:
    """`axis` counted from the front. Mismatch when an array of `ndim` dimensions has no such axis."""
    if not -ndim <= axis < ndim:
        raise Mismatch(f"{what}={axis} is out of range for {ndim} dimensions, legal are {-ndim} to {ndim - 1}")
    return axis % ndim


def axes_of(axes: Sequence[int], ndim: int, what: str = "axis") -> tuple[int, ...]:
    """`axes` counted from the front, in the given order. Mismatch when one is out of range or there twice."""
    found = tuple(axis_of(a, ndim, what) for a in axes)
    if len(set(found)) != len(found):
        raise Mismatch(f"{what}={tuple(axes)} names an axis twice")
    return found


def without(shape: Shape, axes: Sequence[int]) -> Shape:
    """`shape` without the sizes at `axes`, which count from the front."""
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def at(shape: Shape, axis: int, size: int) -> Shape:
    """`shape` with the size at `axis`, counted from the front, replaced by `size`."""
    return (*shape[:axis], size, *shape[axis + 1 :])
