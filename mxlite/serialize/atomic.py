# SPDX-License-Identifier: Apache-2.0
"""Reading a whole file and replacing a whole file, with errors in MXNet's class."""

from __future__ import annotations

import os

from mxlite_compiler._atomic import atomic_write as atomic_write
from mxlite_compiler.errors import MXNetError


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The content of the file `path`. MXNetError tells why it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as e:
        raise MXNetError(f"cannot open {os.fspath(path)!r}: {e.strerror or e}") from e
