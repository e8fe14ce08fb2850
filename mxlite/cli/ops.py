# SPDX-License-Identifier: Apache-2.0
"""``mxlite ops``: the operators as a page, the documentation of one, and which of them a network needs.

``mxlite ops`` prints a Markdown page, ``mxlite ops Convolution`` one documentation, and
``mxlite ops --check net-symbol.json`` says which operators of a file of any MXNet version are there.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
from collections.abc import Sequence
from typing import Any

from mxlite_compiler._atomic import atomic_write
from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.json import Use, graph_from_json, used_operators
from mxlite_compiler.op import OPS, Op

from .. import operator as operator  # registers Custom
from .._frontend import docstring
from ..base import MXNetError

#: Where an operator whose name begins so is found under `mx.nd` and `mx.sym`.
MODULES = {
    "_contrib_": "contrib", "_linalg_": "linalg", "_image_": "image", "_random_": "random", "_sample_": "random",
    "_sparse_": "sparse",
}  # fmt: skip


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("ops", help="the operators: a page, one's documentation, or those a network needs")
    p.add_argument("name", nargs="?", metavar="NAME", help="show the documentation of this operator")
    p.add_argument(
        "--check", nargs="+", metavar="NET-symbol.json", help="are the operators of these networks there? 1 if not"
    )
    p.add_argument("-o", "--output", metavar="FILE.md", help="write there instead of to the standard output")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write what was asked for; 1 when `--check` misses an operator. MXNetError tells what does not work."""
    if args.name and args.check:
        raise MXNetError("give the name of an operator, or networks to check, not both")
    code = 0
    if args.check:
        reports = [check(path) for path in args.check]
        text, code = "\n\n".join(report for report, _ in reports), int(not all(fine for _, fine in reports))
    else:
        text = documentation(args.name) if args.name else page()
    if args.output is None:
        print(text)
    else:
        atomic_write(args.output, f"{text}\n".encode())
        print(f"wrote {args.output}")
    return code


# The page.


def families() -> dict[str, list[Op]]:
    """The operators by the name of the module that defines them, both in alphabetical order."""
    found: dict[str, list[Op]] = {}
    for op in sorted(set(OPS.values()), key=lambda op: op.name.lower().lstrip("_")):
        found.setdefault(op.kernel.__module__, []).append(op)
    return dict(sorted(found.items(), key=lambda item: item[0].rpartition(".")[2]))


def page() -> str:
    """All operators as Markdown, a table a family."""
    lines = [
        "# Operators", "",
        f"{len(set(OPS.values()))} operators under {len(OPS)} names. `mx.nd.NAME` and `mx.sym.NAME` call them; "
        + "; ".join(f"`{prefix}NAME` is `{module}.NAME`" for prefix, module in MODULES.items())
        + "; other names with an underscore are in `_internal`.",
    ]  # fmt: skip
    for module, ops in families().items():
        lines += ["", f"## {module.rpartition('.')[2]}", ""]
        about = inspect.getdoc(sys.modules[module])
        lines += [about.splitlines()[0], ""] if about else []
        lines += ["| operator | also called | arguments | what it does |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(map(_cell, row(op)))} |" for op in ops]
    return "\n".join(lines)


def row(op: Op) -> tuple[str, str, str, str]:
    """Name, aliases, arguments and summary of an operator."""
    also = ", ".join(f"`{n}`" for n in op.aliases if not n.startswith("_sparse_"))
    return f"`{op.name}`", also, f"`{arguments(op)}`", summary(op)


def arguments(op: Op) -> str:
    """The arguments as one writes them: ``data, weight, *, num_hidden, no_bias=False``."""
    arrays = ["*data"] if op.variadic else list(op.arrays)
    shown = [f for f in dataclasses.fields(op.params) if f.name != op.variadic]
    params = [f.name if f.default is dataclasses.MISSING else f"{f.name}={f.default!r}" for f in shown]
    star = ["*"] if params and not op.variadic else []
    return ", ".join([*arrays, *star, *params])


def summary(op: Op) -> str:
    """The first sentence of the documentation, on one line."""
    text = inspect.getdoc(op.kernel) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    end = paragraph.find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`") or " "


# One operator.


def documentation(name: str) -> str:
    """Signature and documentation of the operator that is called `name`, with or without its module.

    Raises:
        MXNetError: there is none; the message names the nearest one.
    """
    op, called = find(name)
    return f"{called}({arguments(op)})\n\n{docstring(op, 'NDArray', called)}"


def find(name: str) -> tuple[Op, str]:
    """The operator and its registered name, for ``box_nms``, ``contrib.box_nms`` or ``mx.nd.contrib.box_nms``."""
    *path, last = name.split(".")
    path = [part for part in path if part not in ("mx", "mxnet", "mxlite", "nd", "sym", "ndarray", "symbol", "F")]
    prefixes = [prefix for prefix, module in MODULES.items() if not path or [module] == path]
    for full in [*([] if path and path != ["_internal"] else [last]), *(prefix + last for prefix in prefixes)]:
        if full in OPS:
            return OPS[full], full
    raise MXNetError(explain(f"there is no operator {name!r}{nearest(last, OPS)}", hint="mxlite ops lists them all"))


# The operators of a network.


def check(path: str) -> tuple[str, bool]:
    """Which operators the network in the file `path` needs, as text, and whether all of them are there.

    Raises:
        MXNetError: the file cannot be read or is damaged, or its operators are there but do not take its parameters.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as e:
        raise MXNetError(f"cannot read the symbol file {path!r}: {e.strerror or e}") from e
    uses: dict[str, list[Use]] = {}
    for use in used_operators(content, path):
        uses.setdefault(use.op, []).append(use)
    missing = [name for name in uses if name not in OPS]
    if not missing and "Custom" not in uses:  # the parameters of Custom are known where the user's code is
        graph_from_json(content, path)
    width = max(map(len, uses), default=0)
    lines = [f"{path}: {_count(len(uses), 'operator')}, {_verdict(len(missing))}"]
    lines += [_line(name, found, width) for name, found in sorted(uses.items(), key=lambda item: item[0] in OPS)]
    return "\n".join(lines), not missing


def _verdict(missing: int) -> str:
    return f"{missing} not in mxlite" if missing else "all of them in mxlite"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _line(name: str, found: Sequence[Use], width: int) -> str:
    there = name in OPS
    line = f"  {'yes' if there else 'no '}  {name:{width}}  {_count(len(found), 'node')}"
    if not there:
        line += f", first {found[0].node!r} at {found[0].place}{nearest(name, OPS)}"
    elif name == "Custom":
        types = sorted({repr(use.attrs.get("op_type")) for use in found})
        line += f", your code, registered with @mx.operator.register: {', '.join(types)}"
    elif OPS[name].name != name:
        line += f", as {OPS[name].name}"
    return line
