# SPDX-License-Identifier: Apache-2.0
"""``python -m mxlite._stubs``: write the ``.pyi`` files of the functions that are made from the operator table.

Editors and type checkers read them; nothing at run time does. ``--check`` writes nothing and fails when one is stale.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import keyword
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from mxlite_compiler.op import OPS, Op
from mxlite_compiler.params import DType

HEADER = """# SPDX-License-Identifier: Apache-2.0
# ruff: noqa
# Written by `make stubs` from the operator table; do not edit.
from collections.abc import Sequence
from typing import Any, Literal

"""


class Target(NamedTuple):
    """One stub file: the module, the prefix of its operators, how an array is called, and where that is."""

    module: str
    prefix: str
    array: str
    source: str
    #: Names that a higher layer puts there: (name, module, name in it).
    extra: tuple[tuple[str, str, str], ...] = ()


FILES = (
    ("save", "..serialize.params", "save"),
    ("load", "..serialize.params", "load"),
    ("load_frombuffer", "..serialize.params", "load_frombuffer"),
)
TARGETS = (
    Target("mxlite.ndarray", "", "NDArray", ".ndarray", (("Custom", "..operator", "custom"), *FILES)),
    Target("mxlite.ndarray.contrib", "_contrib_", "NDArray", ".ndarray"),
    Target("mxlite.ndarray.linalg", "_linalg_", "NDArray", ".ndarray"),
    Target("mxlite.symbol", "", "Symbol", ".symbol"),
    Target("mxlite.symbol.contrib", "_contrib_", "Symbol", ".symbol"),
    Target("mxlite.symbol.linalg", "_linalg_", "Symbol", ".symbol"),
    Target("mxlite.symbol.image", "_image_", "Symbol", ".symbol"),
)


def annotation(hint: Any) -> str:
    """The type of a parameter as a stub says it; tuples may be given as any sequence, or as one number."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is DType:
        return "Any"
    if origin is Annotated:
        return annotation(args[0])
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(annotation(a) for a in args))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is tuple:
        item = annotation(args[0])
        return f"Sequence[{item}] | {item}"
    return "None" if hint is type(None) else getattr(hint, "__name__", "Any")


def function(op: Op, name: str, array: str) -> str:
    """The stub of one operator's function."""
    arrays = ["*data: " + array] if op.variadic else [f"{n}: {array} | None = None" for n in op.arrays]
    params = []
    for f in dataclasses.fields(op.params):
        if f.name == op.variadic:
            continue
        required = f.default is dataclasses.MISSING
        hint = annotation(op.param_types[f.name])
        params.append(f"{f.name}: {hint}{' | None = None' if required else ' = ...'}")
    last = (
        ["out: Any = None", "name: str | None = None"]
        if array == "NDArray"
        else ["name: str | None = None", "attr: Any = None", "**kwargs: Any"]
    )
    star = [] if op.variadic else ["*"]
    one = not callable(op._outputs) and op._visible is None and len(op._outputs) == 1
    result = array if one or array == "Symbol" else "Any"
    return f"def {name}({', '.join([*arrays, *params, *star, *last])}) -> {result}: ..."


def method(op: Op, name: str, array: str) -> str:
    """The stub of one operator's fluent method."""
    text = function(op, name, array)
    if op.variadic:
        return text.replace("(", "(self, ", 1)
    first = f"{op.arrays[0]}: {array} | None = None"
    return text.replace(first, "self", 1)


def methods(array: str, module: str) -> str:
    """The stub of the class `Methods`, from which a type checker believes that arrays inherit their fluent methods."""
    fluent = importlib.import_module(f"{module}.fluent")
    owner = getattr(importlib.import_module(module), array)
    lines = [f"from .{array.lower()} import {array}", "", "class Methods:"]
    for name in sorted({*fluent.METHODS, *fluent.BY_HAND}):
        known = name in OPS and name not in fluent.BY_HAND
        text = method(OPS[name], name, array) if known else f"def {name}(self, *args: Any, **kwargs: Any) -> Any: ..."
        if hasattr(owner, name):
            lines.append(f"    {text}")
    return HEADER + "\n".join(lines) + "\n"


def stub(target: Target) -> str:
    """The text of one stub file."""
    module = importlib.import_module(target.module)
    path = Path(str(module.__file__))
    lines, known = [], set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and any(a.asname == a.name for a in node.names):
            lines.append(ast.unparse(node))
            known.update(a.name for a in node.names)
    if target.array not in known:
        lines.append(f"from {target.source} import {target.array} as {target.array}")
    for name, where, real in target.extra:
        lines.append(f"from {where} import {real} as {real}" + (f"\n{name} = {real}" if name != real else ""))
        known.add(name)
    for name, value in sorted(vars(module).items()):
        if (
            inspect.isfunction(value)
            and value.__module__ != target.module
            and name not in known
            and name in _aliases(path)
        ):
            lines.append(
                f"from .{value.__module__.removeprefix(target.module + '.')} import {value.__name__} as {name}"
            )
            known.add(name)
    functions = []
    for full, op in sorted(OPS.items()):
        name = full.removeprefix(target.prefix) if full.startswith(target.prefix) else ""
        if name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name) and name not in known:
            functions.append(function(op, name, target.array))
    return HEADER + "\n".join([*lines, "", *functions]) + "\n"


def _aliases(path: Path) -> set[str]:
    """Names that the module binds by plain assignment, such as ``true_divide = divide``."""
    body = ast.parse(path.read_text()).body
    return {t.id for n in body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}


def stub_path(target: Target) -> Path:
    """Where the stub of `target` belongs: beside the module."""
    return Path(str(importlib.import_module(target.module).__file__)).with_suffix(".pyi")


def everything() -> dict[Path, str]:
    """Every stub file and the text that it should have."""
    found = {stub_path(t): stub(t) for t in TARGETS}
    for array, module in (("NDArray", "mxlite.ndarray"), ("Symbol", "mxlite.symbol")):
        folder = Path(str(importlib.import_module(module).__file__)).parent
        found[folder / "_methods.pyi"] = methods(array, module)
    return found


def stale() -> list[Path]:
    """The stub files that differ from what would be written now."""
    return [path for path, text in everything().items() if not path.exists() or path.read_text() != text]


def main(argv: list[str] | None = None) -> int:
    """Write the stubs, or check them."""
    parser = argparse.ArgumentParser(prog="python -m mxlite._stubs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a stub is stale")
    if parser.parse_args(argv).check:
        for path in stale():
            print(f"{path.name} in {path.parent.name}/ is stale; run make stubs", file=sys.stderr)
        return bool(stale())
    for path, text in everything().items():
        path.write_text(text)
        print(f"{path.parent.name}/{path.name}: {text.count('def ')} functions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
