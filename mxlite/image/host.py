# SPDX-License-Identifier: Apache-2.0
"""Pictures on the host: the functions of this package compute with numpy and opencv, and hand NDArrays around.

Every picture of a data set may have a size of its own, and a compiled program for each would cost more than its work.
An NDArray that is made here stays on the host until an operator, or a batch, takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from mxlite_compiler.op import Op

from ..base import MXNetError, explain
from ..context import cpu
from ..io.source import uploads
from ..ndarray import NDArray

Picture = TypeVar("Picture", NDArray, np.ndarray)


def pixels(src: Any, what: str = "src") -> np.ndarray:
    """The content of an array, for a caller that neither keeps nor changes it.

    Args:
        src: an NDArray, or a numpy array.
        what: the argument, for the error.

    Raises:
        AssertionError: it is neither, as in MXNet.
    """
    if isinstance(src, np.ndarray):
        return src
    if not isinstance(src, NDArray):
        raise AssertionError(f"{what} must be an NDArray (height, width, channel), got {type(src).__name__}")
    return np.asarray(src._cell.feed() if src._view is None else src._data)


def picture(host: np.ndarray) -> NDArray:
    """An NDArray on `mx.cpu()` around `host`, which nobody writes to any more."""
    return uploads([host], cpu())[0]


def like(src: Picture, host: np.ndarray) -> Picture:
    """`host` as an array of the kind of `src`."""
    return uploads([host], src.context)[0] if isinstance(src, NDArray) else host  # pyright: ignore[reportReturnType]


def overwrite(src: Picture, host: np.ndarray) -> Picture:
    """Put `host`, which nobody writes to any more and which has the dtype of `src`, into `src`.

    Raises:
        MXNetError: it has another shape.
    """
    if host.shape != src.shape:
        raise MXNetError(f"a picture of shape {src.shape} cannot be changed in place to one of shape {host.shape}")
    if isinstance(src, NDArray) and src._view is None:
        src._cell.write_host(host)
    else:
        src[:] = host
    return src


def size_of(host: np.ndarray, what: str) -> tuple[int, int]:
    """Height and width of a picture. MXNetError when it has not three dimensions or no pixels."""
    if host.ndim != 3 or not host.size:
        raise MXNetError(explain(f"a picture is (height, width, channel) with pixels, got {host.shape}", op=what))
    return host.shape[0], host.shape[1]


def bind(op: Op, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, NDArray | None]:
    """The typed parameters of an operator's call, and its `out`.

    Args:
        op: the operator.
        args: what stands behind the arrays: parameters in their order, `out`, `name`.
        kwargs: the same by name.

    Raises:
        MXNetError: a parameter is unknown, missing or illegal.
        TypeError: too many arguments, or one twice.
    """
    slots = (*op.param_types, "out", "name")
    if len(args) > len(slots):
        raise TypeError(f"{op.name} takes at most {len(slots)} arguments behind its arrays, got {len(args)}")
    given = dict(zip(slots, args, strict=False))
    if twice := given.keys() & kwargs.keys():
        raise TypeError(f"{op.name} got {', '.join(sorted(twice))} twice")
    given |= kwargs
    out = given.pop("out", None)
    given.pop("name", None)
    return op.bind(given), out


def deliver(host: np.ndarray, out: NDArray | None, what: str) -> NDArray:
    """`host` as an NDArray, or in `out`. MXNetError when `out` has another shape or dtype."""
    if out is None:
        return picture(host)
    if (out.shape, out.dtype) != (host.shape, host.dtype.type):
        problem = f"out is {out.shape} of {np.dtype(out.dtype)}, the result {host.shape} of {host.dtype}"
        raise MXNetError(explain(problem, op=what))
    return overwrite(out, host)
