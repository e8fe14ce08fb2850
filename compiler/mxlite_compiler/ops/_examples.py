# SPDX-License-Identifier: Apache-2.0
"""Examples in the documentation of families: a row of a table each, with what MXNet 1.9.1 printed."""

from __future__ import annotations


def example(call: str, printed: str, shape: str = "") -> str:
    """The Example section of a docstring whose result is an array.

    Args:
        call: one expression.
        printed: the numbers of the array that it returns, as MXNet prints them.
        shape: the shape as MXNet prints it, such as ``2x3``; by default that of a vector.
    """
    shape = shape or str(len(printed.strip("[]").split()))
    return plain_example(call, f"{printed}\n<NDArray {shape} @cpu(0)>")


def plain_example(call: str, printed: str) -> str:
    """The Example section of a docstring."""
    lines = printed.replace("\n", "\n    ")
    return f"\nExample:\n    >>> {call}\n    {lines}\n"


def table(text: str) -> dict[str, list[str]]:
    """The rows of a table whose columns are separated by ``|``, by their first column."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return {name: cells for name, *cells in rows}
