# SPDX-License-Identifier: Apache-2.0
"""The functions of `mx.sym` that are made from operators: closures with a real signature and documentation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from mxlite_compiler.errors import nearest
from mxlite_compiler.op import OPS, Op

from .._frontend import Arguments, docstring, signature
from .compose import make_node, single
from .symbol import Symbol

#: What MXNet's functions take behind the parameters of an operator.
BEHIND = ("name", "attr", "out")


def make_function(op: Op, name: str) -> Callable[..., Symbol]:
    """The function `name` that makes a symbol calling `op`; `name` is also the hint for automatic names."""
    arguments = Arguments(op, lambda value: isinstance(value, Symbol), "a Symbol")
    hint = name.lower()
    n_slots = len(arguments.slots)

    def function(*args: Any, **kwargs: Any) -> Symbol:
        if not op.variadic and n_slots < len(args) <= n_slots + len(BEHIND):
            kwargs = {**dict(zip(BEHIND, args[n_slots:], strict=False)), **kwargs}
            args = args[:n_slots]
        label, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
        kwargs.pop("out", None)  # accepted, and ignored, as in MXNet
        given, attrs = arguments.sort(args, kwargs)
        keyword = {k: attrs.pop(k) for k in [k for k, v in attrs.items() if isinstance(v, Symbol)]}
        if isinstance(given, dict):
            keyword = {**given, **keyword}
            positional = []
        else:
            positional = [single(s.graph.entries, f"{op.name}: input {i}") for i, s in enumerate(given)]
        entries = {k: single(s.graph.entries, f"{op.name}: input {k!r}") for k, s in keyword.items()}
        return Symbol(make_node(op, hint, positional, entries, attrs, label, attr).entries())

    function.__name__ = function.__qualname__ = name
    function.__module__ = "mxlite.symbol"
    function.__doc__ = docstring(op, "Symbol", name)
    function.__signature__ = _with_attr(signature(op, "Symbol"))  # type: ignore[attr-defined]
    return function


def _with_attr(given: inspect.Signature) -> inspect.Signature:
    """A symbol's function takes the attributes `attr`, and further ones such as ``__lr_mult__`` as keywords."""
    P = inspect.Parameter
    return given.replace(parameters=[*given.parameters.values(), P("kwargs", P.VAR_KEYWORD)])


class Namespace:
    """The operators of one module, such as `mx.sym.contrib`: those whose name begins with `prefix`.

    Functions are made when they are first asked for, so importing is quick and operators that are registered later
    are found as well. A module uses it as ``__getattr__, __dir__ = Namespace(...).hooks()``.

    Args:
        module: the module's name, for errors.
        prefix: what the names of its operators begin with; "" for those that do not begin with an underscore.
        keeps_prefix: the functions keep the prefix in their names.
    """

    def __init__(self, module: str, prefix: str = "", *, keeps_prefix: bool = False):
        self.module, self.prefix, self.keeps_prefix = module, prefix, keeps_prefix
        self.made: dict[str, tuple[Op, Callable[..., Symbol]]] = {}

    def names(self) -> list[str]:
        """The names of all functions."""
        if not self.prefix:
            return sorted(n for n in OPS if not n.startswith("_"))
        cut = 0 if self.keeps_prefix else len(self.prefix)
        return sorted(n[cut:] for n in OPS if n.startswith(self.prefix))

    def get(self, name: str) -> Callable[..., Symbol]:
        """The function `name`. Raises AttributeError, with the nearest name, when there is no such operator."""
        keeps = self.keeps_prefix
        found = name.startswith("_") if keeps else bool(self.prefix) or not name.startswith("_")
        op = OPS.get(name if keeps else self.prefix + name) if found else None
        if op is None:
            raise AttributeError(f"module {self.module!r} has no operator {name!r}{nearest(name, self.names())}")
        if name not in self.made or self.made[name][0] is not op:
            self.made[name] = op, make_function(op, name)
        return self.made[name][1]

    def hooks(self) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
        """``__getattr__`` and ``__dir__`` for the module."""
        return self.get, self.names
