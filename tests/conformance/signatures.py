# SPDX-License-Identifier: Apache-2.0
"""Whether every call that one signature allows is legal under another one.

Signatures of MXNet are texts, such as ``(data=None, out=None, **kwargs)``. ``_Null`` is MXNet's way to say that a
parameter was not given; ``<...>`` stands for a default that has no literal.
"""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from inspect import Parameter, Signature
from typing import Any


class Opaque(str):
    """A default that is only known by its text."""


@cache
def parse(text: str) -> Signature:
    """The signature that a text describes."""
    readable = re.sub(r"<[^<>]*>", lambda found: repr(found[0]), text)
    arguments = ast.parse(f"def f{readable}: pass").body[0].args  # type: ignore[attr-defined]
    positional = arguments.args
    defaults = [Parameter.empty] * (len(positional) - len(arguments.defaults)) + [_value(d) for d in arguments.defaults]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    params = [Parameter(a.arg, kind, default=d) for a, d in zip(positional, defaults, strict=True)]
    if arguments.vararg:
        params.append(Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        params.append(Parameter(a.arg, Parameter.KEYWORD_ONLY, default=Parameter.empty if d is None else _value(d)))
    if arguments.kwarg:
        params.append(Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(params)


def _value(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return Opaque(ast.unparse(node))
    return Opaque(value) if isinstance(value, str) and value.startswith("<") else value


def without_self(signature: Signature) -> Signature:
    """The signature as a bound method has it."""
    params = list(signature.parameters.values())
    return signature.replace(parameters=params[1:] if params and params[0].name in ("self", "cls", "_cls") else params)


def of(thing: Any) -> Signature | None:
    """The signature of a function or class, without annotations; None where Python knows none."""
    try:
        return inspect.signature(thing)
    except (TypeError, ValueError):
        return None


def problem(theirs: Signature, ours: Signature, *, operator: bool = False) -> str:
    """What a legal call of `theirs` may fail at under `ours`; empty when nothing.

    Args:
        theirs: the signature whose calls are wanted.
        ours: the signature that must take them.
        operator: ``**kwargs`` of `theirs` are the parameters of an operator, which `ours` names one by one.
    """
    mine = list(ours.parameters.values())
    more_positional = any(p.kind is Parameter.VAR_POSITIONAL for p in mine)
    more_keywords = any(p.kind is Parameter.VAR_KEYWORD for p in mine)
    places = [p for p in mine if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    named = {p.name: p for p in mine if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)}
    wanted = set()
    for i, p in enumerate(theirs.parameters.values()):
        if p.kind is Parameter.VAR_POSITIONAL:
            if not more_positional:
                return f"takes no *{p.name}"
        elif p.kind is Parameter.VAR_KEYWORD:
            if not more_keywords and not operator:
                return f"takes no **{p.name}"
        else:
            wanted.add(p.name)
            if p.name not in named:
                if not (more_keywords and more_positional):
                    return f"has no parameter {p.name}"
                continue
            if p.kind is Parameter.POSITIONAL_OR_KEYWORD and not more_positional:
                here = places[i].name if i < len(places) else "nothing"
                if here != p.name:
                    return f"takes {here} where MXNet has {p.name}"
            if not _defaults_agree(p.default, named[p.name].default):
                return f"{p.name} is {_told(named[p.name].default)}, in MXNet {_told(p.default)}"
    required = [p.name for p in named.values() if p.default is Parameter.empty and p.name not in wanted]
    return f"needs {', '.join(required)}, which MXNet does not have" if required and not more_positional else ""


def _defaults_agree(theirs: Any, ours: Any) -> bool:
    if theirs is Parameter.empty or theirs == "_Null" or isinstance(theirs, Opaque):
        return theirs is Parameter.empty or ours is not Parameter.empty
    if isinstance(theirs, list | tuple | dict) and not isinstance(ours, str):  # any sequence; None for an empty one
        theirs, ours = tuple(theirs), tuple(ours or ()) if ours is not Parameter.empty else ours
    return ours is not Parameter.empty and ours == theirs


def _told(default: Any) -> str:
    return "required" if default is Parameter.empty else f"{default!r} by default"
