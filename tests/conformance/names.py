# SPDX-License-Identifier: Apache-2.0
"""The public names of MXNet 1.9.1 (``tests/golden/api.json``), and which of them are here with a compatible signature.

The file says of each module which names it has, and which it only ``imported`` from others. A name is a signature, a
class (``call`` and its members), ``= value`` of a constant, or ``is`` and the place where the same class is described.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import inspect
import json
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import mxlite
from tests.conformance import signatures
from tests.conformance.reasons import REASONS

FILE = Path(__file__).parents[1] / "golden" / "api.json"
#: What a program that builds and runs arrays and graphs uses. The modules behind it come in later work.
CORE = "nd sym executor attribute name context random viz monitor test_utils autograd".split()
KINDS = ("functions", "classes", "methods", "properties", "constants", "modules")
#: Where ``**kwargs`` stands for an operator's parameters.
OPERATORS = ("nd", "sym", "nd.sparse", "random")
_ABSENT = object()


@dataclasses.dataclass(frozen=True)
class Name:
    """A public name of MXNet.

    Attributes:
        module: the module as api.json calls it, without ``mx.``.
        path: the whole name.
        kind: one of `KINDS`.
        problem: why a program that uses it fails here: "missing", or what is wrong with the signature; else empty.
    """

    module: str
    path: str
    kind: str
    problem: str

    @property
    def reason(self) -> str:
        """Why it is so, from the table of reasons; empty where none is given."""
        return next((why for pattern, why in patterns().items() if fnmatch.fnmatchcase(self.path, pattern)), "")


@cache
def api() -> dict[str, dict[str, Any]]:
    """The file."""
    return json.loads(FILE.read_text(encoding="utf-8"))


@cache
def patterns() -> dict[str, str]:
    """Name or pattern to reason."""
    return {pattern: why for why, names in REASONS.items() for pattern in names.split()}


def is_core(module: str) -> bool:
    """Whether a module, or the one above it, is in `CORE`."""
    return module.partition(".")[0] in CORE


def find(path: str) -> Any:
    """What a dotted name is in mxlite; `_ABSENT` if it is not."""
    thing: Any = mxlite
    for part in path.split("."):
        thing = getattr(thing, part, _ABSENT)
    return thing


def names() -> list[Name]:
    """Every public name of every module, with what is wrong with it here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # looking at a deprecated name is no use of it
        return [name for module, facts in api().items() for name in _of_module(module, facts["names"])]


def _of_module(module: str, facts: dict[str, Any]) -> Iterator[Name]:
    prefix = "" if module == "mxnet" else f"{module}."
    for short, fact in facts.items():
        path = prefix + short
        thing = find(path)
        if isinstance(fact, dict):
            yield Name(module, path, "classes", _class_problem(thing, fact))
            for member, text in fact.items():
                if member != "call":
                    yield _member(module, path, thing, member, text)
        elif fact.startswith("is "):
            home = find(fact[3:].removeprefix("mxnet."))
            problem = "missing" if thing is _ABSENT else "" if home in (thing, _ABSENT) else f"is not {fact[3:]}"
            yield Name(module, path, "classes", problem)
        elif fact.startswith("("):
            operator = module.partition(".")[0] in OPERATORS or module in OPERATORS
            yield Name(module, path, "functions", _call_problem(thing, fact, operator=operator))
        elif fact == "module":
            yield Name(module, path, "modules", "missing" if thing is _ABSENT else "")
        else:
            differs = fact.startswith("= ") and repr(thing) != fact[2:]
            yield Name(module, path, "constants", "missing" if thing is _ABSENT else "another value" if differs else "")


def _class_problem(thing: Any, fact: dict[str, Any]) -> str:
    if thing is _ABSENT:
        return "missing"
    if not fact["call"]:
        return ""
    return _call_problem(thing, fact["call"])


def _member(module: str, path: str, owner: Any, member: str, text: str) -> Name:
    thing = _ABSENT if owner is _ABSENT else getattr(owner, member, _ABSENT)
    kind = "methods" if text.startswith("(") else "properties"
    problem = ""
    if thing is _ABSENT and not (kind == "properties" and _documented(owner, member)):
        problem = "missing"
    elif kind == "methods" and not member.startswith("__"):  # Python calls those, by position
        wanted = _fluent(module, member) if text.endswith("**kwargs)") else ""
        operator = module in OPERATORS
        problem = _call_problem(thing, wanted if "*args" in text and wanted else text, operator=operator)
    elif text.endswith("settable") and isinstance(thing, property) and thing.fset is None:
        problem = "cannot be set"
    return Name(module, f"{path}.{member}", kind, problem)


def _documented(owner: Any, attribute: str) -> bool:
    """Whether the documentation of a class lists what its instances have."""
    return bool(re.search(rf"^ +(?:\w+, )*{attribute}(?:, \w+)*:", getattr(owner, "__doc__", None) or "", re.MULTILINE))


def _fluent(module: str, member: str) -> str:
    """The signature of the operator that a method passes all its arguments to, without the array that it belongs to."""
    if module not in ("nd", "sym", "nd.sparse"):
        return ""
    text = api()[module]["names"].get(member, "")
    return "" if text.startswith("(*") else re.sub(r"^\(\w+(=None)?(, )?", "(", text)


def _call_problem(thing: Any, text: str, *, operator: bool = False) -> str:
    if thing is _ABSENT:
        return "missing"
    if not callable(thing):
        return "cannot be called"
    ours, theirs = signatures.of(thing), signatures.parse(text)
    if ours is None:
        return ""
    if inspect.isfunction(thing):
        ours = signatures.without_self(ours)
    return signatures.problem(signatures.without_self(theirs), ours, operator=operator)


def excused(found: list[Name]) -> dict[str, list[Name]]:
    """Reason to the names that it is given for; "" to those without one."""
    grouped: dict[str, list[Name]] = {why: [] for why in REASONS}
    for name in found:
        if name.problem:
            grouped.setdefault(name.reason, []).append(name)
    return {why: those for why, those in grouped.items() if those}


def needless(found: list[Name]) -> list[str]:
    """Patterns with a reason that is not needed: nothing of that name is missing, or something is there."""
    wrong = []
    for pattern in patterns():
        meant = [name for name in found if fnmatch.fnmatchcase(name.path, pattern)]
        if not meant or not all(name.problem for name in meant):
            wrong.append(pattern)
    return wrong


def table(found: list[Name]) -> str:
    """How many names are here, by module and kind, as Markdown: the modules of `CORE`, then the others."""
    lines = ["| module | " + " | ".join(KINDS) + " | in all |", "|---" * (len(KINDS) + 2) + "|"]
    for title, core in (("arrays, graphs and what runs them", True), ("further modules", False)):
        chosen = [name for name in found if is_core(name.module) == core]
        lines.append(_row(f"**{title}**", chosen))
        for module in dict.fromkeys(name.module for name in chosen):
            lines.append(_row("mx" if module == "mxnet" else f"mx.{module}", [n for n in chosen if n.module == module]))
    return "\n".join(lines)


def _row(title: str, chosen: list[Name]) -> str:
    cells = [_share([name for name in chosen if name.kind == kind]) for kind in KINDS]
    return f"| {title} | {' | '.join(cells)} | {_share(chosen)} |"


def _share(chosen: list[Name]) -> str:
    return f"{sum(not name.problem for name in chosen)} of {len(chosen)}" if chosen else ""


def report(found: list[Name]) -> str:
    """The table, and what is missing or different with the reasons."""
    lines = ["| missing or different | because |", "|---|---|"]
    for why, those in excused(found).items():
        lines.append(f"| {_listed(those)} | {why or '**nobody said why**'} |")
    imported = sum(len(facts["imported"]) for facts in api().values())
    return (
        f"{table(found)}\n\nA name is here when every call that MXNet's signature allows is legal: the same names, "
        f"order and defaults; more parameters with defaults are fine. {imported} names that modules of MXNet merely "
        "imported from others (`check_call`, `NDArray` in `mx.monitor` ...) are not counted, nor are `mx.np`, `mx.npx` "
        "and Gluon.\n\n" + "\n".join(lines)
    )


def _listed(those: list[Name]) -> str:
    """The names; a class or module stands for what is in it; the same name in several places stands once."""
    gone = {name.path for name in those if name.problem == "missing"}
    tops = [name for name in those if name.path.rpartition(".")[0] not in gone]
    shown: dict[str, None] = {}
    for module in dict.fromkeys(name.module for name in tops):
        inside = [name for name in tops if name.module == module]
        whole = find(module) is _ABSENT and module != "mxnet"
        if whole:
            shown[f"`mx.{module}`"] = None
        else:
            for name in inside:
                what = "" if name.problem == "missing" else f" ({name.problem})"
                shown[f"`mx.{name.path}`{what}"] = None
    return ", ".join(shown)
