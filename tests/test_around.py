# SPDX-License-Identifier: Apache-2.0
"""An error of a graph names the first node where it fails, the line that made it, and what was known around it."""

# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pytest

import mxlite as mx
from mxlite.base import MXNetError
from mxlite_compiler.around import around
from mxlite_compiler.errors import Message, explain, parts_of
from mxlite_compiler.graph import Entry, Graph, Node
from mxlite_compiler.lower import lower
from mxlite_compiler.op import OPS, Op, op
from mxlite_compiler.program import Compiled
from mxlite_compiler.verify import verify

HERE = Path(__file__).name


def line_of(text: str) -> int:
    """The number of the only line of this file that holds `text` as code."""
    lines = Path(__file__).read_text().splitlines()
    (found,) = [i for i, line in enumerate(lines, 1) if text in line and "line_of" not in line]
    return found


def two_branches() -> Any:
    data = mx.sym.var("data")
    wide = mx.sym.FullyConnected(data, num_hidden=64, name="wide")
    relu = mx.sym.Activation(wide, act_type="relu", name="relu")
    slim = mx.sym.FullyConnected(data, num_hidden=32, name="slim")
    both = mx.sym.elemwise_add(relu, slim, name="both")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(both, num_hidden=10, name="last"), name="softmax")


def told(call: Any, kind: type[BaseException] = MXNetError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_inference_shows_the_first_node_and_its_surroundings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(Path(__file__).parent)
    text = told(lambda: two_branches().infer_shape(data=(8, 100)))
    assert text == (
        "elemwise_add (node 'both'): axis 1 of lhs and axis 1 of rhs cannot be both 64 and 32\n"
        "  given: lhs=(8, 64), rhs=(8, 32)\n"
        "  rule: *s, *s -> *s\n"
        f"  made at: {HERE}, line {line_of('both = mx.sym.elemwise_add')}\n"
        "  around it:\n"
        "    array       shape      from\n"
        f"    lhs         (8, 64)    relu = Activation(act_type=relu), {HERE}:{line_of('relu = mx.sym')}\n"
        f"      data      (8, 64)    wide = FullyConnected(num_hidden=64), {HERE}:{line_of('wide = mx.sym')}\n"
        "        data    (8, 100)   variable data\n"
        "        weight  (64, 100)  variable wide_weight\n"
        "        bias    (64,)      variable wide_bias\n"
        f"    rhs         (8, 32)    slim = FullyConnected(num_hidden=32), {HERE}:{line_of('slim = mx.sym')}\n"
        "      data      (8, 100)   variable data\n"
        "      weight    (32, 100)  variable slim_weight\n"
        "      bias      (32,)      variable slim_bias\n"
        "  inferred from: data=(8, 100)"
    )


def test_dtypes_stand_beside_the_shapes_and_unknown_sizes_are_marked():
    net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    text = told(lambda: net.infer_type(data="float32", fc_bias="int32"))
    assert "the dtypes of data and bias cannot be both float32 and int32" in text
    assert "    weight  (3, ?)            variable fc_weight\n" in text
    assert "    bias    (3,)     int32    variable fc_bias\n" in text
    arrays = {"data": mx.nd.ones((2, 4)), "fc_weight": mx.nd.ones((3, 5)), "fc_bias": mx.nd.ones(3)}
    text = told(lambda: net.bind(mx.cpu(), arrays))
    assert "axis 1 of data and axis 1 of weight cannot be both 4 and 5" in text
    assert "    weight  (3, 5)   float32  variable fc_weight\n" in text


@pytest.mark.parametrize("way", ["simple_bind", "module"])
def test_binding_tells_the_same(way: str):
    net = two_branches()

    def bind() -> None:
        if way == "simple_bind":
            net.simple_bind(mx.cpu(), data=(8, 100))
        else:
            mx.mod.Module(net).bind([("data", (8, 100))], [("softmax_label", (8,))])

    text = told(bind, RuntimeError)
    assert "simple_bind error" in text
    assert "node 'both'" in text and f"{HERE}, line {line_of('both = mx.sym.elemwise_add')}" in text
    assert "relu = Activation(act_type=relu)" in text


def test_a_node_in_a_loop_names_the_loop():
    def body(row: Any, states: Any) -> Any:
        return mx.sym.dot(row, states[0], name="product"), states

    out, _ = mx.sym.contrib.foreach(body, mx.sym.var("x"), [mx.sym.var("h")])
    text = told(lambda: out.infer_shape(x=(5, 2, 3), h=(4, 4)))
    assert text.startswith("dot (node 'product'): axis 1 of lhs and axis 0 of rhs cannot be both 3 and 4")
    assert f"{HERE}, line {line_of('mx.sym.dot(row')}" in text
    assert "\n  inside: _foreach (node '_foreach" in text and f"line {line_of('mx.sym.contrib.foreach(body')}" in text


@pytest.fixture
def fragile() -> Iterator[Op]:
    """An operator whose rules find nothing wrong and whose kernel fails while it is traced."""

    @op("_test_fragile", "*s -> *s")
    def fragile(data, *, how: int = 0):
        """Fails."""
        if how == 1:
            return data / 0 if data else data  # no number is known while JAX traces
        return jax.numpy.dot(data, jax.numpy.ones((17, 2)))

    yield fragile
    del OPS["_test_fragile"]


@pytest.mark.parametrize("how", [0, 1])
def test_a_kernel_that_fails_is_told_with_its_node(fragile: Op, how: int):
    data = Node(None, "data")
    relu = Node(OPS["relu"], "relu1", {}, [Entry(data)])
    node = Node(fragile, "weak", {"how": how}, [Entry(relu)], origin=(told.__code__, 0))
    graph = Graph([Entry(node)])
    text = told(lambda: jax.jit(lower(graph))({"data": jax.numpy.ones((2, 3), "float32")}))
    assert text.startswith("_test_fragile (node 'weak'): ")
    assert "given: data=(2, 3) float32" in text and f"{HERE}, line {told.__code__.co_firstlineno}" in text
    assert "data    (2, 3)  float32  relu1 = relu()\n" in text
    assert "\n      data  (2, 3)  float32  variable data" in text


def test_verification_names_the_line():
    fc = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    fc.graph.entries[0].node.attrs["num_hidden"] = 3
    text = told(lambda: verify(fc.graph))
    assert "'num_hidden'=3 is not text" in text and f"{HERE}, line {line_of('fc = mx.sym.FullyConnected')}" in text


def test_nodes_of_a_file_were_made_where_it_was_loaded():
    net = mx.sym.load_json(two_branches().tojson())
    text = told(lambda: net.infer_shape(data=(8, 100)))
    assert "node 'both'" in text and "relu = Activation(act_type=relu)" in text
    assert f"{HERE}, line {line_of('net = mx.sym.load_json')}" in text


def test_wide_nodes_and_long_calls_are_cut():
    parts = [mx.sym.var(f"x{i}") for i in range(20)]
    node = mx.sym.concat(*parts, dim=1).graph.entries[0].node
    lines = around(node, lambda entry: (None, None)).splitlines()
    assert len(lines) == 10 and lines[-1] == "... 12 more"
    assert lines[1].split() == ["arg0", "unknown", "variable", "x0"]


def test_messages_keep_their_parts():
    error = MXNetError(explain("is wrong", op="dot", node="n", given=[("lhs", None)], hint="do it right"))
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "dot (node 'n'): is wrong\n  given: lhs=unknown\n  hint: do it right"
    assert isinstance(copy.args[0], Message)
    parts = parts_of(copy)
    assert parts is not None and parts.hint == "do it right"
    assert parts_of(ValueError("other")) is None


def test_what_a_device_refuses_names_the_program_and_its_largest_arrays(monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: Any) -> None:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.\nand a long story")

    run = Compiled(lambda args: args, "net_predict")
    monkeypatch.setattr(run, "_jitted", refuse)
    text = told(lambda: run({"x": jax.numpy.ones((1, 1)), "w": jax.numpy.ones((4, 5), "float32")}))
    assert text == (
        "program 'net_predict': RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.\n"
        "  given: w=(4, 5) float32, x=(1, 1) float64\n"
        "  hint: smaller batches, or a dtype of fewer bits, take less memory"
    )
