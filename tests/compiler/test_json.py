# SPDX-License-Identifier: Apache-2.0
"""Symbol JSON: the files of MXNet 1.9.1 to the letter, older dialects, and every way to damage one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mxlite as mx
from mxlite_compiler.errors import MXNetError
from mxlite_compiler.graph import Entry, Graph, Node
from mxlite_compiler.json import graph_from_json, graph_to_json
from mxlite_compiler.op import OPS

GOLDEN = Path(__file__).parents[1] / "golden"
NETS = {p.name: p.read_text() for p in sorted((GOLDEN / "nets").glob("*-symbol.json"))}
LEGACY = GOLDEN / "legacy_json"


class ScaledSquare(mx.operator.CustomOpProp):
    """As far as a graph needs to know it."""

    def __init__(self, scale: str):
        super().__init__(need_top_grad=True)

    def list_arguments(self) -> list[str]:
        return ["data", "shift"]

    def list_auxiliary_states(self) -> list[str]:
        return ["running_mean"]


@pytest.fixture(autouse=True)
def custom_operator():
    """The operator that custom_op-symbol.json calls."""
    mx.operator.register("scaled_square")(ScaledSquare)


@pytest.mark.parametrize("name", NETS)
def test_load_and_save_is_the_file_to_the_letter(name: str):
    text = NETS[name]
    assert graph_to_json(graph_from_json(text, name)) == text


def without_versions(text: str) -> Any:
    """The parsed file with entries cut to node and output: MXNet keeps the versions that an old file has."""
    data = json.loads(text)
    for node in data["nodes"]:
        node["inputs"] = [entry[:2] for entry in node["inputs"]]
    data["heads"] = [entry[:2] for entry in data["heads"]]
    return data


@pytest.mark.parametrize("version", ["v0_8", "v0_9", "v1_2"])
def test_older_dialects(version: str):
    text = (LEGACY / f"{version}-symbol.json").read_text()
    graph = graph_from_json(text, version)
    again = graph_to_json(graph)
    want = (LEGACY / f"{version}-resaved.json").read_text()
    assert without_versions(again) == without_versions(want)
    assert re.sub(r", \d+\]", "]", again) == re.sub(r", \d+\]", "]", want)
    facts = json.loads((LEGACY / "facts.json").read_text())[f"{version}-symbol.json"]
    assert graph.argument_names == facts["arguments"]
    assert graph.aux_names == facts["aux"]
    assert graph.output_names == facts["outputs"]
    assert graph_to_json(graph_from_json(again)) == again


# Graphs written by hand, in the forms that MXNet 1.9.1 was asked about.


def node(op: str, name: str, inputs: Any = (), **fields: Any) -> dict[str, Any]:
    return {"op": op, "name": name, "inputs": [list(i) for i in inputs], **fields}


def document(*nodes: dict[str, Any], version: int | None = None, **fields: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "nodes": list(nodes),
        "arg_nodes": [i for i, n in enumerate(nodes) if n["op"] == "null"],
        "heads": [[len(nodes) - 1, 0]],
    }
    if version:
        data["attrs"] = {"mxnet_version": ["int", version]}
    return {**data, **fields}


def read(data: Any) -> Graph:
    return graph_from_json(json.dumps(data), "net.json")


def attrs(graph: Graph) -> dict[str, dict[str, str]]:
    return {n.name: n.attrs for n in graph.nodes}


@pytest.mark.parametrize("version", [None, 905, 10200, 10900])
def test_hidden_attributes_get_their_underscores(version: int | None):
    fc = node(
        "FullyConnected",
        "fc",
        [(0, 0), (1, 0), (2, 0)],
        attr={"num_hidden": "3", "weight_lr_mult": "2", "data_wd_mult": "4", "lr_mult": "3", "ctx_group": "x",
              "mirror_stage": "1", "force_mirroring": "True", "__foo__": "1"},
    )  # fmt: skip
    graph = read(document(node("null", "data"), node("null", "w"), node("null", "b"), fc, version=version))
    assert attrs(graph) == {
        "data": {"__wd_mult__": "4"},
        "w": {"__lr_mult__": "2"},
        "b": {},
        "fc": {"__ctx_group__": "x", "__foo__": "1", "__force_mirroring__": "True", "__lr_mult__": "3",
               "__mirror_stage__": "1", "num_hidden": "3"},
    }  # fmt: skip


def test_a_hidden_attribute_in_a_file_of_today_is_unknown():
    with pytest.raises(MXNetError, match=r"net.json: nodes\[1\]: Dropout.*no parameter 'lr_mult'"):
        read(document(node("null", "data"), node("Dropout", "d", [(0, 0)], attrs={"lr_mult": "1"}), version=10901))


@pytest.mark.parametrize("version", [None, 800, 899])
def test_missing_inputs_become_variables_before_0_9(version: int | None):
    bn = node("BatchNorm", "bn", [(0, 0)], param={"eps": "0.1"}, attr={"ctx_group": "a", "gamma_lr_mult": "3"})
    graph = read(document(node("null", "data"), bn, version=version))
    common = {"eps": "0.1", "__ctx_group__": "a"}
    assert attrs(graph) == {
        "data": {},
        "bn_gamma": {**common, "__lr_mult__": "3"},
        "bn_beta": common,
        "bn_moving_mean": {**common, "__init__": '["zero", {}]'},
        "bn_moving_var": {**common, "__init__": '["one", {}]'},
        "bn": common,
    }
    prelu = read(document(node("null", "x"), node("LeakyReLU", "r", [(0, 0)], param={"act_type": "prelu"})))
    assert attrs(prelu)["r_gamma"] == {"act_type": "prelu", "__init__": '["Constant", {"value": 0.25}]'}


def test_missing_inputs_are_told_since_0_9():
    with pytest.raises(MXNetError, match=r"net.json: nodes\[1\]: BatchNorm.*takes 5 inputs.*got 1"):
        read(document(node("null", "data"), node("BatchNorm", "bn", [(0, 0)]), version=900))


def test_a_version_of_the_future_warns():
    with pytest.warns(UserWarning, match=r"written by MXNet 2\.1\.0"):
        read(document(node("null", "data"), version=20100))


def test_an_alias_is_written_as_the_operator():
    graph = read(document(node("null", "x"), node("null", "y"), node("Softmax", "s", [(0, 0), (1, 0)])))
    assert json.loads(graph_to_json(graph))["nodes"][2]["op"] == "SoftmaxOutput"


def test_text_is_escaped_as_mxnet_does():
    text = graph_to_json(Graph([Entry(Node(None, 'a"b\\c\n\té中/\x01', {"__x__": 'q"\\/\n\t\r\x07é'}))]))
    assert '"name": "a\\"b\\\\c\\n\\té中/\x01"' in text
    assert '"__x__": "q\\"\\\\/\\n\\t\\r\x07é"' in text
    assert graph_to_json(graph_from_json(text)) == text


def test_lists_of_more_than_ten_take_a_line_an_item():
    short, long = '"heads": [[0, 0, 0], [1, 0, 0]', '"heads": [\n    [0, 0, 0], \n    [1, 0, 0], \n'
    for count, shown in ((10, short), (11, long)):
        text = graph_to_json(Graph([Entry(Node(None, f"a{i}")) for i in range(count)]))
        assert shown in text
        assert graph_to_json(graph_from_json(text)) == text


X = node("null", "x")
#: Measured: attributes of a node, and how far it moves node_row_ptr in MXNet 1.9.1.
ROWS = [
    ("Pooling", {"kernel": "(2,2)"}, 2),
    ("Pooling", {"kernel": "(2,)"}, 2),
    ("Pooling", {"kernel": "(2,2)", "pooling_convention": "full"}, 2),
    ("Pooling", {"kernel": "(2,2)", "pool_type": "avg"}, 1),
    ("Pooling", {"kernel": "(2,2)", "layout": "NHWC"}, 1),
    ("Pooling", {"global_pool": "True"}, 1),
    ("Pooling", {"global_pool": "True", "kernel": "(2,2)"}, 2),
    ("Dropout", {}, 2),
    ("LRN", {"nsize": "1"}, 2),
    ("L2Normalization", {}, 2),
    ("LeakyReLU", {"act_type": "rrelu"}, 2),
    ("LeakyReLU", {"act_type": "elu"}, 1),
    ("topk", {"ret_typ": "value"}, 2),
    ("topk", {"ret_typ": "both"}, 2),
    ("topk", {}, 1),
    ("sort", {}, 2),
]


@pytest.mark.parametrize(("op", "attributes", "rows"), ROWS)
def test_outputs_that_nobody_can_read_count(op: str, attributes: dict[str, str], rows: int):
    data = json.loads(graph_to_json(read(document(X, node(op, "n", [(0, 0)], attrs=attributes), version=10901))))
    assert data["node_row_ptr"] == [0, 1, 1 + rows]


def test_shared_auxiliary_states_count_their_writers():
    variables = {n: Entry(Node(None, n)) for n in ("x", "mean", "var")}
    x = variables["x"]
    for name in ("b1", "b2"):
        own = [Entry(Node(None, f"{name}_{n}")) for n in ("gamma", "beta")]
        x = Entry(Node(OPS["BatchNorm"], name, {}, [x, *own, variables["mean"], variables["var"]]))
    data = json.loads(graph_to_json(Graph([x, variables["mean"]])))
    assert [e[2] for n in data["nodes"] if n["op"] == "BatchNorm" for e in n["inputs"][3:]] == [1, 1, 2, 2]
    assert data["heads"][1][2] == 2


def test_subgraphs_are_kept():
    body = document(node("null", "i"), node("Dropout", "d", [(0, 0, 0)], attrs={"p": "0.5"}), heads=[[1, 0, 0]])
    given = {"num_args": "2", "num_outputs": "1", "num_out_data": "1"}
    locations = {"in_data_locs": "[0]", "in_state_locs": "[]", "remain_locs": "[]"}
    loop = node("_foreach", "loop", [(0, 0, 0)], attrs={**given, **locations}, subgraphs=[body])
    graph = read(document(node("null", "x"), loop, version=10901))
    assert [len(g.nodes) for g in graph.nodes[-1].subgraphs] == [2]
    text = graph_to_json(graph)
    assert '\n      "subgraphs": [\n        {\n          "nodes": [\n            {\n              "op"' in text
    assert graph_to_json(graph_from_json(text)) == text
    body["nodes"][1]["op"] = "Dropuot"
    with pytest.raises(MXNetError, match=r"nodes\[1\]\.subgraphs\[0\]\.nodes\[1\] 'd': .*did you mean 'Dropout'"):
        read(document(node("null", "x"), loop, version=10901))


# Damage.

DROP = node("Dropout", "d", [(0, 0)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "net.json is not JSON: .* at line 1, column 1 .the text ends there"),
        ("{not json", "line 1, column 2.*near '{not json'"),
        ('{"nodes": [\n  {"op": "null",', "line 2.*the text ends there"),
        ("[" * 100_000, "nested too deeply"),
        ("null", "expected an object, got null"),
        ("[]", "expected an object"),
        ("{}", "the field 'nodes', 'arg_nodes', 'heads' is missing"),
        ('{"nodes": ' + "9" * 5000 + "}", "is not JSON|expected a list"),
        (b"\xff{}", "is not UTF-8 text|is not JSON"),
        (document(X, heads=[]), "heads: a symbol without outputs"),
        (document(X, heads=[[1, 0]]), r"heads\[0\]: node 1 does not stand before it"),
        (document(X, heads=[[0, 1]]), r"heads\[0\]: output 1 of 'x', which has 1"),
        (document(X, heads=[[0]]), r"heads\[0\]: expected \[node, output, version\], got 1"),
        (document(X, heads=[[-1, 0]]), r"heads\[0\]: node -1"),
        (document(X, heads=[[0, True]]), r"heads\[0\]: expected an integer, got true"),
        (document(X, heads=[[0, 0.5]]), r"heads\[0\]: expected an integer, got 0.5"),
        (document(X, arg_nodes=[1]), r"arg_nodes\[0\]: 1 is not the number of a variable"),
        (document(X, DROP, arg_nodes=[1]), r"arg_nodes\[0\]: 1 is not the number of a variable"),
        (document(X, foo=1), "unknown field 'foo'"),
        (document({"op": "null", "name": "x"}), r"nodes\[0\]: the field 'inputs' is missing"),
        (document(node("null", "x", inputz=[])), r"nodes\[0\]: unknown field 'inputz'; did you mean 'inputs'"),
        (document(node("null", "x", attrs={"a": 3})), r"nodes\[0\]\.attrs\.a: expected a text, got 3"),
        (document(X, node("null", "y", [(0, 0)])), r"nodes\[1\]: the variable 'y' has inputs"),
        (document(X, node("Dropout", "d", [(1, 0)])), r"nodes\[1\]\.inputs\[0\]: node 1 does not stand before it"),
        (document(X, node("Dropout", "d", [(0, 3)])), r"nodes\[1\]\.inputs: output 3 of 'x', which has 1"),
        (document(X, node("Dropout", "d", [(0, 0), (0, 0)])), r"nodes\[1\]: Dropout.*takes 1 inputs"),
        (document(X, node("Dropout", "d", [(0, 0)], attrs={"p": "two"})), r"nodes\[1\]: Dropout.*p='two'"),
        (document(X, node("Dropout", "d", [(0, 0)], attrs={"pp": "1"})), r"nodes\[1\].*'pp'; did you mean 'p'"),
        (document(X, node("Dropuot", "d", [(0, 0)])), r"nodes\[1\] 'd': operator 'Dropuot'.*did you mean 'Dropout'"),
        (document(X, node("Dropout", "d", [(0, 0)], control_deps=[0])), "control dependencies"),
        (document(node("null", "\ud800")), "surrogate"),
        (document(X, attrs={"mxnet_version": 3}), "attrs.mxnet_version"),
    ],
)  # fmt: skip
def test_damage_is_told_with_its_place(text: Any, message: str):
    with pytest.raises(MXNetError, match="(?s)" + message) as e:
        graph_from_json(text if isinstance(text, str | bytes) else json.dumps(text), "net.json")
    assert "net.json" in str(e.value)


def test_all_missing_operators_are_told_at_once():
    with pytest.raises(MXNetError, match=r"(?s)'Foo' is not registered.*'Bar' is not registered") as e:
        read(document(X, node("Foo", "f", [(0, 0)]), node("Bar", "b", [(1, 0)]), node("Foo", "g", [(2, 0)])))
    assert str(e.value).count("'Foo'") == 1


SMALL = NETS["mlp-symbol.json"]


def test_cut_anywhere():
    for end in range(len(SMALL.rstrip())):
        with pytest.raises(MXNetError):
            graph_from_json(SMALL[:end], "cut")


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_changed_anywhere(draw: st.DataObject):
    text = bytearray(NETS["resnet18v2-symbol.json" if draw.draw(st.booleans()) else "mlp-symbol.json"].encode())
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(text) - 1))
        piece = draw.draw(st.one_of(st.binary(min_size=1, max_size=3), st.sampled_from([b"9", b"-", b'"', b"]", b"{"])))
        text[at : at + len(piece)] = piece
    try:
        graph = graph_from_json(bytes(text), "damaged")
    except MXNetError as e:
        assert "damaged" in str(e)
    else:
        graph_to_json(graph)


FIELDS = st.sampled_from(["nodes", "op", "name", "inputs", "attrs", "heads", "arg_nodes"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(JSON)
def test_any_json_is_a_symbol_or_told(data: Any):
    try:
        read(data)
    except MXNetError as e:
        assert "net.json" in str(e)
