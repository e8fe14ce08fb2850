# SPDX-License-Identifier: Apache-2.0
"""The header of a record of data: `IRHeader`, `pack`, `unpack`."""

from __future__ import annotations

import numbers
import struct
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError

_FORMAT = struct.Struct("<IfQQ")


class HeaderError(MXNetError, ValueError, struct.error):
    """A header with a number that does not fit, or bytes that are no header."""


class IRHeader(NamedTuple):
    """What stands before the data of a record.

    Args:
        flag: how many numbers the label has, when it is a vector; 0 for a single one. `pack` sets it.
        label: a number, or a vector of them; stored as float32.
        id: the number of the record, below 2^64.
        id2: a second one, 0 by custom.

    Source: `mxnet.recordio.IRHeader`.
    """

    flag: int
    label: Any
    id: int
    id2: int

    def __repr__(self) -> str:
        return f"HEADER(flag={self.flag!r}, label={self.label!r}, id={self.id!r}, id2={self.id2!r})"


def pack(header: IRHeader | tuple[Any, ...], s: bytes) -> bytes:
    """The bytes of a record: header, label, data.

    Args:
        header: an `IRHeader` or a tuple alike. Its flag is not looked at.
        s: the data.

    >>> pack(IRHeader(0, 4.0, 2574, 0), b"data").hex(" ", 8)
    '0000000000008040 0e0a000000000000 0000000000000000 64617461'

    Raises:
        HeaderError: (an MXNetError, ValueError and struct.error) an id that is no integer below 2^64.
        TypeError: `s` is not bytes.

    Source: `mxnet.recordio.pack`.
    """
    if not isinstance(s, bytes | bytearray | memoryview):
        raise TypeError(f"the data of a record is bytes, got {type(s).__name__}")
    header = IRHeader(*header)
    if isinstance(header.label, numbers.Number):
        flag, label, vector = 0, header.label, b""
    else:
        values = np.asarray(header.label, np.dtype("<f4"))
        flag, label, vector = values.size, 0, values.tobytes()
    try:
        return _FORMAT.pack(flag, label, header.id, header.id2) + vector + s
    except (struct.error, OverflowError) as e:
        problem = f"label={header.label!r:.40}, id={header.id!r:.40}, id2={header.id2!r:.40} do not fit into a header"
        raise HeaderError(f"{problem}: a label is a float32, an id an integer from 0 to 2^64 - 1 ({e})") from None


def unpack(s: Any) -> tuple[IRHeader, Any]:
    """The header and the data of a record.

    Args:
        s: what `pack` made.

    Returns:
        The header, its label a float or, with a flag above 0, a float32 vector of that many numbers (read only); and
        the data, of the type of `s`.

    Raises:
        HeaderError: (an MXNetError, ValueError and struct.error) `s` is too short for what it claims.

    Source: `mxnet.recordio.unpack`.
    """
    if len(s) < _FORMAT.size:
        raise HeaderError(f"a record with a header has {_FORMAT.size} bytes at least, this one {len(s)}")
    header = IRHeader(*_FORMAT.unpack_from(s))
    start = _FORMAT.size
    if header.flag > 0:
        end = start + 4 * header.flag
        if len(s) < end:
            problem = f"a label of {header.flag} numbers needs {end} bytes, the record has {len(s)}"
            raise HeaderError(f"record id={header.id}: {problem}")
        header = header._replace(label=np.frombuffer(s, np.dtype("<f4"), header.flag, start))
        start = end
    return header, s[start:]
