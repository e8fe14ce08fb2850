# SPDX-License-Identifier: Apache-2.0
"""Files that are either the old one or the new one, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable
from typing import Any, BinaryIO

from .errors import MXNetError

Bytes = bytes | bytearray | memoryview


def atomic_write(path: str | os.PathLike[str], data: Bytes | Iterable[Bytes]) -> None:
    """Replace the file `path` by `data`, or leave it as it is.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and then renamed over `path`.
    An exception on the way, a KeyboardInterrupt included, removes the temporary file; a killed process can leave one
    (``.NAME.*.tmp``) behind, never a damaged `path`. A symbolic link is followed, so the file it points to is replaced.
    Something that is no regular file, such as ``/dev/stdout``, is written to directly.

    Args:
        path: where to write.
        data: the content, or its pieces in order.

    Raises:
        MXNetError: the file cannot be written; the system's reason is told.
    """
    chunks: Iterable[Any] = (data,) if isinstance(data, Bytes) else data
    target = os.path.realpath(os.fspath(path))
    try:
        if _is_special(target):
            with open(target, "wb") as file:
                file.writelines(chunks)
            return
        _replace(target, chunks)
    except OSError as e:
        raise MXNetError(f"cannot write {os.fspath(path)!r}: {e.strerror or e}") from e


def _is_special(target: str) -> bool:
    """Whether `target` exists and is neither a file nor a folder."""
    try:
        mode = os.stat(target).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _replace(target: str, chunks: Iterable[Bytes]) -> None:
    folder, name = os.path.split(target)
    if os.path.isdir(target):
        raise IsADirectoryError(0, "it is a folder")
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name[:64]}.", suffix=".tmp", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.writelines(chunks)
            file.flush()
            _take_mode(file, target)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        # Ctrl-C may come when the file has its new name already.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _take_mode(file: BinaryIO, target: str) -> None:
    """Give `file` the permissions that `target` has, or would have had if it had been opened for writing."""
    if os.name != "posix":
        return
    try:
        mode = stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        # The umask can only be read by setting it. 0o077 in between can make another thread's new file too
        # private, never too public.
        mask = os.umask(0o077)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.fchmod(file.fileno(), mode)


def _sync_folder(folder: str) -> None:
    """Ask the system to keep the new name through a power cut; some file systems cannot."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)
