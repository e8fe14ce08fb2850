# SPDX-License-Identifier: Apache-2.0
"""`Augmenter`, the base class of what changes pictures, and lists of augmenters."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray


class Described:
    """What remembers the arguments that it was made with, and writes itself down.

    Args:
        kwargs: the arguments; arrays become lists.
    """

    def __init__(self, **kwargs: Any):
        self._kwargs = plain(kwargs)

    def dumps(self) -> Any:
        """The name of the class in lower case, and the arguments, as JSON."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])


def plain(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with lists in place of arrays."""
    return {name: _plain(value) for name, value in kwargs.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, NDArray):
        value = value.asnumpy()
    return value.tolist() if isinstance(value, np.ndarray) else value


class Augmenter(Described):
    """Changes pictures. A subclass defines `__call__`.

    Args:
        kwargs: what `dumps` shall tell.

    Some augmenters write into the picture that they are given: go on with what they return.

    Source: `mxnet.image.Augmenter`.
    """

    def __call__(self, src: NDArray) -> NDArray:
        """A picture made of `src`, (height, width, channel)."""
        raise NotImplementedError("Must override implementation.")


class _Several(Augmenter):
    """Augmenters that work one behind the other."""

    def __init__(self, ts: Sequence[Augmenter]):
        super().__init__()
        self.ts = ts

    def dumps(self) -> Any:
        """The name of the class in lower case, and what each of the augmenters dumps."""
        return [type(self).__name__.lower(), [t.dumps() for t in self.ts]]

    def __call__(self, src: NDArray) -> NDArray:
        """The work of all."""
        for t in self.ts:
            src = t(src)
        return src


class SequentialAug(_Several):
    """Augmenters in their order.

    Args:
        ts: a list of them.

    Source: `mxnet.image.SequentialAug`.
    """


class RandomOrderAug(_Several):
    """Augmenters in an order that is drawn for each picture, by `random.shuffle`, which sorts `ts` anew.

    Args:
        ts: a list of them.

    Source: `mxnet.image.RandomOrderAug`.
    """

    def __call__(self, src: NDArray) -> NDArray:
        """The work of all."""
        random.shuffle(self.ts)  # pyright: ignore[reportArgumentType]
        return super().__call__(src)
