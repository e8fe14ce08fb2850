# SPDX-License-Identifier: Apache-2.0
"""Types of command line arguments; a wrong one is told by argparse."""

from __future__ import annotations

import argparse

from mxlite_compiler.artefact import Dim
from mxlite_compiler.params import dtype_name


def named_shape(text: str) -> tuple[str, tuple[Dim, ...]]:
    """``data=batch,1,28,28`` as ("data", ("batch", 1, 28, 28))."""
    name, equals, sizes = text.partition("=")
    sizes = sizes.strip("()")
    items = [s.strip() for s in sizes.split(",")] if sizes.strip() else []
    if items and not items[-1]:
        items.pop()  # "(4,)"
    if not name or not equals or not all(i.isidentifier() or (i.isdecimal() and int(i) > 0) for i in items):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no shape: write NAME=SIZE,SIZE,... with numbers, or names for sizes that stay open"
        )
    return name, tuple(int(i) if i.isdecimal() else i for i in items)


def fixed_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``data=1,1,28,28`` as ("data", (1, 1, 28, 28))."""
    name, shape = named_shape(text)
    sizes = tuple(d for d in shape if isinstance(d, int))
    if len(sizes) < len(shape):
        raise argparse.ArgumentTypeError(f"{text!r}: every size must be a number here")
    return name, sizes


def named_dtype(text: str) -> tuple[str, str]:
    """``data=int32`` as ("data", "int32")."""
    name, equals, dtype = text.partition("=")
    try:
        if name and equals:
            return name, dtype_name(dtype)
        raise ValueError("write NAME=DTYPE")
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text!r}: {e}") from None


def number(text: str) -> int:
    """A number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no epoch number")
    return int(text)


def count(text: str) -> int:
    """A number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
