# SPDX-License-Identifier: Apache-2.0
"""Files to pictures: `imread`, `imdecode`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mxlite_compiler.op import get_op
from mxlite_compiler.ops.image_codec import decode, read

from ..ndarray import NDArray
from .host import bind, deliver, pixels


def imread(filename: Any, *args: Any, **kwargs: Any) -> NDArray:
    """The picture in a file.

    Args:
        filename: its path.
        flag: 1 for colours (default), 0 for grey.
        to_rgb: the channels in the order red, green, blue (default), or blue first.
        out: write the picture there; it must have its shape.

    Returns:
        (height, width, 3), or (height, width, 1) for grey, uint8.

    Raises:
        MXNetError: the file cannot be opened, or has no picture that can be read.

    Source: `mxnet.image.imread`.
    """
    p, out = bind(get_op("_cvimread"), (os.fspath(filename), *args), kwargs)
    return deliver(decode(read(p.filename), p.flag, p.to_rgb, f"_cvimread of {p.filename!r}"), out, "_cvimread")


def imdecode(buf: Any, *args: Any, **kwargs: Any) -> NDArray:
    """The picture in the content of a file.

    Args:
        buf: bytes, bytearray, or an array of uint8.
        flag, to_rgb, out: as for `imread`.

    Returns:
        As `imread`.

    Raises:
        ValueError: `buf` is something else.
        MXNetError: it holds no picture that can be read.

    Source: `mxnet.image.imdecode`.
    """
    if isinstance(buf, NDArray | np.ndarray):
        data = pixels(buf).tobytes()
    elif isinstance(buf, bytes | bytearray):
        data = bytes(buf)
    else:
        legal = "bytes, bytearray, numpy.ndarray or NDArray"
        hint = "; imread reads a file" if isinstance(buf, str) else ""
        raise ValueError(f"buf must be of type {legal}, got {type(buf).__name__}{hint}")
    p, out = bind(get_op("_cvimdecode"), args, kwargs)
    return deliver(decode(data, p.flag, p.to_rgb, "_cvimdecode"), out, "_cvimdecode")
