# SPDX-License-Identifier: Apache-2.0
"""From an operator's schema to a Python function: signature, documentation, and sorting the arguments of a call.

`mx.nd` and `mx.sym` make their functions with these, so that both take the same arguments and say the same.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mxlite_compiler.op import Op
from mxlite_compiler.params import describe

#: Methods of arrays and symbols that pass all their arguments to the operator of their name.
FLUENT = (
    "abs arccos arccosh arcsin arcsinh arctan arctanh argmax argmax_channel argmin argsort broadcast_axes "
    "broadcast_like cbrt ceil clip cos cosh degrees depth_to_space exp expm1 fix flip floor log log10 log1p log2 "
    "log_softmax max mean min nanprod nansum norm one_hot ones_like pad pick prod radians rcbrt reciprocal relu "
    "repeat reshape_like rint round rsqrt shape_array sigmoid sign sin sinh size_array slice slice_axis "
    "slice_like softmax softmin sort space_to_depth split sqrt square sum swapaxes take tan tanh tile topk "
    "transpose trunc zeros_like"
).split()


def signature(op: Op, array_type: str, *, method: bool = False) -> inspect.Signature:
    """The signature of the function of `op`.

    Args:
        op: the operator.
        array_type: how an array is called: "NDArray" or "Symbol".
        method: the first array is `self`.
    """
    P = inspect.Parameter
    if op.variadic:
        arrays = [P("data", P.VAR_POSITIONAL, annotation=array_type)]
        if method:
            arrays.insert(0, P("self", P.POSITIONAL_OR_KEYWORD))
        kind = P.KEYWORD_ONLY
    else:
        arrays = [P(n, P.POSITIONAL_OR_KEYWORD, default=None, annotation=array_type) for n in op.arrays]
        if method:
            arrays[0] = P("self", P.POSITIONAL_OR_KEYWORD)
        kind = P.POSITIONAL_OR_KEYWORD
    shown = [f for f in _fields(op) if f.name != op.variadic]
    params = [P(f.name, kind, default=_default(f), annotation=describe(op.param_types[f.name])) for f in shown]
    tail = [P("out", P.KEYWORD_ONLY, default=None), P("name", P.KEYWORD_ONLY, default=None)]
    return inspect.Signature([*arrays, *params, *tail], return_annotation=array_type)


def _fields(op: Op) -> list[dataclasses.Field[Any]]:
    return list(dataclasses.fields(op.params))


def _default(field: dataclasses.Field[Any]) -> Any:
    # Positional parameters may follow the optional arrays, so a required one shows None and is checked when called.
    return None if field.default is dataclasses.MISSING else field.default


def docstring(op: Op, array_type: str, name: str = "") -> str:
    """The documentation of the function of `op`, in Google style."""
    text = inspect.getdoc(op.kernel) or f"The operator {op.name}."
    lines = [text, "", "Args:"]
    if op.variadic:
        lines.append(f"    *data ({array_type}): the inputs.")
    for n in op.arrays:
        note = "; optional under some parameters" if n in op._drop else "; auxiliary state" if n in op.aux else ""
        lines.append(f"    {n} ({array_type}): input{note}.")
    for f in _fields(op):
        if f.name != op.variadic:
            need = "required" if f.default is dataclasses.MISSING else f"default {f.default!r}"
            lines.append(f"    {f.name} ({describe(op.param_types[f.name])}): {need}.")
    if array_type == "NDArray":
        lines.append("    out (NDArray): write the result there instead of into a new array.")
    lines += [
        "",
        "Raises:",
        "    MXNetError: a parameter is unknown, missing or illegal, or shapes or dtypes do not fit.",
    ]
    rule = op._shapes if isinstance(op._shapes, str) else ""
    if rule:
        lines += ["", f"Shapes: ``{rule}``"]
    also = [n for n in (op.name, *op.aliases) if n != name and not n.startswith("_sparse_")]
    if also:
        lines += ["", f"Also called: {', '.join(also)}."]
    return "\n".join(lines)


class Arguments:
    """Sorts the arguments of calls of one operator into arrays and attributes. Made once per function."""

    def __init__(self, op: Op, is_array: Callable[[Any], bool], array_type: str):
        self.op, self.is_array, self.array_type = op, is_array, array_type
        self.params = tuple(op.param_types)
        self.slots = (*op.arrays, *self.params)
        self.n_arrays = len(op.arrays)

    def sort(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any] | list[Any], dict[str, Any]]:
        """Arrays (a list for a variadic operator, else by name, absent ones left out) and attributes.

        Raises:
            AssertionError: something else stands where an array belongs, as in MXNet.
            TypeError: too many positional arguments, or one twice.
        """
        op = self.op
        if op.variadic:
            for x in args:
                self.check("data", x)
            return list(args), {k: v for k, v in kwargs.items() if v is not None or k in self.params}
        if len(args) > len(self.slots):
            raise TypeError(f"{op.name} takes at most {len(self.slots)} positional arguments, got {len(args)}")
        arrays: dict[str, Any] = {}
        attrs: dict[str, Any] = {}
        for i, value in enumerate(args):
            if i < self.n_arrays:
                if value is not None:
                    self.check(self.slots[i], value)
                    arrays[self.slots[i]] = value
            else:
                attrs[self.slots[i]] = value
        for key, value in kwargs.items():
            if key in arrays or key in attrs:
                raise TypeError(f"{op.name} got {key!r} twice")
            if key in op.arrays:
                if value is not None:
                    self.check(key, value)
                    arrays[key] = value
            else:
                attrs[key] = value
        return arrays, attrs

    def check(self, name: str, value: Any) -> None:
        """Raise AssertionError, MXNet's class for this, when `value` is no array."""
        if not self.is_array(value):
            raise AssertionError(
                f"{self.op.name}: argument {name} must be {self.array_type}, got {value!r:.80} ({type(value).__name__})"
            )
