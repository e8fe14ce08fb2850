# SPDX-License-Identifier: Apache-2.0
"""What symbols do beyond the recorded programs: copies, threads, execution, documentation, size."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import mxlite as mx
from mxlite.symbol import fluent
from mxlite_compiler.graph import Node
from mxlite_compiler.op import OPS, op


def mlp():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(net, name="softmax")


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s)), lambda s: s()])
def test_copies_share_nothing(how):
    net = mlp()
    other = how(net)
    assert other.tojson() == net.tojson()
    assert not {id(n) for n in net.graph.nodes} & {id(n) for n in other.graph.nodes}
    other._set_attr(__mood__="good")
    assert (net.attr("__mood__"), other.attr("__mood__")) == (None, "good")


def test_internals_share_nodes():
    net = mlp()
    net.get_internals()["data"]._set_attr(__mood__="good")
    assert net.attr_dict()["data"] == {"__mood__": "good"}


def test_setting_a_parameter_changes_what_runs():
    net = mx.sym.Variable("x") * 2
    x = mx.nd.array([1.0, 2.0])
    assert net.eval(x=x)[0].asnumpy().tolist() == [2, 4]
    net._set_attr(scalar="5")
    assert net.eval(x=x)[0].asnumpy().tolist() == [5, 10]


def test_operators_compute():
    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    x, y = np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([[2.0, 3.0], [0.5, 4.0]])
    symbols = [a + b, a - b, 1 - a, a * b, 2 / b, a / b, -a, abs(a), a**2, 2**a, a == b, a >= 3, a % b, 5 % b]
    wanted = [x + y, x - y, 1 - x, x * y, 2 / y, x / y, -x, abs(x), x**2, 2**x, x == y, x >= 3, x % y, 5 % y]
    found = mx.sym.Group(symbols).eval(a=mx.nd.array(x), b=mx.nd.array(y))
    for result, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(result.asnumpy(), expected.astype("float32"), rtol=1e-6)


def test_adding_symbols_does_not_broadcast():
    net = mx.sym.Variable("a") + mx.sym.Variable("b")
    with pytest.raises(mx.MXNetError, match="_plus"):
        net.infer_shape(a=(2, 3), b=(1, 3))


def test_one_array_under_several_names():
    net = mx.sym.Variable("a") * mx.sym.Variable("b")
    shared, grad = mx.nd.array([2.0, 3.0]), mx.nd.zeros((2,))
    executor = net.bind(mx.cpu(), {"a": shared, "b": shared}, {"a": grad})
    assert executor.forward(is_train=True)[0].asnumpy().tolist() == [4, 9]
    executor.backward(mx.nd.ones((2,)))
    assert grad.asnumpy().tolist() == [2, 3]


def test_shared_variable_collects_gradients():
    w = mx.sym.Variable("w")
    net = mx.sym.sum(w * w + w)
    executor = net.simple_bind(mx.cpu(), w=(2,))
    executor.arg_dict["w"][:] = mx.nd.array([1.0, 2.0])
    executor.forward(is_train=True)
    executor.backward(mx.nd.ones((1,)))
    assert executor.grad_dict["w"].asnumpy().tolist() == [3, 5]


def test_infer_shape_by_position():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    assert net.infer_shape((2, 4)) == ([(2, 4), (3, 4), (3,)], [(2, 3)], [])
    with pytest.warns(UserWarning, match=r"data: \(0, 4\)") as caught:
        assert net.infer_shape((0, 4), None, None) == (None, None, None)
    assert caught[0].filename == __file__
    assert net.infer_type(np.float16)[1] == [np.float16]
    assert net.infer_type(None, "float64")[0] == [np.float64] * 3


def test_every_thread_counts_for_itself():
    names = []

    def work():
        with mx.AttrScope(__thread__="1"):
            names.append(mx.sym.relu(mx.sym.Variable("x")).name)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert names == ["relu0"] * 3
    assert mx.sym.Variable("x").list_attr() == {}


def test_scopes_end_with_an_exception():
    with mx.name.NameManager():
        first = mx.sym.relu(mx.sym.Variable("x")).name
        with pytest.raises(KeyError), mx.name.Prefix("p_"), mx.AttrScope(__a__="1"):
            raise KeyError
        last = mx.sym.relu(mx.sym.Variable("x"))
    assert (first, last.name, last.list_attr()) == ("relu0", "relu1", {})


def test_a_scope_serves_twice():
    scope, prefix = mx.AttrScope(__a__="1"), mx.name.Prefix("p_")
    for number in range(2):
        with mx.AttrScope(__b__="2"), scope, prefix:
            net = mx.sym.relu(mx.sym.Variable("x"))
        assert net.list_attr() == {"__a__": "1", "__b__": "2"}
        assert net.name == f"p_relu{number}"
    with scope:
        assert mx.sym.Variable("y").list_attr() == {"__a__": "1"}


def test_current_is_deprecated():
    with pytest.warns(DeprecationWarning, match="with"):
        assert isinstance(mx.name.NameManager.current, mx.name.NameManager)
    with pytest.warns(DeprecationWarning, match="with"):
        assert isinstance(mx.AttrScope.current, mx.AttrScope)


def test_functions_have_signature_and_documentation():
    signature = inspect.signature(mx.sym.FullyConnected)
    assert list(signature.parameters)[:4] == ["data", "weight", "bias", "num_hidden"]
    assert {"name", "attr", "kwargs"} <= set(signature.parameters)
    assert signature.parameters["no_bias"].default is False
    text = mx.sym.FullyConnected.__doc__ or ""
    assert "num_hidden" in text and "Symbol" in text
    assert mx.sym.FullyConnected is mx.sym.FullyConnected
    assert mx.sym.op.FullyConnected.__name__ == "FullyConnected"
    assert {"FullyConnected", "Variable", "contrib"} <= set(dir(mx.sym))
    assert "_plus_scalar" in dir(mx.sym._internal) and "_plus_scalar" not in dir(mx.sym)


def test_every_operator_has_a_function():
    for name in OPS:
        function = getattr(mx.sym._internal if name.startswith("_") else mx.sym, name)
        assert callable(function) and function.__doc__, name
        inspect.signature(function)


def test_methods_document_themselves():
    for name in (*fluent.METHODS, *fluent.INPLACE, "astype", "squeeze", "diag", "split_v2"):
        method = getattr(mx.sym.Symbol, name)
        assert method.__name__ == name and "mx.sym" in method.__doc__


def test_operators_registered_later_are_found():
    @op("_test_twice_later", "*s -> *s")
    def twice(data):
        return 2 * data

    try:
        net = mx.sym._internal._test_twice_later(mx.sym.Variable("x"))
        assert net.eval(x=mx.nd.ones((2,)))[0].asnumpy().tolist() == [2, 2]
    finally:
        del OPS["_test_twice_later"]
    with pytest.raises(AttributeError):
        _ = mx.sym._internal._test_twice_later


def test_mixed_precision_casts_are_left_out(tmp_path):
    x = mx.sym.amp_cast(mx.sym.Variable("x"), dtype="float16", name="cast")
    net = mx.sym.amp_cast(mx.sym.relu(x, name="r"), dtype="float32", name="back")
    assert mx.sym.load_json(net.tojson()).list_outputs() == ["r_output"]
    assert "amp_cast" in net.tojson(remove_amp_cast=False)
    net.save(str(tmp_path / "net.json"), remove_amp_cast=False)
    assert mx.sym.load(str(tmp_path / "net.json")).list_outputs() == ["back_output"]
    assert pickle.loads(pickle.dumps(net)).list_outputs() == ["back_output"]


def test_large_graphs():
    started = time.perf_counter()
    net = mx.sym.Variable("x")
    for _ in range(3000):
        net = net + 1
    again = pickle.loads(pickle.dumps(copy.copy(net)(x=mx.sym.Variable("y"))))
    assert again.list_arguments() == ["y"]
    assert again.infer_shape(y=(2, 3))[1] == [(2, 3)]
    assert time.perf_counter() - started < 20


def here(offset=0):
    return __file__, sys._getframe(1).f_lineno + offset


def test_nodes_know_the_line_that_made_them():
    x, line = mx.sym.Variable("x"), here()
    net = mx.sym.FullyConnected(x, num_hidden=3, name="fc").relu(name="r") + 1
    loop, _ = mx.sym.contrib.foreach(lambda row, state: (row * 2 + state, state), net, x)
    loaded = mx.sym.load_json(net.tojson())
    assert {n.source for n in x.graph.nodes} == {line}
    assert {n.source for n in net.graph.nodes} == {line, here(-4)}
    assert loop.graph.nodes[-1].source == here(-4) == loop.graph.nodes[-1].subgraphs[0].nodes[-1].source
    assert {n.source for n in loaded.graph.nodes} == {here(-4)}


def test_copies_keep_the_line_and_files_do_not():
    net = mlp()
    lines = [n.source for n in net.graph.nodes]
    assert None not in lines
    for other in (copy.deepcopy(net), net(data=mx.sym.Variable("data"))):
        assert [n.source for n in other.graph.nodes][1:] == lines[1:]
    assert __file__ not in net.tojson() and __file__.encode() not in pickle.dumps(net)


def test_what_a_rewrite_puts_in_place_of_a_node_has_its_line():
    net = mlp()

    def rule(node, inputs):
        return Node(node.op, node.name, node.attrs, inputs) if node.op is not None else None

    assert [n.source for n in net.graph.rewrite(rule).nodes] == [n.source for n in net.graph.nodes]


def test_lines_keep_no_frame_alive():
    class Big:
        pass

    def make():
        big = Big()
        return mx.sym.Variable("x") + 1, weakref.ref(big)

    net, gone = make()
    assert gone() is None and net.graph.nodes[-1].source is not None


def test_the_backend_is_xla():
    net = mlp()
    args = {"data": mx.nd.ones((2, 4)), "fc_weight": mx.nd.ones((3, 4)), "spare": mx.nd.ones((7,))}
    for made in (net.get_backend_symbol("xla"), net.optimize_for("XLA"), net.optimize_for("XLA", args, {}, mx.cpu())):
        assert made.tojson() == net.tojson()
        assert not {id(n) for n in net.graph.nodes} & {id(n) for n in made.graph.nodes}
    for call in (net.get_backend_symbol, net.optimize_for):
        with pytest.raises(mx.MXNetError, match=r"'TensorRT' cannot be found.*there is: XLA"):
            call("TensorRT")
    wrong = {**args, "fc_weight": mx.nd.ones((3, 5))}
    with pytest.raises(mx.MXNetError, match="fc"):
        net.optimize_for("XLA", wrong)
    assert net.optimize_for("XLA", wrong, skip_infer=True).tojson() == net.tojson()


def test_composing_renames_only_the_copy():
    a, c = mx.sym.Variable("a"), mx.sym.Variable("c")
    group = mx.sym.Group([a + 1, a])(a=c, name="k")
    assert group.list_outputs() == ["k_output", "c"]
    assert (a.name, c.name) == ("a", "c")


def test_a_renamed_symbol_runs():
    net = mx.sym.Variable("x") * 2
    x = mx.nd.array([1.0, 2.0])
    assert net.eval(x=x)[0].asnumpy().tolist() == [2, 4]
    net._set_attr(name="twice")
    assert net.list_outputs() == ["twice_output"]
    net.get_internals()["x"]._set_attr(name="y")
    assert mx.sym.load_json(net.tojson()).eval(y=x)[0].asnumpy().tolist() == [2, 4]


def test_a_failed_set_attr_changes_nothing():
    net = mlp().get_internals()["fc_output"]
    before = net.tojson()
    with pytest.raises(mx.MXNetError, match="nothing"):
        net._set_attr(name="other", nothing="1")
    assert net.tojson() == before


def test_state_goes_into_another_symbol():
    net, other = mlp(), mx.sym.Variable("x")
    other.__setstate__(net.__getstate__())
    assert other.tojson() == net.tojson()


def test_what_only_mx_np_has():
    with pytest.raises(mx.MXNetError, match=r"mx\.np"):
        mx.sym.Variable("x").as_np_ndarray()


def test_the_version_of_what_a_node_reads_is_that_before_it_writes() -> None:
    x = mx.sym.Variable("x")
    text = mx.sym.BatchNorm(x, mx.sym.Variable("g"), mx.sym.Variable("b"), x, mx.sym.Variable("v")).tojson()
    assert json.loads(text)["nodes"][-1]["inputs"] == [[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 1], [3, 0, 1]]
