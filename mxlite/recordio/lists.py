# SPDX-License-Identifier: Apache-2.0
"""Lists of pictures, ``.lst`` files: a line ``number, label, ..., path`` a picture, tabulators between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..base import MXNetError


class Listed(NamedTuple):
    """A picture in a list.

    Args:
        number: what the index and the header of its record call it.
        labels: one or several numbers.
        path: of the file, below a folder that the list does not tell.
    """

    number: int
    labels: tuple[float, ...]
    path: str

    def line(self) -> str:
        """As a line of a list."""
        return "\t".join([str(self.number), *(f"{x:f}" for x in self.labels), self.path]) + "\n"


def read_list(path: str) -> Iterator[Listed]:
    """The pictures of the list `path`; empty lines are left out.

    Raises:
        MXNetError: the file cannot be read, or a line is no line of a list; the message has its number.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as lines:
            for at, line in enumerate(lines, 1):
                if line.strip():
                    yield _parsed(line.rstrip("\n").split("\t"), f"{path!r}, line {at}")
    except OSError as e:
        raise MXNetError(f"cannot open {path!r}: {e.strerror or e}") from e


def _parsed(words: Sequence[str], where: str) -> Listed:
    words = [word.strip() for word in words]
    if len(words) < 3:
        raise MXNetError(f"{where}: expected number, label, ..., path with tabulators between, got {words!r:.100}")
    try:
        return Listed(int(words[0]), tuple(map(float, words[1:-1])), words[-1])
    except ValueError:
        problem = f"expected an integer and numbers before {words[-1]!r:.40}, got {words[:-1]!r:.80}"
        raise MXNetError(f"{where}: {problem}") from None
