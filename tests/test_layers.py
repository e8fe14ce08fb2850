# SPDX-License-Identifier: Apache-2.0
"""Imports point one way. Reads the sources, so it holds for code that no test runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the lowest to the highest; a module imports from its own layer and from those before it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("mxlite_compiler",),
    (
        "mxlite.base",
        "mxlite._rng",
        "mxlite._frontend",
        "mxlite._nested",
        "mxlite._zipfian",
        "mxlite.context",
        "mxlite.distributed",
        "mxlite.name",
        "mxlite.attribute",
        "mxlite.registry",
        "mxlite.engine",
        "mxlite.environment",
        "mxlite.error",
        "mxlite.libinfo",
        "mxlite.log",
        "mxlite.runtime",
        "mxlite.util",
        # bytes <-> numpy and atomic writing know nothing of NDArray
        "mxlite.serialize.array_bytes",
        "mxlite.serialize.atomic",
    ),
    ("mxlite.ndarray", "mxlite.random"),
    ("mxlite.symbol", "mxlite._stubs"),
    ("mxlite.autograd", "mxlite.executor", "mxlite.operator"),
    ("mxlite.serialize",),
    (
        "mxlite.initializer",
        "mxlite.metric",
        "mxlite.optimizer",
        "mxlite.lr_scheduler",
        "mxlite.monitor",
        "mxlite.kvstore",
        "mxlite.recordio",
        "mxlite.io",
        "mxlite.image",
        "mxlite.viz",
        "mxlite.visualization",
        "mxlite.profiler",
    ),
    (
        "mxlite.module",
        "mxlite.executor_manager",
        "mxlite.checkpoint",
        "mxlite.model",
        "mxlite.callback",
        "mxlite.deploy",
        "mxlite.test_utils",
    ),
    ("mxlite.gluon", "mxlite.rnn", "mxlite.contrib"),
    ("mxlite.cli", "mxlite.__main__", "mxlite.tools"),
)
# Packages that are not needed to import mxlite: they are imported in the function that uses them, and only there.
OPTIONAL = {
    "IPython",
    "PIL",
    "cv2",
    "flatbuffers",
    "graphviz",
    "matplotlib",
    "nbclient",
    "nbformat",
    "onnx",
    "onnxruntime",
    "orbax",
    "safetensors",
    "scipy",
    "sklearn",
    "tensorboardX",
    "tqdm",
}


def sources() -> list[Path]:
    return sorted([*(ROOT / "mxlite").rglob("*.py"), *(ROOT / "compiler" / "mxlite_compiler").rglob("*.py")])


def module_of(path: Path) -> str:
    base = ROOT / "compiler" if (ROOT / "compiler") in path.parents else ROOT
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def known() -> dict[str, Path]:
    return {module_of(path): path for path in sources()}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def layer(module: str) -> int | None:
    """The number of the longest entry of LAYERS that is `module` or a package above it."""
    best: tuple[int, int] | None = None
    for number, names in enumerate(LAYERS):
        for name in names:
            if (module == name or module.startswith(name + ".")) and (best is None or len(name) > best[0]):
                best = (len(name), number)
    return None if best is None else best[1]


def imported(path: Path, node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that one import statement names, written out; `from . import x` is the module x where it is one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level:
        package = module_of(path).split(".")
        if path.name != "__init__.py":
            package = package[:-1]
        package = package[: len(package) - (node.level - 1)]
        base = ".".join([*package, *([node.module] if node.module else [])])
    else:
        base = node.module or ""
    names = [f"{base}.{alias.name}" for alias in node.names]
    return sorted({name if name in known() else base for name in names})


def walk(node: ast.AST, *, function: bool = False, typing: bool = False) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Every node below with: is it in a function, is it under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        inside = function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        only_types = typing or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        yield child, inside, only_types
        yield from walk(child, function=inside, typing=only_types)


def imports(path: Path) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    for node, inside, typing in walk(tree(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, inside, typing


def where(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def test_there_are_sources() -> None:
    assert "mxlite_compiler.op" in known()
    assert any(name.startswith("mxlite.ndarray") for name in known())


def test_every_module_has_a_layer() -> None:
    homeless = [module for module in known() if module != "mxlite" and layer(module) is None]
    assert not homeless, f"say in LAYERS which layer they belong to: {homeless}"


def test_imports_point_down() -> None:
    wrong = []
    for module, path in known().items():
        if module == "mxlite":  # re-exports everything
            continue
        for node, _, typing in imports(path):
            for target in imported(path, node):
                if target.partition(".")[0] not in {"mxlite", "mxlite_compiler"} or typing:
                    continue
                here, there = layer(module), layer(target)
                if there is None or here is None or there > here:
                    wrong.append(f"{where(path, node)}: {module} imports {target}, which is above it")
    assert not wrong, "\n".join(wrong)


def test_the_compiler_stands_alone() -> None:
    wrong = [
        where(path, node)
        for module, path in known().items()
        if module.partition(".")[0] == "mxlite_compiler"
        for node, _, _ in imports(path)
        for target in imported(path, node)
        if target.partition(".")[0] == "mxlite"
    ]
    assert not wrong, f"the compiler imports mxlite, even if for types only: {wrong}"


def test_no_cycles() -> None:
    """Also inside a layer: a module never needs itself through others."""
    edges = {
        module: {
            target
            for node, inside, typing in imports(path)
            if not inside and not typing
            for target in imported(path, node)
            if target in known() and target != module and not module.startswith(target + ".")
        }
        for module, path in known().items()
    }
    state: dict[str, int] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        if state.get(module) == 2:
            return
        if state.get(module) == 1:
            pytest.fail("a cycle of imports: " + " -> ".join([*path[path.index(module) :], module]))
        state[module] = 1
        for target in sorted(edges[module]):
            visit(target, (*path, module))
        state[module] = 2

    for module in sorted(edges):
        visit(module, ())


def test_late_imports_are_of_optional_packages() -> None:
    wrong = [
        f"{where(path, node)}: {target}"
        for path in sources()
        for node, inside, typing in imports(path)
        if inside and not typing
        for target in imported(path, node)
        if target.partition(".")[0] not in OPTIONAL
    ]
    assert not wrong, "an import in a function hides a cycle; only optional packages are imported late:\n" + "\n".join(
        wrong
    )


def test_optional_packages_are_imported_late() -> None:
    wrong = [
        f"{where(path, node)}: {target}"
        for path in sources()
        for node, inside, typing in imports(path)
        if not inside and not typing
        for target in imported(path, node)
        if target.partition(".")[0] in OPTIONAL
    ]
    assert not wrong, "mxlite must import without its extras:\n" + "\n".join(wrong)


def test_no_star_imports_and_no_exec() -> None:
    wrong = []
    for path in sources():
        for node, _, _ in walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                wrong.append(f"{where(path, node)}: import *")
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"exec", "eval", "__import__"}:
                wrong.append(f"{where(path, node)}: {ast.unparse(node.func)}()")
    assert not wrong, "\n".join(wrong)


def test_no_swallowed_errors() -> None:
    wrong = []
    for path in sources():
        for node, _, _ in walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (isinstance(node.type, ast.Name) and "Exception" in node.type.id)
                silent = all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
                if node.type is None or (broad and silent):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: an error is swallowed")
    assert not wrong, "\n".join(wrong)


def test_every_file_names_its_license() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for folder in ("mxlite", "compiler", "tests", "examples")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.read_text(encoding="utf-8").partition("\n")[0] != "# SPDX-License-Identifier: Apache-2.0"
    ]
    assert not wrong, f"the first line is not `# SPDX-License-Identifier: Apache-2.0`: {wrong}"
