# SPDX-License-Identifier: Apache-2.0
"""The record of a checkpoint: a small text file, written last, that says which files belong to it and what they hold.

A checkpoint without a record, or whose files are not those that the record names, is not complete. So a run that is
killed at any moment leaves complete checkpoints and incomplete ones, and nothing in between.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..base import MXNetError
from ..serialize import atomic_write, read_file
from .values import decode, encode

_FORMAT = 1


class Incomplete(MXNetError):
    """A checkpoint that cannot be resumed from: a file is missing, or is not the one that was written."""


class Record(NamedTuple):
    """What is in ``PREFIX-0003.resume.json``.

    Attributes:
        epoch: how many epochs are done.
        files: ``{name: (bytes, SHA-256)}`` of the other files, in the same folder.
        state: whatever else the training needs, by name; see `state.py`.
    """

    epoch: int
    files: Mapping[str, tuple[int, str]]
    state: Mapping[str, Any]


def describe(paths: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Name, size and SHA-256 of files that have just been written. MXNetError when one cannot be read."""
    return {os.path.basename(path): _digest(path) for path in paths}


def _digest(path: str) -> tuple[int, str]:
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), found
    except OSError as e:
        raise MXNetError(f"cannot open {path!r}: {e.strerror or e}") from e


def write(path: str, record: Record) -> None:
    """Write a record, atomically: with it the checkpoint is complete."""
    files = {name: {"bytes": size, "sha256": digest} for name, (size, digest) in record.files.items()}
    state = {key: encode(value, key) for key, value in record.state.items()}
    text = json.dumps({"format": _FORMAT, "epoch": record.epoch, "files": files, "state": state}, indent=1)
    atomic_write(path, text.encode() + b"\n")


def read(path: str) -> Record:
    """Read a record, and look whether its files are there, whole.

    Raises:
        Incomplete: they are not, or the record itself is damaged.
    """
    try:
        found = json.loads(read_file(path))
        if found["format"] != _FORMAT:
            raise Incomplete(f"{path!r} has format {found['format']!r}, this version reads {_FORMAT}")
        files = {name: (int(entry["bytes"]), str(entry["sha256"])) for name, entry in found["files"].items()}
        state = {key: decode(value) for key, value in found["state"].items()}
        record = Record(int(found["epoch"]), files, state)
    except Incomplete:
        raise
    except (MXNetError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise Incomplete(f"{path!r} is damaged: {e}") from e
    folder = os.path.dirname(path)
    for name, expected in record.files.items():
        _check(os.path.join(folder, name), expected)
    return record


def _check(path: str, expected: tuple[int, str]) -> None:
    try:
        size = os.stat(path).st_size
    except OSError as e:
        raise Incomplete(f"{path!r} is missing: {e.strerror or e}") from e
    if size != expected[0]:
        raise Incomplete(f"{path!r} has {size} bytes, written were {expected[0]}")
    if _digest(path) != expected:
        raise Incomplete(f"{path!r} has other bytes than were written")
