# SPDX-License-Identifier: Apache-2.0
"""What a new user gets wrong, and is told: a class that one expects, words that help, nothing from deep inside.

`test_errors.py` has the mistakes that MXNet 1.9.1 was asked about; these are beyond them.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite import nd, sym
from mxlite.base import MXNetError

Case = tuple[Callable[[], Any], type[BaseException] | tuple[type[BaseException], ...], str]
X = np.zeros((8, 4), np.float32)
Y = np.zeros(8, np.float32)


def net() -> Any:
    fc = sym.FullyConnected(sym.var("data"), num_hidden=3, name="fc")
    return sym.SoftmaxOutput(fc, name="softmax")


def bound(**options: Any) -> Any:
    return net().simple_bind(mx.cpu(), data=(2, 4), **options)


def module() -> Any:
    made = mx.mod.Module(net())
    made.bind([("data", (4, 4))], [("softmax_label", (4,))])
    return made


def ready() -> Any:
    made = module()
    made.init_params()
    return made


def fit(data: Any = None, **options: Any) -> None:
    data = mx.io.NDArrayIter(X, Y, batch_size=4) if data is None else data
    mx.mod.Module(net()).fit(data, num_epoch=1, **options)


def written(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


def archive() -> str:
    np.savez("arrays.npz", a=Y)
    return "arrays.npz"


def conv(**options: Any) -> Any:
    return sym.Convolution(sym.var("x"), num_filter=3, **options).infer_shape(x=(1, 3, 8, 8))


ARRAYS: dict[str, Case] = {
    "ragged rows": (lambda: nd.array([[1, 2], [3]]), TypeError, "rows must have one length"),
    "texts": (lambda: nd.array(["a", "b"]), TypeError, "must hold numbers"),
    "a dict": (lambda: nd.array({"a": 1}), TypeError, "must hold numbers"),
    "a device as text": (lambda: nd.array([1], ctx="cpu"), MXNetError, r"ctx='cpu' is no device.*mx\.cpu\(0\)"),
    "a broken size": (lambda: nd.zeros((2.5, 3)), MXNetError, r"zeros: shape=\(2.5, 3\) must be"),
    "a shape as text": (lambda: nd.zeros("abc"), MXNetError, "zeros: shape='abc' must be"),
    "an unknown code": (lambda: nd.ones((2, 3)).reshape((-5,)), MXNetError, "code -5; legal are"),
    "broken sizes": (lambda: nd.ones((2, 3)).reshape((2.0, 3.5)), TypeError, "reshape takes integers"),
    "a broken index": (lambda: nd.ones((2, 3))[1.5], ValueError, "indexed with 1.5 of type float; use integers"),
    "a text as index": (lambda: nd.ones((2, 3))["a"], ValueError, "'a' of type str; use integers"),
    "text into an array": (lambda: nd.ones((2, 3)).__setitem__(0, "a"), TypeError, "'a'.*must hold numbers"),
    "a list added": (lambda: nd.ones(2).__add__([1, 2]), TypeError, r"\+: .* \[1, 2\] of type list"),
    "None added": (lambda: nd.ones(2) + None, TypeError, "None"),
    "array and symbol": (lambda: nd.ones(2) + sym.var("x"), TypeError, "Symbol"),
    "symbol and array": (lambda: sym.var("x") + nd.ones(2), TypeError, "Symbols and numbers"),
    "in place over the edge": (
        lambda: nd.ones(2).__iadd__(nd.ones((3, 2))),
        MXNetError,
        r"shape \(3, 2\).*shape \(2,\).*a = a \+ b makes a new array",
    ),
    "too many arrays": (
        lambda: nd.dot(nd.ones((2, 2)), nd.ones((2, 2)), nd.ones((2, 2))),
        MXNetError,
        r"transpose_a must be True or False, got NDArray of shape \(2, 2\).*arrays are lhs, rhs",
    ),
    "too few arrays": (lambda: nd.dot(nd.ones((2, 2))), MXNetError, "dot: input rhs is missing.*lhs, rhs"),
    "a list of arrays": (lambda: nd.concat([nd.ones(2), nd.ones(2)]), AssertionError, "list of NDArray; give.*star"),
    "no arrays": (lambda: nd.concat(dim=0), MXNetError, "Concat: needs at least one array"),
    "an axis as text": (lambda: nd.sum(nd.ones((2, 2)), axis="x"), MXNetError, "axis='x' must be an integer"),
    "a dtype with a typo": (lambda: nd.ones(2).astype("flot32"), TypeError, "did you mean 'float32'"),
    "a device type as text": (lambda: nd.ones(2).as_in_context("gpu"), MXNetError, "ctx='gpu' is no device"),
    "a copy that does not fit": (lambda: nd.ones(2).copyto(nd.ones(3)), MXNetError, r"shape \(2,\) to shape \(3,\)"),
    "a copy into a number": (lambda: nd.ones(2).copyto(3), TypeError, "copyto takes an NDArray or a Context, got int"),
    "out of another dtype": (
        lambda: nd.elemwise_add(nd.ones(2), nd.ones(2), out=nd.ones(2, dtype="int32")),
        MXNetError,
        "float32, out has shape.*int32",
    ),
    "out is of numpy": (lambda: nd.relu(nd.ones(2), out=np.ones(2)), TypeError, "out must be an NDArray.*ndarray"),
    "ends the wrong way": (lambda: nd.random.uniform(1, 0), MXNetError, "low=1 must not be greater than high=0"),
    "a negative scale": (lambda: nd.random.normal(0, -1, shape=(2,)), MXNetError, "scale=-1 must be at least 0"),
    "no bounds": (lambda: nd.clip(nd.ones(2)), MXNetError, "a_min, a_max is missing.*give a_min, float"),
    "steps of 0": (lambda: nd.arange(0, 5, 0), MXNetError, "step must not be 0"),
    "a seed as text": (lambda: mx.random.seed("a"), ValueError, "must be int, got 'a'"),
    "a request with a typo": (lambda: nd.ones(2).attach_grad(grad_req="wirte"), KeyError, "'write', 'add' or 'null'"),
    "heads that are none": (lambda: mx.autograd.backward(3), TypeError, "heads must be an NDArray.*int"),
    "variables that are none": (lambda: mx.autograd.grad(nd.ones(2), 3), TypeError, "variables must be an NDArray"),
    "a device number as text": (lambda: mx.cpu("a"), TypeError, "device_id must be an integer, got 'a'"),
}
FILES: dict[str, Case] = {
    "nowhere": (lambda: nd.save("/nonexistent/x.params", [nd.ones(2)]), MXNetError, "/nonexistent/x.params.*No such"),
    "numbers": (lambda: nd.save("x.params", 3), ValueError, "save takes an NDArray.*got int"),
    "names that are numbers": (lambda: nd.save("x.params", {1: nd.ones(2)}), TypeError, "must be text, got 1"),
    "a path that is none": (lambda: nd.save(3, [nd.ones(2)]), TypeError, "fname must be a path, got 3"),
    "a text file": (lambda: nd.load(written("t.params", b"hello")), MXNetError, "'t.params'.*ends 5 bytes"),
    "an empty file": (lambda: nd.load(written("e.params", b"")), MXNetError, "'e.params'.*ends 0 bytes"),
    "a folder": (lambda: nd.load("."), MXNetError, "cannot open '.': Is a directory"),
    "an archive of numpy": (lambda: nd.load(archive()), MXNetError, "'arrays.npz'.*np.load reads"),
    "parameters for a symbol": (lambda: sym.load(written("b.json", b"\x12\x01")), MXNetError, "b.json is not JSON"),
    "a list for a symbol": (lambda: sym.load_json("[1, 2]"), MXNetError, "expected an object"),
    "no parameters": (
        lambda: (net().save("net-symbol.json"), mx.mod.Module.load("net", 3)),
        MXNetError,
        "'net-0003.params': no such file; no epoch was saved",
    ),
    "a checkpoint nowhere": (lambda: ready().save_checkpoint("/nonexistent/x", 0), MXNetError, "/nonexistent/x-symbol"),
}
SYMBOLS: dict[str, Case] = {
    "no kernel": (lambda: sym.Convolution(sym.var("x"), num_filter=3), MXNetError, "kernel is missing.*give kernel"),
    "a kernel of one number": (lambda: conv(kernel=3), MXNetError, "1-d kernel.*test_mistakes.py, line.*x=[(]1, 3"),
    "an empty kernel": (lambda: conv(kernel=(0, 3)), MXNetError, r"kernel=\(0, 3\) must be at least 1"),
    "a stride of 0": (lambda: conv(kernel=(3, 3), stride=(0, 1)), MXNetError, r"stride=\(0, 1\) must be at least 1"),
    "pooling of no kind": (
        lambda: sym.Pooling(sym.var("x"), kernel=(2, 2), pool_type="mx"),
        MXNetError,
        "pool_type='mx' must be one of 'avg'",
    ),
    "labels that do not fit": (
        lambda: net().infer_shape(data=(4, 4), softmax_label=(3,)),
        MXNetError,
        r"'softmax'.*axis 0 of label cannot be both 4 and 3.*fc = FullyConnected\(num_hidden=3\)",
    ),
    "a name that is none": (lambda: sym.relu(sym.var("x"), name=3), TypeError, "name must be a string, got 3"),
    "a shape that is none": (
        lambda: sym.var("x", shape="a").infer_shape(),
        MXNetError,
        "node 'x'.*__shape__='a' must be an integer.*test_mistakes.py",
    ),
    "an initializer that is none": (lambda: sym.var("x", init=3), TypeError, r"Variable x: init must be .*Zero\(\)"),
    "an output by its node": (lambda: net().get_internals()["fc"], ValueError, "did you mean 'fc_output'"),
    "sizes that do not divide": (
        lambda: sym.Reshape(sym.var("x"), shape=(7, -1)).infer_shape(x=(2, 3)),
        MXNetError,
        "6 elements cannot be divided by 7",
    ),
    "a slice past the end": (
        lambda: sym.slice_axis(sym.var("x"), axis=0, begin=5, end=9).infer_shape(x=(2, 3)),
        MXNetError,
        "begin=5, end=9.*axis 0, which has 2",
    ),
    "no such recurrence": (
        lambda: sym.RNN(sym.var("x"), sym.var("p"), sym.var("s"), state_size=2, num_layers=1, mode="gruu"),
        MXNetError,
        "mode='gruu' must be one of",
    ),
    "a head for another output": (
        lambda: (sym.var("x") * 2).simple_bind(mx.cpu(), x=(2,)).backward({"y": nd.ones(2)}),
        MXNetError,
        "no head gradient for _mulscalar.*given are y",
    ),
    "an input's name with a typo": (
        lambda: net().simple_bind(mx.cpu(), dta=(2, 4)),
        RuntimeError,
        "cannot be decided.*dta is no argument; did you mean 'data'",
    ),
    "an array by position": (lambda: bound().forward(nd.ones((2, 4))), TypeError, r"by name: forward\(data=x\)"),
    "a monitor of no function": (lambda: bound().set_monitor_callback(3), TypeError, "a name and an array, got int"),
    "too few requests": (lambda: bound(grad_req=["write"]), RuntimeError, "argument"),
    "a dtype that is none": (lambda: bound(type_dict={"data": "floaty"}), (TypeError, RuntimeError), "floaty"),
    "parameters as a list": (lambda: bound().copy_params_from([nd.ones(2)]), TypeError, "takes dicts.*got list"),
    "a ragged input": (lambda: bound().forward(data=[[1, 2], [3]]), (TypeError, ValueError), r"\[\[1, 2\], \[3\]\]"),
}
MODULES: dict[str, Case] = {
    "an array for a symbol": (lambda: mx.mod.Module(nd.ones(2)), TypeError, "takes a Symbol, got NDArray"),
    "a device as text": (lambda: mx.mod.Module(net(), context="gpu"), TypeError, r"mx\.gpu\(\).*got 'gpu'"),
    "names as text": (
        lambda: mx.mod.Module(net(), data_names="data"),
        ValueError,
        r"write a list: data_names=\['data'\]",
    ),
    "an iterator for shapes": (
        lambda: mx.mod.Module(net()).bind(mx.io.NDArrayIter(X, Y, batch_size=4)),
        TypeError,
        r"\(name, shape\) pairs.*provide_data",
    ),
    "labels of another length": (
        lambda: mx.mod.Module(net()).bind([("data", (4, 4))], [("softmax_label", (3,))]),
        RuntimeError,
        "'softmax'.*cannot be both 4 and 3.*test_mistakes.py",
    ),
    "arrays for an iterator": (lambda: fit(X), TypeError, "data iterator, got ndarray.*NDArrayIter"),
    "no such optimizer": (lambda: fit(optimizer="sgdd"), ValueError, "did you mean 'sgd'"),
    "no such option": (lambda: fit(optimizer_params={"lr": 0.1}), TypeError, "'lr'.*learning_rate"),
    "no such metric": (lambda: fit(eval_metric="accurcy"), AssertionError, "did you mean 'accuracy'"),
    "an initializer as text": (lambda: fit(initializer="xavier"), TypeError, r"mx\.init\.Xavier\(\), got 'xavier'"),
    "an initializer's class": (
        lambda: module().init_params(mx.init.Xavier),
        TypeError,
        r"class Xavier; write Xavier\(\)",
    ),
    "an optimizer's class": (
        lambda: ready().init_optimizer(optimizer=mx.optimizer.SGD),
        TypeError,
        "must be a name, an mx.optimizer.Optimizer or",
    ),
    "a rate that is none": (
        lambda: ready().init_optimizer(optimizer_params={"learning_rate": "a"}),
        ValueError,
        "learning_rate must be a finite number",
    ),
    "labels in columns": (
        lambda: fit(mx.io.NDArrayIter(X, np.zeros((8, 2)), batch_size=4)),
        RuntimeError,
        "'softmax'.*label has 2 axes where data has 1",
    ),
    "a label by another name": (
        lambda: fit(mx.io.NDArrayIter(X, Y, batch_size=4, label_name="lbl")),
        ValueError,
        "'lbl'.*inputs are: data, softmax_label",
    ),
    "data by another name": (
        lambda: fit(mx.io.NDArrayIter({"x": X}, Y, batch_size=4)),
        ValueError,
        r"\['x'\] vs. \['data'\]",
    ),
    "an array for a batch": (lambda: ready().forward(nd.ones((4, 4))), TypeError, "takes a batch.*got NDArray"),
    "a list for a batch": (lambda: ready().forward([nd.ones((4, 4))]), TypeError, "takes a batch.*got list"),
    "too many arrays": (
        lambda: ready().forward(mx.io.DataBatch([nd.ones((4, 4))] * 2, [nd.ones(4)])),
        MXNetError,
        r"2 data arrays, the module was bound to 1 \(data\)",
    ),
    "too many columns": (lambda: ready().predict(nd.ones((4, 7))), MXNetError, r"fc_weight.*\(3, 7\)"),
    "backward before forward": (
        lambda: ready().backward(),
        AssertionError,
        r"call forward\(batch, is_train=True\) first",
    ),
    "text to predict": (
        lambda: ready().predict("a"),
        ValueError,
        "data iterator, an NDArray or a numpy array, got str",
    ),
    "parameters as a list": (lambda: module().set_params([nd.ones(2)], {}), TypeError, "arg_params must be a dict"),
    "a number for a metric": (lambda: ready().score(mx.io.NDArrayIter(X, Y, 4), 3), AssertionError, "got int 3"),
}
ITERATORS: dict[str, Case] = {
    "batches of nothing": (lambda: mx.io.NDArrayIter(X, batch_size=0), ValueError, "positive integer, got 0"),
    "batches of text": (lambda: mx.io.NDArrayIter(X, batch_size="a"), ValueError, "positive integer, got 'a'"),
    "no such handling": (
        lambda: mx.io.NDArrayIter(X, batch_size=2, last_batch_handle="foo"),
        ValueError,
        "'foo' is none of pad, discard, roll_over",
    ),
    "texts as data": (lambda: mx.io.NDArrayIter(np.array(["a", "b"]), batch_size=1), TypeError, "must hold numbers"),
    "resizing a number": (lambda: mx.io.ResizeIter(3, 4), TypeError, "takes a data iterator, got int"),
    "prefetching a number": (lambda: mx.io.PrefetchingIter(3), TypeError, "takes data iterators, got int"),
    "a step of 0": (lambda: mx.lr_scheduler.FactorScheduler(0), ValueError, "at least 1, got 0"),
    "a metric of no function": (lambda: mx.metric.np(3), TypeError, "needs a function.*got 3"),
    "a plot of no symbol": (lambda: mx.viz.plot_network(3), TypeError, "must be a Symbol, got .*3"),
}
GROUPS = {"array": ARRAYS, "file": FILES, "symbol": SYMBOLS, "module": MODULES, "iterator": ITERATORS}
CASES = {f"{group}: {name}": case for group, cases in GROUPS.items() for name, case in cases.items()}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mistake(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    call, kind, says = CASES[name]
    with pytest.raises(kind) as told:
        call()
    assert re.search(says, str(told.value), re.DOTALL), str(told.value)
    # Whoever raised it, it was mxlite, and knew that it was the user's mistake.
    assert "site-packages" not in traceback.extract_tb(told.tb)[-1].filename
