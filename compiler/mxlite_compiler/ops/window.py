# SPDX-License-Identifier: Apache-2.0
"""What convolution, deconvolution and pooling share: kernels, strides, paddings and layouts of sliding windows."""

from __future__ import annotations

import dataclasses

from ..errors import Mismatch
from ..params import Shape
from ..shapes import join_shapes

_DEFAULT_LAYOUTS = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


@dataclasses.dataclass(frozen=True)
class Window:
    """A sliding window over 1 to 3 spatial axes, every parameter given per axis.

    Attributes:
        layout: the meaning of the data's axes, such as ``NCHW``.
        kernel: sizes of the window.
        stride: steps.
        dilate: distances between the elements of the window.
        pad: elements added at both ends.
    """

    layout: str
    kernel: Shape
    stride: Shape
    dilate: Shape
    pad: Shape

    @property
    def ndim(self) -> int:
        """The number of spatial axes."""
        return len(self.kernel)

    @property
    def extent(self) -> Shape:
        """The sizes that the window spans, dilation included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilate, strict=True))

    @property
    def spatial(self) -> tuple[int, ...]:
        """The positions of the spatial axes in the layout."""
        return tuple(i for i, a in enumerate(self.layout) if a not in "NC")

    def canonical(self, shape: Shape | None) -> Shape | None:
        """`shape`, which is in the layout, with batch and channel in front."""
        if shape is None:
            return None
        if len(shape) != len(self.layout):
            raise Mismatch(
                f"a {self.ndim}-d kernel {self.kernel} needs {len(self.layout)}-d data ({self.layout}), got {shape}"
            )
        order = (self.layout.index("N"), self.layout.index("C"), *self.spatial)
        return tuple(shape[i] for i in order)

    def laid_out(self, shape: Shape) -> Shape:
        """The inverse of `canonical`."""
        spatial = iter(shape[2:])
        return tuple(shape[0] if a == "N" else shape[1] if a == "C" else next(spatial) for a in self.layout)

    def over(self, values: Shape, rest: int) -> Shape:
        """`values` of the spatial axes set among all axes of the layout; the others get `rest`."""
        spatial = iter(values)
        return tuple(rest if a in "NC" else next(spatial) for a in self.layout)


def window(kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = (), layout: str | None = None) -> Window:
    """The window with MXNet's defaults filled in. Mismatch when the parameters do not fit together."""
    n = len(kernel)
    if n not in _DEFAULT_LAYOUTS:
        raise Mismatch(f"kernel={kernel} must have 1, 2 or 3 sizes")
    layout = layout or _DEFAULT_LAYOUTS[n]
    if len(layout) != n + 2:
        raise Mismatch(f"layout={layout!r} does not fit the {n}-d kernel {kernel}")

    def per_axis(name: str, value: Shape, default: int) -> Shape:
        value = value or (default,) * n
        if len(value) != n:
            raise Mismatch(f"{name}={value} must have {n} sizes, as kernel={kernel} has")
        if min(value) < default:
            raise Mismatch(f"{name}={value} must be at least {default} on every axis")
        return value

    return Window(
        layout, per_axis("kernel", kernel, 1), per_axis("stride", stride, 1), per_axis("dilate", dilate, 1),
        per_axis("pad", pad, 0),
    )  # fmt: skip


def agree(name: str, given: Shape | None, wanted: Shape) -> Shape:
    """Both partial shapes joined; Mismatch tells the one that is given from the one that the rule wants."""
    try:
        return join_shapes(given, wanted, name) or wanted
    except Mismatch:
        text = str(tuple(wanted)).replace(" 0", " ?").replace("(0", "(?")
        raise Mismatch(f"{name} must have the shape {text}, got {given}") from None
