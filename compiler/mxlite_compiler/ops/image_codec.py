# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures (JPEG, PNG, ...) to arrays: on the host, by OpenCV, or by Pillow where OpenCV is not installed.

How large a picture is, is known when it has been decoded, so graphs are cut at these operators, and none exports.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np

from ..errors import Mismatch, MXNetError, explain
from ..graph import Node
from ..op import Op, register_op
from ..shapes import DTypes, Shapes, join_shapes

Flag = Literal[0, 1]


def decode(data: bytes, flag: int, to_rgb: bool, what: str) -> np.ndarray:
    """The picture in `data` as uint8 (height, width, 3 or 1).

    Args:
        data: a file's content.
        flag: 1 for colours, 0 for gray.
        to_rgb: channels in the order red, green, blue instead of OpenCV's blue, green, red.
        what: the operator, for errors.

    Raises MXNetError when `data` is no whole picture that can be read, or there is no decoder.
    """
    if not data:
        raise MXNetError(explain("the buffer is empty", op=what, hint="give it the bytes of an image file"))
    try:
        import cv2
    except ImportError:
        return _decode_with_pillow(data, flag, to_rgb, what)
    flags = cv2.IMREAD_COLOR if flag else cv2.IMREAD_GRAYSCALE
    if not _upright(data):
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as e:
        raise _undecodable(data, what) from e
    if found is None:
        raise _undecodable(data, what)
    if not flag:
        return found[..., None]
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB) if to_rgb else found


def _upright(data: bytes) -> bool:
    """Whether a photograph is turned as its EXIF data tell: as in MXNet, only where they are the first in the file."""
    return data[:4] == b"\xff\xd8\xff\xe1"


def _decode_with_pillow(data: bytes, flag: int, to_rgb: bool, what: str) -> np.ndarray:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MXNetError(
            explain("decoding a picture needs OpenCV or Pillow", op=what, hint="pip install opencv-python-headless")
        ) from None
    try:
        picture = Image.open(io.BytesIO(data))
        if not flag:
            picture.draft("L", picture.size)  # the brightness that a JPEG stores, as OpenCV
        if _upright(data):
            picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        found = np.asarray(picture.convert("RGB" if flag else "L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise _undecodable(data, what) from e
    if not flag:
        return found[..., None]
    return found if to_rgb else np.ascontiguousarray(found[..., ::-1])


def _undecodable(data: bytes, what: str) -> MXNetError:
    return MXNetError(
        explain(
            f"decoding failed: the {len(data)} bytes that begin with {data[:8]!r} are no whole picture",
            op=what,
            hint="JPEG, PNG, BMP, TIFF and WebP can be read",
        )
    )


class Decoder(Op):
    """An operator whose kernel runs on the host and has no gradient."""

    host_hint = "decode pictures before the network, with mx.image or in the data iterator"

    def host_forward(
        self, node: Node, train: bool, inputs: Sequence[jax.Array], state: dict[Any, Any]
    ) -> tuple[Sequence[jax.Array], Sequence[jax.Array]]:
        """The picture."""
        ins = [x.shape for x in inputs]
        self.infer_shape(node.params, ins, [None], node.name)
        self.infer_dtype(node.params, [x.dtype.name for x in inputs], [None], node.name)
        return [self.kernel(*inputs, **vars(node.params))], ()

    def host_backward(
        self,
        node: Node,
        heads: Sequence[jax.Array],
        inputs: Sequence[jax.Array],
        outputs: Sequence[jax.Array],
        state: dict[Any, Any],
    ) -> Sequence[jax.Array | None]:
        """No gradient."""
        return [None] * len(inputs)


def imdecode(buf, *, flag: Flag = 1, to_rgb: bool = True):
    """The picture in a buffer (`mx.image.imdecode`). Waits for the buffer.

    Args:
        buf: (number of bytes,) uint8, the content of an image file.
        flag: 1 for colours, 0 for gray.
        to_rgb: channels in the order red, green, blue (default) or blue, green, red.

    Returns:
        (height, width, 3), or (height, width, 1) for gray, uint8.
    """
    return jax.numpy.asarray(decode(np.asarray(buf).tobytes(), flag, to_rgb, "_cvimdecode"))


def imread(*, filename: str, flag: Flag = 1, to_rgb: bool = True):
    """The picture in a file (`mx.image.imread`).

    Args:
        filename: its path.
        flag: 1 for colours, 0 for gray.
        to_rgb: channels in the order red, green, blue (default) or blue, green, red.

    Returns:
        (height, width, 3), or (height, width, 1) for gray, uint8.
    """
    return jax.numpy.asarray(decode(read(filename), flag, to_rgb, f"_cvimread of {filename!r}"))


def read(filename: str) -> bytes:
    """The content of a file. MXNetError when it cannot be read."""
    try:
        with open(filename, "rb") as f:
            return f.read()
    except OSError as e:
        raise MXNetError(explain(f"cannot open {filename!r}: {e.strerror}", op="_cvimread")) from e


def _picture(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if ins and ins[0] is not None and len(ins[0]) != 1:
        raise Mismatch(f"buf must have 1 dimension, got {ins[0]}")
    return ins, [join_shapes((0, 0, 3 if p.flag else 1), outs[0], "the output")]


def _bytes(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    for dtype in (*ins, *outs):
        if dtype not in (None, "uint8"):
            raise Mismatch(f"buffer and picture are uint8, got {dtype}")
    return ["uint8"] * len(ins), ["uint8"]


for _op in (Decoder("_cvimdecode", imdecode, host=True), Decoder("_cvimread", imread, host=True)):
    _op.infer(_picture)
    _op.infer_dtypes(_bytes)
    register_op(_op)
