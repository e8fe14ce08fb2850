# SPDX-License-Identifier: Apache-2.0
"""MXNet's array files: bytes to and from numpy. `mxlite.serialize.params` has the functions on NDArrays."""

from __future__ import annotations

from .array_bytes import Stored as Stored
from .array_bytes import read_array as read_array
from .array_bytes import read_list as read_list
from .array_bytes import write_array as write_array
from .array_bytes import write_list as write_list
from .atomic import atomic_write as atomic_write
from .atomic import read_file as read_file
