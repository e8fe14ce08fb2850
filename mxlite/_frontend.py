# SPDX-License-Identifier: Apache-2.0
"""From an operator's schema to a Python function: signature, documentation, and sorting the arguments of a call.

`mx.nd` and `mx.sym` make their functions with these, so that both take the same arguments and say the same.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
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
    tail = [P(n, kind, default=None) for n in (("name", "attr", "out") if array_type == "Symbol" else ("out", "name"))]
    return inspect.Signature([*arrays, *params, *tail], return_annotation=array_type)


def _fields(op: Op) -> list[dataclasses.Field[Any]]:
    return list(dataclasses.fields(op.params))


def _default(field: dataclasses.Field[Any]) -> Any:
    # Positional parameters may follow the optional arrays, so a required one shows None and is checked when called.
    return None if field.default is dataclasses.MISSING else field.default


def docstring(op: Op, array_type: str, name: str = "") -> str:
    """The documentation of the function of `op`, in Google style: that of the kernel, with types and defaults.

    Args:
        op: the operator.
        array_type: how an array is called: "NDArray" or "Symbol".
        name: what the function is called; the other names are listed.
    """
    also = [n for n in (op.name, *op.aliases) if n != name and not n.startswith("_sparse_")]
    return _body(op, array_type) + (f"\n\nAlso called: {', '.join(also)}." if also else "")


@lru_cache(maxsize=4096)
def _body(op: Op, array_type: str) -> str:
    parts = sections(inspect.getdoc(op.kernel) or f"The operator {op.name}.")
    notes = argument_notes(parts.pop("Args", []))
    arguments = [_argument(f"*data ({array_type})", notes.get("args") or notes.get("data") or "the inputs.")]
    if not op.variadic:
        arguments = [_argument(f"{n} ({array_type}{_kind(op, n)})", notes.get(n, "")) for n in op.arrays]
    for f in _fields(op):
        if f.name != op.variadic:
            need = "required" if f.default is dataclasses.MISSING else f"default {f.default!r}"
            arguments.append(_argument(f"{f.name} ({describe(op.param_types[f.name])}, {need})", notes.get(f.name, "")))
    if array_type == "NDArray":
        arguments.append(_argument("out (NDArray)", "write the result there instead of into a new array."))
    raises = [*parts.pop("Raises", []), *_RAISES]
    example = parts.pop("Example", [])
    made = [("", parts.pop("")), ("Args", arguments), *parts.items(), ("Raises", raises), ("Example", example)]
    blocks = ["\n".join([f"{title}:", *lines] if title else lines) for title, lines in made if lines]
    if isinstance(op._shapes, str):
        blocks.append(f"Shapes: ``{op._shapes}``")
    return "\n\n".join(blocks)


_RAISES = ("    MXNetError: a parameter is unknown, missing or illegal, or shapes or dtypes do not fit.",)
_TITLES = ("Args:", "Returns:", "Raises:", "Example:")


def sections(text: str) -> dict[str, list[str]]:
    """The lines of a Google style docstring by section; "" is what stands before the first one."""
    found: dict[str, list[str]] = {"": []}
    lines = found[""]
    for line in text.splitlines():
        if line in _TITLES:
            lines = found.setdefault(line[:-1], [])
        else:
            lines.append(line)
    return {title: "\n".join(lines).strip("\n").splitlines() for title, lines in found.items()}


def argument_notes(lines: Sequence[str]) -> dict[str, str]:
    """What an Args section says about each argument; ``lhs, rhs: ...`` is about both."""
    notes: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        entry = _ENTRY.fullmatch(line)
        if entry:
            names = [n.strip("* ") for n in entry[1].split(",")]
            notes.update(dict.fromkeys(names, entry[2]))
        else:
            notes.update({n: f"{notes[n]} {line.strip()}" for n in names})
    return notes


_ENTRY = re.compile(r" {4}(\*?\w+(?:, \*?\w+)*): ?(.*)")


def _argument(head: str, note: str) -> str:
    """One entry of an Args section."""
    return textwrap.fill(f"{head}: {note}" if note else head, 110, initial_indent=" " * 4,
                         subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False)  # fmt: skip


def _kind(op: Op, name: str) -> str:
    return ", optional" if name in op._drop else ", auxiliary state" if name in op.aux else ""


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
            raise AssertionError(f"{self.op.name}: argument {name} must be {self.array_type}, got {_told(value)}")


def _told(value: Any) -> str:
    """A wrong value in a message: the numbers of an array would bury the sentence."""
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    if isinstance(value, list | tuple):
        inside = ", ".join(sorted({type(x).__name__ for x in value})) or "nothing"
        return f"a {kind} of {inside}; give arrays one by one, or with a star: f(*{kind})"
    return f"{kind} of shape {shape}" if isinstance(shape, tuple) else f"{value!r:.80} ({kind})"
