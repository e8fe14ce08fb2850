# SPDX-License-Identifier: Apache-2.0
"""Pictures in records: `pack_img`, `unpack_img`. Through opencv, or Pillow where there is no opencv."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ..base import MXNetError, nearest
from .header import IRHeader, pack, unpack
from .opencv import opencv

_JPEG, _PNG = (".jpg", ".jpeg"), (".png",)


def pack_img(header: IRHeader, img: Any, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """A record with a picture.

    Args:
        header: as for `pack`.
        img: uint8 (height, width, 3) in the order blue, green, red; or (height, width).
        quality: of a JPEG 1 to 100; of a PNG the compression, 0 to 9 (and 9 above).
        img_fmt: the ending that names the format.

    Raises:
        MXNetError: no picture, or a format that nothing here writes.
        ImportError: neither opencv nor Pillow is installed.

    Source: `mxnet.recordio.pack_img`.
    """
    return pack(header, encode(np.asarray(img), quality, img_fmt))


def unpack_img(s: Any, iscolor: int = -1) -> tuple[IRHeader, np.ndarray]:
    """The header and the picture of a record.

    Args:
        s: what `pack_img` made.
        iscolor: 1 for three colours, 0 for grey, -1 for what the picture has.

    Returns:
        The header, and the picture: uint8 (height, width, 3), blue first, or (height, width).

    Raises:
        MXNetError: the data is no picture that can be read; the message has the record's id.
        ImportError: neither opencv nor Pillow is installed.

    Source: `mxnet.recordio.unpack_img`.
    """
    header, data = unpack(s)
    try:
        return header, decode(data, iscolor)
    except MXNetError as e:
        raise MXNetError(f"record id={header.id}: {e}") from None


def encode(picture: np.ndarray, quality: int, fmt: str) -> bytes:
    """`picture`, blue first, as a file of the format `fmt`; see `pack_img`."""
    if picture.ndim not in (2, 3) or not picture.size or (picture.ndim == 3 and picture.shape[2] not in (1, 3, 4)):
        raise MXNetError(f"a picture is (height, width) or (height, width, 3), not {picture.shape}")
    kind = fmt.lower()
    if kind in _PNG:
        quality = min(quality, 9)
    cv2 = opencv()
    if cv2 is None:
        return _pillow_encode(picture, quality, kind)
    options = {_JPEG: [cv2.IMWRITE_JPEG_QUALITY, quality], _PNG: [cv2.IMWRITE_PNG_COMPRESSION, quality]}
    try:
        done, data = cv2.imencode(fmt, picture, next((o for names, o in options.items() if kind in names), []))
    except cv2.error as e:
        raise MXNetError(f"cannot write img_fmt={fmt!r}{nearest(fmt, (*_JPEG, *_PNG))} ({e.err})") from None
    if not done:
        raise MXNetError(f"opencv cannot write a picture {picture.shape} of {picture.dtype} as {fmt!r}")
    return data.tobytes()


def decode(data: Any, iscolor: int) -> np.ndarray:
    """The picture in the file `data`, blue first; see `unpack_img`."""
    cv2 = opencv()
    if cv2 is None:
        return _pillow_decode(data, iscolor)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), iscolor) if len(data) else None
    except cv2.error as e:
        raise MXNetError(f"{_told(data)} is no picture that opencv reads ({e.err})") from None
    if picture is None:
        raise MXNetError(f"{_told(data)} is no picture that opencv reads")
    return picture


def _told(data: Any) -> str:
    return f"data of {len(data)} bytes, beginning with {bytes(data[:8])!r}," if len(data) else "data of 0 bytes"


def _pillow() -> Any:
    """The module PIL.Image."""
    try:
        from PIL import Image
    except ImportError:
        problem = "pictures need opencv-python-headless or pillow, and neither is installed"
        raise ImportError(f"{problem}: pip install 'mxlite[image]'") from None
    return Image


def _pillow_encode(picture: np.ndarray, quality: int, kind: str) -> bytes:
    image = _pillow()
    formats = image.registered_extensions()
    if kind not in formats:
        raise MXNetError(f"cannot write img_fmt={kind!r}{nearest(kind, formats)}")
    rgb = picture if picture.ndim == 2 else picture[:, :, [2, 1, 0, 3][: picture.shape[2]]].squeeze()
    file = io.BytesIO()
    options = {"compress_level": quality} if kind in _PNG else {"quality": quality}
    image.fromarray(np.ascontiguousarray(rgb.astype(np.uint8))).save(file, formats[kind], **options)
    return file.getvalue()


def _pillow_decode(data: Any, iscolor: int) -> np.ndarray:
    image = _pillow()
    try:
        with image.open(io.BytesIO(data)) as picture:
            grey = iscolor == 0 or (iscolor < 0 and picture.mode in ("1", "L"))
            mode = "L" if grey else "RGBA" if iscolor < 0 and "A" in picture.mode else "RGB"
            pixels = np.array(picture.convert(mode))
    except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as e:
        raise MXNetError(f"{_told(data)} is no picture that Pillow reads ({e})") from None
    return pixels if grey else np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]])
