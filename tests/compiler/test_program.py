# SPDX-License-Identifier: Apache-2.0
"""The compiler alone: graphs built by hand, lowered, differentiated, cut at host nodes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler import Entry, Graph, MXNetError, Node, get_op, infer_dtypes, infer_shapes, lower, program
from mxlite_compiler.program import Program, ProgramCache
from mxlite_compiler.verify import verify


def var(name, **attrs):
    return Entry(Node(None, name, attrs))


def call(op, name, *inputs, **attrs):
    return Entry(Node(get_op(op), name, attrs, inputs))


def net():
    hidden = call("FullyConnected", "fc", var("data"), var("fc_weight"), var("fc_bias"), num_hidden=3)
    return Graph([call("SoftmaxOutput", "softmax", hidden, var("softmax_label"))])


def test_dump_reads_like_a_program():
    assert net().dump() == (
        "data = variable\nfc_weight = variable\nfc_bias = variable\n"
        "fc = FullyConnected(data, fc_weight, fc_bias) {num_hidden: 3}\n"
        "softmax_label = variable\nsoftmax = SoftmaxOutput(fc, softmax_label)\nreturn softmax"
    )


def test_shapes_flow_in_both_directions():
    graph = net()
    assert infer_shapes(graph, {"data": (2, 4)}).arguments == [(2, 4), (3, 4), (3,), (2,)]
    back = infer_shapes(graph, {"fc_weight": (3, 4), "softmax_label": (5,)})
    assert back.outputs == [(5, 3)]
    assert infer_shapes(graph).outputs == [(0, 3)]


def test_dtypes_flow_in_both_directions():
    assert set(infer_dtypes(net(), {"fc_bias": "float64"}).arguments) == {"float64"}
    with pytest.raises(MXNetError, match=r"(?s)node 'fc'.*cast one of them: x\.astype\('float32'\)"):
        infer_dtypes(net(), {"data": "float32", "fc_weight": "float64"})


def test_shape_attributes_count():
    graph = Graph([call("Activation", "act", var("x", __shape__="(2, 0)"), act_type="relu")])
    assert infer_shapes(graph).outputs == [(2, 0)]
    assert infer_shapes(graph, {"x": (2, 3)}).outputs == [(2, 3)]


def test_deep_graphs_need_no_recursion():
    entry = var("x")
    for i in range(3000):
        entry = call("Activation", f"a{i}", entry, act_type="relu")
    graph = Graph([entry])
    assert len(graph.nodes) == 3001
    assert infer_shapes(graph, {"x": (2,)}).outputs == [(2,)]


def test_lowered_function_is_plain_jax():
    f = lower(net())
    args = {
        "data": jnp.ones((2, 4)),
        "fc_weight": jnp.ones((3, 4)),
        "fc_bias": jnp.arange(3.0),
        "softmax_label": jnp.zeros(2),
    }
    (out,), written = jax.jit(f)(args)
    np.testing.assert_allclose(out, jax.nn.softmax(jnp.tile(jnp.arange(3.0), (2, 1))), rtol=1e-6)
    assert written == {}
    batched = jax.vmap(lambda w: f({**args, "fc_weight": w})[0][0])(jnp.ones((5, 3, 4)))
    assert batched.shape == (5, 2, 3)


def test_node_names_reach_the_hlo():
    text = (
        jax.jit(lower(net()))
        .lower(
            {
                "data": jnp.ones((2, 4)),
                "fc_weight": jnp.ones((3, 4)),
                "fc_bias": jnp.ones(3),
                "softmax_label": jnp.zeros(2),
            }
        )
        .as_text(debug_info=True)
    )
    assert "/fc/" in text
    assert "/softmax/" in text


def test_a_missing_array_is_named():
    with pytest.raises(MXNetError, match=r"(?s)no array given for variable 'fc_weight'.*given are: data"):
        lower(net())({"data": jnp.ones((2, 4))})


def test_program_gradients_equal_jax_grad():
    graph = Graph([call("MakeLoss", "loss", call("Activation", "act", var("x"), act_type="tanh"))])
    run = program(graph, ["x"])
    x = jnp.linspace(-1, 1, 5)
    _, _, grads = run.forward_backward({"x": x}, {}, None, None)
    np.testing.assert_allclose(grads["x"], 1 - jnp.tanh(x) ** 2, rtol=1e-6)
    assert program(graph, ["x"]) is run
    with pytest.raises(MXNetError, match="cannot differentiate y: the arguments are x"):
        program(graph, ["y"])


def test_batch_norm_writes_its_states_only_in_training():
    names = ["gamma", "beta", "moving_mean", "moving_var"]
    graph = Graph([call("BatchNorm", "bn", var("data"), *(var(f"bn_{n}") for n in names), fix_gamma=False)])
    assert graph.aux_names == ["bn_moving_mean", "bn_moving_var"]
    args = {"data": jnp.arange(8.0).reshape(4, 2), "bn_gamma": jnp.ones(2), "bn_beta": jnp.zeros(2)}
    aux = {"bn_moving_mean": jnp.zeros(2), "bn_moving_var": jnp.ones(2)}
    run = Program(graph)
    assert lower(graph)(args, aux)[1] == {}
    written = run.train(args, aux, None)[1]
    np.testing.assert_allclose(written["bn_moving_mean"], 0.1 * args["data"].mean(0), rtol=1e-6)


def test_a_shape_that_keeps_changing_warns():
    run = Program(Graph([call("Activation", "act", var("x"), act_type="relu")]), name="changing")
    with pytest.warns(UserWarning, match="'changing_predict' was compiled 16 times"):
        for n in range(1, 17):
            run.predict({"x": jnp.ones(n)}, {}, None)


def test_program_cache_forgets_the_oldest():
    cache = ProgramCache(2)
    for key in "abac":
        cache.get(key, lambda: object())
    assert len(cache) == 2
    kept = cache.get("a", lambda: "new")
    assert kept != "new"
    assert cache.get("b", lambda: "new") == "new"


def test_substitute_composes():
    graph = net().substitute({"data": call("Activation", "act", var("x"), act_type="relu")})
    assert graph.argument_names == ["x", "fc_weight", "fc_bias", "softmax_label"]


def test_verify_accepts_graphs_and_names_what_is_broken():
    verify(net())
    broken = net()
    broken.entries[0].node.inputs = broken.entries[0].node.inputs[:1]
    with pytest.raises(MXNetError, match=r"node 'softmax'.*2 inputs.*1"):
        verify(broken)
    out_of_range = Graph([Entry(net().entries[0].node, 5)])
    with pytest.raises(MXNetError, match="output 5 of node 'softmax'"):
        verify(out_of_range)
