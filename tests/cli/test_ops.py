# SPDX-License-Identifier: Apache-2.0
"""``mxlite ops``: the page, one documentation, and the operators that a network needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import mxlite as mx
from mxlite.cli import main
from mxlite_compiler.json import used_operators
from mxlite_compiler.op import OPS

GOLDEN = Path(__file__).parents[1] / "golden"
Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, *argv: str) -> tuple[int, str, str]:
    code = main(["ops", *argv])
    done = capsys.readouterr()
    assert "Traceback" not in done.err
    return code, done.out, done.err


def test_the_page_names_every_operator_once(capsys: Captured, tmp_path: Path):
    code, out, _ = run(capsys)
    assert code == 0
    rows = [line for line in out.splitlines() if line.startswith("| `")]
    assert sorted(line.split("`")[1] for line in rows) == sorted({op.name for op in OPS.values()})
    assert "| `Concat` | `concat` | `*data, dim=1` | The arrays one after the other along an axis. |" in rows
    assert "## conv\n" in out
    code, told, _ = run(capsys, "--output", str(tmp_path / "ops.md"))
    assert (code, told) == (0, f"wrote {tmp_path / 'ops.md'}\n")
    assert (tmp_path / "ops.md").read_text() == out


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Concat", "Concat(*data, dim=1)"),
        ("concat", "concat(*data, dim=1)"),
        ("mx.nd.sum", "sum(data, *, axis=None, keepdims=False, exclude=False)"),
        ("contrib.quadratic", "_contrib_quadratic(data, *, a=0.0, b=0.0, c=0.0)"),
        ("quadratic", "_contrib_quadratic(data, *, a=0.0, b=0.0, c=0.0)"),
        ("mx.sym.sparse.abs", "_sparse_abs(data)"),
        ("_internal._copy", "_copy(data)"),
    ],
)
def test_one_operator(name: str, first: str, capsys: Captured):
    code, out, _ = run(capsys, name)
    assert code == 0
    assert out.splitlines()[0] == first
    assert "Args:" in out and "Raises:" in out


def test_the_documentation_is_that_of_the_function(capsys: Captured):
    _, out, _ = run(capsys, "FullyConnected")
    assert out.partition("\n\n")[2].rstrip() == str(mx.nd.FullyConnected.__doc__)


def write(folder: Path, nodes: list[dict[str, Any]], **more: Any) -> str:
    path = folder / "net-symbol.json"
    path.write_text(json.dumps({"nodes": nodes, "arg_nodes": [0], "heads": [[len(nodes) - 1, 0]], **more}))
    return str(path)


DATA = {"op": "null", "name": "data", "inputs": []}
FINE = [*sorted((GOLDEN / "legacy_json").glob("v*-symbol.json")), GOLDEN / "nets" / "inception_bn-symbol.json"]


@pytest.mark.parametrize("path", FINE, ids=lambda p: p.name)
def test_check_of_every_dialect(path: Path, capsys: Captured):
    code, out, _ = run(capsys, "--check", str(path))
    assert code == 0
    assert "all of them in mxlite" in out and "  yes  BatchNorm" in out
    uses = used_operators(path.read_bytes(), str(path))
    assert [use.node for use in uses] == [n.name for n in mx.sym.load(str(path)).graph.nodes if n.op is not None]


def test_check_tells_what_is_missing(tmp_path: Path, capsys: Captured):
    body = {"nodes": [DATA, {"op": "Inner", "name": "in0", "inputs": [[0, 0]]}], "arg_nodes": [0], "heads": [[1, 0]]}
    path = write(tmp_path, [
        DATA,
        {"op": "Flattn", "name": "f0", "inputs": [[0, 0]], "param": {"any": "thing"}},
        {"op": "Flattn", "name": "f1", "inputs": [[1, 0]]},
        {"op": "Inner", "name": "loop0", "inputs": [[2, 0]], "subgraphs": [body]},
        {"op": "concat", "name": "c", "inputs": [[3, 0]], "attrs": {"num_args": "1"}},
    ])  # fmt: skip
    code, out, _ = run(capsys, "--check", path)
    assert code == 1
    assert out.splitlines() == [
        f"{path}: 3 operators, 2 not in mxlite",
        "  no   Flattn  2 nodes, first 'f0' at nodes[1]; did you mean 'Flatten'?",
        "  no   Inner   2 nodes, first 'loop0' at nodes[3]",
        "  yes  concat  1 node, as Concat",
    ]
    assert [u.place for u in used_operators(Path(path).read_text())][3] == "nodes[3].subgraphs[0].nodes[1]"


def test_check_of_several_files(tmp_path: Path, capsys: Captured):
    path = write(tmp_path, [DATA, {"op": "Nothing_like_it", "name": "f", "inputs": [[0, 0]]}])
    code, out, _ = run(capsys, "--check", str(FINE[0]), path)
    assert code == 1
    assert str(FINE[0]) in out and path in out


def test_custom_operators_are_the_users_code(capsys: Captured):
    code, out, _ = run(capsys, "--check", str(GOLDEN / "nets" / "custom_op-symbol.json"))
    assert code == 0
    assert "your code, registered with @mx.operator.register: 'scaled_square'" in out


ABS = {"op": "abs", "name": "a", "inputs": [[0, 0]]}
SUM = ABS | {"op": "sum"}  # abs has no parameters, and takes any
DAMAGED: dict[str, tuple[str, str]] = {
    "cut": ('{"nodes": [{"op": "null", ', "is not JSON: .* at line 1"),
    "binary": ("\x93NUMPY", "is not JSON"),
    "list": ("[1, 2]", "expected an object, got "),
    "nodes": ('{"nodes": 3}', "nodes: expected a list, got 3"),
    "no nodes": ("{}", "field 'nodes' is missing"),
    "node": ('{"nodes": [7]}', r"nodes\[0\]: expected an object, got 7"),
    "op": ('{"nodes": [{"op": 3, "name": "x"}]}', r"nodes\[0\].op: expected a text, got 3"),
    "name": ('{"nodes": [{"op": "abs"}]}', r"nodes\[0\]: the field 'name' is missing"),
    "field": ('{"nodes": [{"op": "abs", "name": "x", "atrs": {}}]}', "unknown field 'atrs'; did you mean 'attrs'"),
    "input": (json.dumps({"nodes": [DATA, ABS | {"inputs": [[9, 0]]}], "arg_nodes": [0], "heads": [[1, 0]]}),
              "node 9 does not stand before it"),
    "parameter": (json.dumps({"nodes": [DATA, SUM | {"attrs": {"axs": "1"}}], "arg_nodes": [0], "heads": [[1, 0]]}),
                  "sum .*no parameter 'axs'"),
    "deep": ("[" * 100_000, "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_check_of_damaged_files(kind: str, tmp_path: Path, capsys: Captured):
    text, says = DAMAGED[kind]
    path = tmp_path / "net-symbol.json"
    path.write_text(text, encoding="utf-8")
    code, out, err = run(capsys, "--check", str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"mxlite ops: error: {path}")
    assert re.search(says, err), err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["Convolutin"], "there is no operator 'Convolutin'; did you mean 'Convolution'?"),
        (["linalg.abs"], "there is no operator 'linalg.abs'"),
        (["--check", "none-symbol.json"], "cannot read the symbol file 'none-symbol.json'"),
        (["abs", "--check", "x"], "not both"),
        (["--output", "/nonexistent/x.md"], "cannot write '/nonexistent/x.md'"),
    ],
)
def test_mistakes(argv: list[str], says: str, capsys: Captured):
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert says in err
