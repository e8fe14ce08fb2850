# SPDX-License-Identifier: Apache-2.0
"""Files of records (`mx.recordio`): one binary file, read in order or by key, byte for byte as MXNet writes it."""

from __future__ import annotations

from .files import MXIndexedRecordIO as MXIndexedRecordIO
from .files import MXRecordIO as MXRecordIO
from .files import UseError as UseError
from .header import HeaderError as HeaderError
from .header import IRHeader as IRHeader
from .header import pack as pack
from .header import unpack as unpack
from .pictures import pack_img as pack_img
from .pictures import unpack_img as unpack_img
