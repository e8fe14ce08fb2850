# SPDX-License-Identifier: Apache-2.0
"""Symbols without inputs of their own: variables, groups, constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mxlite_compiler.graph import Entry, Node
from mxlite_compiler.op import get_op
from mxlite_compiler.params import TYPE_FLAGS

from ..attribute import current_scope, stored_name
from ..base import as_dtype
from .compose import make_node
from .source import caller
from .symbol import Symbol

#: MXNet's numbers for storage types, as ``__storage_type__`` attributes hold them.
STORAGE_TYPES = {"default": 0, "row_sparse": 1, "csr": 2}


def var(
    name: str,
    attr: Mapping[str, str] | None = None,
    shape: Sequence[int] | None = None,
    lr_mult: float | None = None,
    wd_mult: float | None = None,
    dtype: Any = None,
    init: Any = None,
    stype: str | None = None,
    **kwargs: Any,
) -> Symbol:
    """A variable: an input, a parameter or an auxiliary state of a network.

    Args:
        name: its name; prefixes do not apply to it.
        attr: user attributes, texts.
        shape: its shape as far as it is known, 0 for an unknown size; shape inference starts from it.
        lr_mult: multiplies the learning rate.
        wd_mult: multiplies the weight decay.
        dtype: its dtype; type inference starts from it.
        init: its initializer, which beats the one given to `Module.init_params`.
        stype: "default", "row_sparse" or "csr".
        kwargs: further attributes; their names begin and end with two underscores.

    Raises:
        TypeError: the name is no text, or the dtype is none.
        ValueError: an attribute is no text, or its name has no underscores.

    Source: `mxnet.symbol.var`.
    """
    if not isinstance(name, str):
        raise TypeError(f"Expect a string for variable `name`, got {name!r}")
    attrs = current_scope().get(attr)
    options = {"shape": shape, "lr_mult": lr_mult, "wd_mult": wd_mult}
    attrs.update({f"__{key}__": str(value) for key, value in options.items() if value is not None})
    if dtype is not None:
        attrs["__dtype__"] = str(TYPE_FLAGS[as_dtype(dtype, f"Variable {name}").name])
    if init is not None:
        if not isinstance(init, str) and (isinstance(init, type) or not hasattr(init, "dumps")):
            raise TypeError(f"Variable {name}: init must be an initializer such as mx.init.Zero(), got {init!r:.80}")
        attrs["__init__"] = init if isinstance(init, str) else init.dumps()
    if stype is not None:
        if stype not in STORAGE_TYPES:
            raise KeyError(f"stype={stype!r} is none of {', '.join(STORAGE_TYPES)}")
        attrs["__storage_type__"] = str(STORAGE_TYPES[stype])
    for key, value in kwargs.items():
        if not (key.startswith("__") and key.endswith("__")):
            raise ValueError(
                f"Attribute name={key} is not supported. Additional attributes must start and end with double "
                f"underscores, e.g, __{key.strip('_') or 'yourattr'}__"
            )
        attrs[key] = str(value)
    for key, value in attrs.items():
        if not isinstance(value, str):
            raise ValueError(f"Set Attr only accepts string values, got {key}={value!r}")
    attrs = {stored_name(key): value for key, value in attrs.items()}  # the last of lr_mult and __lr_mult__ counts
    return Symbol([Entry(Node(None, name, attrs, origin=caller()))])


def Variable(name: str, *args: Any, **kwargs: Any) -> Symbol:
    """The same as `var`."""
    return var(name, *args, **kwargs)


def Group(symbols: Sequence[Symbol], create_fn: Any = Symbol) -> Symbol:
    """One symbol with the outputs of all of `symbols`.

    Raises:
        TypeError: `symbols` is empty or holds something else.

    Source: `mxnet.symbol.Group`.
    """
    symbols = list(symbols)
    if not symbols or any(not isinstance(s, Symbol) for s in symbols):
        raise TypeError(f"Expected a list of symbols as input, got {symbols!r}")
    return create_fn([e for s in symbols for e in s.graph.entries])


def _dtype(dtype: Any) -> Any:
    return "float32" if dtype is None else dtype


def _constant(op: str, attrs: dict[str, Any], name: str | None, kwargs: Mapping[str, Any]) -> Symbol:
    others = dict(kwargs)
    attr = others.pop("attr", None)
    return Symbol(make_node(get_op(op), op, (), {}, {**attrs, **others}, name, attr).entries())


def zeros(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Zeros of the given shape; a size of 0 is unknown and left to shape inference.

    Args:
        shape: a number or a tuple.
        dtype: float32 by default.
        kwargs: `name`, `attr`, `ctx`.
    """
    return _constant("_zeros", {"shape": shape, "dtype": _dtype(dtype)}, kwargs.pop("name", None), kwargs)


def ones(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Ones of the given shape; see `zeros`."""
    return _constant("_ones", {"shape": shape, "dtype": _dtype(dtype)}, kwargs.pop("name", None), kwargs)


def full(shape: Any, val: float, dtype: Any = None, **kwargs: Any) -> Symbol:
    """An array that holds `val` everywhere; see `zeros`."""
    attrs = {"shape": shape, "dtype": _dtype(dtype), "value": float(val)}
    return _constant("_full", attrs, kwargs.pop("name", None), kwargs)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    name: str | None = None,
    dtype: Any = None,
) -> Symbol:
    """Evenly spaced numbers, each `repeat` times; ``arange(5)`` counts from 0 to 4.

    Args:
        infer_range: take the end from the shape that inference finds.
        dtype: float32 by default.
    """
    attrs = {"start": start, "stop": stop, "step": step, "repeat": repeat, "infer_range": infer_range}
    return _constant("_arange", {**attrs, "dtype": _dtype(dtype)}, name, {})


def linspace(
    start: float, stop: float, num: int, endpoint: bool = True, name: str | None = None, dtype: Any = None
) -> Symbol:
    """`num` evenly spaced numbers from `start` to `stop`, which is left out without `endpoint`."""
    attrs = {"start": start, "stop": stop, "num": num, "endpoint": endpoint, "dtype": _dtype(dtype)}
    return _constant("_linspace", attrs, name, {})


def eye(N: int, M: int = 0, k: int = 0, dtype: Any = None, **kwargs: Any) -> Symbol:
    """`N` rows and `M` (0: as many) columns with ones on diagonal `k`."""
    attrs = {"N": N, "M": M, "k": k, "dtype": _dtype(dtype)}
    return _constant("_eye", attrs, kwargs.pop("name", None), kwargs)
