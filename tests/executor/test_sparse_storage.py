# SPDX-License-Identifier: Apache-2.0
"""Executors with sparse arrays against what MXNet 1.9.1 gave: storages, rows of gradients, outputs, training."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite.ndarray.sparse import fallback
from mxlite.test_utils import check_symbolic_backward

sys.path.insert(0, str(Path(__file__).resolve().parent))

import sparse_programs as programs

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "executor"
RECORDED = {
    name: json.loads((GOLDEN / f"sparse_{name}.json").read_text())
    for name in ("storages", "products", "lookups", "passes", "training")
}


def same(found, recorded):
    if isinstance(recorded, list):
        return len(found) == len(recorded) and all(map(same, found, recorded))
    return np.isclose(found, recorded, rtol=1e-3, atol=2e-4) if isinstance(recorded, float) else found == recorded


def test_simple_bind_infers_the_same_storages():
    found = programs.storages(mx)
    assert found.keys() == RECORDED["storages"].keys()
    assert {k: v for k, v in found.items() if v != RECORDED["storages"][k]} == {}


@pytest.mark.parametrize("case", programs.PRODUCTS, ids=" ".join)
def test_dot_of_bound_arrays(case):
    found, recorded = programs.products(mx, *case), RECORDED["products"][" ".join(case)]
    assert same(found, recorded), (found, recorded)


@pytest.mark.parametrize("request_", ["write", "null"])
def test_embedding_stores_the_rows_of_the_ids(request_):
    assert same(programs.lookups(mx, request_), RECORDED["lookups"][request_])


@pytest.mark.parametrize("case", programs.PASSES, ids=" ".join)
def test_outputs_and_gradients_in_their_storage(case):
    found, recorded = programs.passes(mx, *case), RECORDED["passes"][" ".join(case)]
    assert same(found, recorded), (found, recorded)


@pytest.mark.parametrize("case", programs.TRAININGS, ids=lambda case: " ".join(map(str, case)))
def test_linear_classification_of_csr_data(case):
    found, recorded = programs.training(mx, *case), RECORDED["training"][" ".join(map(str, case))]
    assert same(found, recorded), (found, recorded)


def test_add_reaches_the_rows_of_every_batch():
    grad = mx.nd.zeros((4, 2)).tostype("row_sparse")
    embedding = mx.sym.Embedding(mx.sym.var("x"), mx.sym.var("w"), input_dim=4, output_dim=2, sparse_grad=True)
    ex = embedding.bind(mx.cpu(), {"x": mx.nd.array([1]), "w": mx.nd.ones((4, 2))}, {"w": grad}, {"w": "add"})
    for ids in ([1], [3], [1]):
        ex.forward(is_train=True, x=mx.nd.array(ids))
        ex.backward(mx.nd.ones((1, 2)))
    assert programs.shown(grad) == ["row_sparse", [1, 3], [[2, 2], [1, 1]]]


def test_the_rows_are_those_that_the_forward_pass_read():
    x, grad = mx.nd.array([1, 2]), mx.nd.zeros((4, 2)).tostype("row_sparse")
    embedding = mx.sym.Embedding(mx.sym.var("x"), mx.sym.var("w"), input_dim=4, output_dim=2, sparse_grad=True)
    ex = embedding.bind(mx.cpu(), {"x": x, "w": mx.nd.ones((4, 2))}, {"w": grad}, {"x": "null", "w": "write"})
    ex.forward(is_train=True)
    x[:] = 0
    ex.backward(mx.nd.ones((2, 2)))
    assert grad.indices.asnumpy().tolist() == [1, 2]


def test_a_write_to_a_sparse_argument_comes_after_the_forward_that_was_held_back():
    x = mx.nd.array(programs.X).tostype("csr")
    ex = (mx.sym.var("x") * 2).bind(mx.cpu(), {"x": x}, grad_req="null")
    ex.forward(is_train=True)
    x[:] = mx.nd.zeros((3, 4)).tostype("csr")
    np.testing.assert_array_equal(ex.outputs[0].asnumpy(), programs.X * 2)


def test_outputs_before_any_forward_store_nothing():
    ex = mx.sym.cast_storage(mx.sym.var("x"), stype="csr").simple_bind(mx.cpu(), x=(2, 3))
    assert ex.outputs[0].stype == "csr"
    assert ex.outputs[0].indices.shape == (0,)


def test_reshape_and_copies_of_parameters_keep_the_storage():
    ex = mx.sym.square(mx.sym.var("x")).simple_bind(mx.cpu(), stype_dict={"x": "row_sparse"}, x=(3, 4))
    ex.copy_params_from({"x": mx.nd.array(programs.X)})
    assert programs.shown(ex.arg_dict["x"]) == ["row_sparse", [0, 1, 2], programs.X.tolist()]
    assert ex.reshape(x=(3, 4)).arg_dict["x"] is ex.arg_dict["x"]
    smaller = ex.reshape(x=(2, 4))
    assert (smaller.arg_dict["x"].stype, smaller.arg_dict["x"].shape) == ("row_sparse", (2, 4))
    assert not smaller.forward()[0].asnumpy().any()


def test_dense_copies_are_told_once(caplog):
    fallback.told.clear()
    with caplog.at_level(logging.WARNING, logger="mxlite.storage"):
        for _ in range(2):
            net = mx.sym.exp(mx.sym.var("x"), name="net")
            net.simple_bind(mx.cpu(), stype_dict={"x": "csr"}, x=(2, 3)).forward()
    assert [r.getMessage().split(" by way")[0] for r in caplog.records] == [
        "storage fallback: an executor of net of storages [csr] gives [default]"
    ]


def test_a_storage_that_there_is_not():
    with pytest.raises(RuntimeError, match=r"the storage of x is 'csc'.* legal are default, csr, row_sparse"):
        mx.sym.exp(mx.sym.var("x")).simple_bind(mx.cpu(), stype_dict={"x": "csc"}, x=(2, 3))


def test_check_symbolic_backward_into_sparse_gradients():
    x, w = mx.nd.array(programs.X).tostype("csr"), mx.nd.array(programs.W)
    dot = mx.sym.dot(mx.sym.var("x"), mx.sym.var("w"))
    grads = check_symbolic_backward(
        dot, {"x": x, "w": w}, [np.ones((3, 2))], {"w": programs.X.T @ np.ones((3, 2))}, grad_stypes={"w": "row_sparse"}
    )
    assert isinstance(grads["w"], mx.nd.sparse.RowSparseNDArray)
    assert grads["w"].indices.asnumpy().tolist() == [1, 3]
