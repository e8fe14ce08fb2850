# SPDX-License-Identifier: Apache-2.0
"""Python values as JSON and back, exactly: numbers, text, containers and arrays; nothing that could run code.

JSON has no tuples, arrays or keys that are numbers. They are written as an object with one key that begins with ``$``:

    {"$tuple": [...]}                  {"$dict": [[key, value], ...]}             {"$float": "nan"}
    {"$array": "<base64 of zlib>", "dtype": "int64", "shape": [2, 3]}             numpy
    {"$number": {"$array": ...}}                                                  a numpy scalar
    {"$ndarray": {"$array": ...}, "ctx": ["cpu", 0]}                              an NDArray
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..context import Context
from ..ndarray import NDArray, from_host


def encode(value: Any, what: str = "the value") -> Any:
    """`value` as `json.dumps` takes it.

    Args:
        value: None, bool, int, float, text, a list, tuple or dict of such, a numpy array or scalar, or an NDArray.
        what: names it in errors.

    Raises:
        TypeError: it holds something else.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if type(value) is list:
        return [encode(item, f"{what}[{i}]") for i, item in enumerate(value)]
    if type(value) is tuple:
        return {"$tuple": [encode(item, f"{what}[{i}]") for i, item in enumerate(value)]}
    if isinstance(value, Mapping):
        pairs = [(key, encode(item, f"{what}[{key!r}]")) for key, item in value.items()]
        if all(type(key) is str and not key.startswith("$") for key, _ in pairs):
            return dict(pairs)
        return {"$dict": [[encode(key, f"a key of {what}"), item] for key, item in pairs]}
    if isinstance(value, NDArray):
        ctx = value.context
        return {"$ndarray": encode(value.asnumpy(), what), "ctx": [ctx.device_type, ctx.device_id]}
    if isinstance(value, np.generic) and value.dtype != object:
        return {"$number": encode(np.asarray(value), what)}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(value).tobytes(), 1)).decode("ascii")
        return {"$array": packed, "dtype": value.dtype.name, "shape": list(value.shape)}
    raise TypeError(f"{what} is of type {type(value).__name__}, which is no number, text, list, tuple, dict or array")


def decode(value: Any) -> Any:
    """What `encode` was given.

    Raises:
        ValueError: this is nothing that `encode` writes.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        if "$tuple" in value:
            return tuple(decode(item) for item in value["$tuple"])
        if "$dict" in value:
            return {decode(key): decode(item) for key, item in value["$dict"]}
        if "$float" in value:
            return float(value["$float"])
        if "$ndarray" in value:
            return from_host(decode(value["$ndarray"]), Context(*value["ctx"]))
        if "$number" in value:
            return decode(value["$number"])[()]
        if "$array" in value:
            raw = zlib.decompress(base64.b64decode(value["$array"], validate=True))
            # A copy: what comes from bytes cannot be written to.
            return np.frombuffer(raw, np.dtype(value["dtype"])).reshape(value["shape"]).copy()
    except (TypeError, KeyError, AttributeError, zlib.error) as e:
        raise ValueError(f"not an encoded value: {str(value)!r:.80}: {e!r}") from e
    return {key: decode(item) for key, item in value.items()}
