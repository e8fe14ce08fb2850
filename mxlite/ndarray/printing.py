# SPDX-License-Identifier: Apache-2.0
"""How an array prints: numpy's text and a last line such as ``<NDArray 2x3 @cpu(0)>``."""

from __future__ import annotations

from .handle import Handle


def text(array: Handle) -> str:
    """The printed form of `array`. Waits until it is computed."""
    sizes = "x".join(map(str, array.shape))
    return f"\n{array.asnumpy()!s}\n<{type(array).__name__} {sizes} @{array.context}>"
