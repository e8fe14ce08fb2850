# SPDX-License-Identifier: Apache-2.0
"""What no record of small arrays shows: size, compiled programs, the log of fallbacks, files, the tape, mistakes."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.base import MXNetError, NotSupportedForSparseNDArray
from mxlite.ndarray.sparse import fallback, kernels, storage
from mxlite.serialize.params import save_tobuffer

nd: Any = mx.nd  # what is wrong on purpose is no matter of types here
S = nd.sparse
A = np.array([[1, 0, 2], [0, 0, 0], [0, -3.5, 0]], np.float32)
#: 4 TB when dense.
HUGE = (1 << 20, 1 << 20)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log of fallbacks, as at the start of a process."""
    fallback.told.clear()
    caplog.set_level(logging.WARNING, "mxlite.storage")
    return caplog


def matrix(count: int, rows: int = 50, columns: int = 40, seed: int = 0) -> np.ndarray:
    """A dense matrix with `count` elements that are not zero."""
    draw = np.random.default_rng(seed)
    out = np.zeros(rows * columns, np.float32)
    out[draw.permutation(rows * columns)[:count]] = draw.normal(size=count)
    return out.reshape(rows, columns)


@pytest.mark.parametrize("count", [0, 1, 8, 9, 64, 65, 100, 1000, 1 << 20])
def test_buckets_are_few_and_not_much_longer(count: int) -> None:
    size = storage.bucket(count)
    assert count <= size <= max(8, 2 * count if count <= 64 else 1.25 * count)
    assert len({storage.bucket(n) for n in range(64, 1025)}) <= 17


@pytest.mark.parametrize("stype", ["csr", "row_sparse"])
@pytest.mark.parametrize("count", [0, 1, 70, 2000])
def test_round_trips(stype: str, count: int) -> None:
    dense = matrix(count)
    x = nd.array(dense).tostype(stype)
    np.testing.assert_array_equal(x.asnumpy(), dense)
    np.testing.assert_array_equal(x.tostype("default").asnumpy(), dense)
    x.check_format()
    for same in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), nd.load_frombuffer(save_tobuffer([x]))[0]):
        assert type(same) is type(x)
        np.testing.assert_array_equal(same.asnumpy(), dense)


def test_copies_share_nothing_and_handles_do() -> None:
    x = nd.array(A).tostype("csr")
    other, handle = x.copy(), x.detach()
    x[:] = A * 2
    assert other.asnumpy()[0, 0] == 1 and handle.asnumpy()[0, 0] == 2
    x.data[:] = 0
    assert x.asnumpy()[0, 0] == 2


def test_huge_arrays_stay_sparse() -> None:
    at = ([1.0, 2.0, 3.0], ([5, 5, 1 << 19], [0, 7, 1 << 19]))
    x = S.csr_matrix(at, shape=HUGE, dtype="float32")
    y = nd.sin(x) * 2 + x - x * x
    assert y.stype == "csr" and y.data.shape == (3,)
    assert nd.sum(x).asscalar() == 6 and nd.norm(y).shape == (1,)
    assert x[5:7].shape == (2, 1 << 20) and nd.concat(x, x, dim=0).shape == (1 << 21, 1 << 20)
    r = S.row_sparse_array((np.ones((2, 4), np.float32), [3, 1 << 30]), shape=(1 << 31, 4))
    z = nd.square(r * 3) + r
    assert z.stype == "row_sparse" and z.indices.asnumpy().tolist() == [3, 1 << 30]
    assert S.retain(z, nd.array([3])).data.asnumpy().tolist() == [[10] * 4]


def test_other_counts_run_the_same_programs() -> None:
    w = nd.array(matrix(100, 40, 3))

    def step(count: int) -> None:
        x = nd.array(matrix(count)).tostype("csr")
        nd.dot(x, w).asnumpy()
        nd.dot(x, nd.ones((50, 2)), transpose_a=True, forward_stype="default").asnumpy()
        nd.abs(x * 2 + x).asnumpy()

    step(257)
    programs = (kernels._product, kernels._joined)
    compiled = [p._cache_size() for p in programs]  # pyright: ignore[reportAttributeAccessIssue]
    for count in (270, 300, 320):
        step(count)
    assert [p._cache_size() for p in programs] == compiled  # pyright: ignore[reportAttributeAccessIssue]


def test_a_fallback_is_told_once(log: pytest.LogCaptureFixture) -> None:
    x = nd.array(A).tostype("csr")
    for _ in range(2):
        assert nd.exp(x).stype == "default"
    assert len(log.records) == 1 and "exp of storages [csr]" in log.text
    nd.exp(nd.array(A).tostype("row_sparse"))
    assert len(log.records) == 2


def test_a_fallback_can_be_silent(log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
    nd.exp(nd.array(A).tostype("csr"))
    assert not log.records


def test_what_stays_sparse_is_not_told(log: pytest.LogCaptureFixture) -> None:
    x = nd.array(A).tostype("csr")
    _ = nd.dot(abs(x) * 2 + x, nd.array(A)), nd.sum(x, axis=0), x[1], x.tostype("default")
    assert not log.records


def test_a_training_loop_of_an_embedding() -> None:
    table = nd.ones((1 << 16, 4))
    table.attach_grad(stype="row_sparse")
    updater = mx.optimizer.get_updater(mx.optimizer.create("sgd", learning_rate=1.0))
    for ids in ([3, 5, 3], [5, 65535, 0]):
        with mx.autograd.record():
            y = nd.Embedding(nd.array(ids), table, input_dim=1 << 16, output_dim=4, sparse_grad=True)
        y.backward()
        assert table.grad.stype == "row_sparse"
        assert table.grad.indices.asnumpy().tolist() == sorted(set(ids))
        updater(0, table.grad, table)
    changed = table.asnumpy()[:, 0]
    assert {i: changed[i] for i in (0, 3, 5, 65535)} == {0: 0, 3: -1, 5: -1, 65535: 0}
    assert (changed == 1).sum() == (1 << 16) - 4


def test_gradients_add_up_in_storage() -> None:
    w = nd.ones((6, 2))
    w.attach_grad("add", stype="row_sparse")
    x = nd.array([[0, 2, 0, 0, 0, 1]]).tostype("csr")
    for _ in range(2):
        with mx.autograd.record():
            y = nd.dot(x, w) + nd.Embedding(nd.array([4]), w, input_dim=6, output_dim=2, sparse_grad=True)
        y.backward()
    assert w.grad.indices.asnumpy().tolist() == [1, 4, 5]
    np.testing.assert_array_equal(w.grad.data.asnumpy(), [[4, 4], [2, 2], [2, 2]])


def test_a_weight_that_is_computed_and_a_gradient_as_array() -> None:
    w = nd.ones((4, 2))
    w.attach_grad()
    with mx.autograd.record():
        y = nd.Embedding(nd.array([1, 1]), w * 3, input_dim=4, output_dim=2, sparse_grad=True)
    y.backward()
    np.testing.assert_array_equal(w.grad.asnumpy(), [[0, 0], [6, 6], [0, 0], [0, 0]])
    w.attach_grad(stype="row_sparse")
    with mx.autograd.record():
        y = nd.Embedding(nd.array([2]), w, input_dim=4, output_dim=2, sparse_grad=True)
    (g,) = mx.autograd.grad(y, [w])
    np.testing.assert_array_equal(g.asnumpy(), [[0, 0], [0, 0], [1, 1], [0, 0]])


def test_a_logistic_regression_learns_from_csr() -> None:
    x, truth = matrix(600, 100, 20), np.linspace(-1, 1, 20).astype(np.float32)
    data, label = nd.array(x).tostype("csr"), nd.array((x @ truth > 0)[:, None])
    w = nd.zeros((20, 1))
    w.attach_grad(stype="row_sparse")
    updater = mx.optimizer.get_updater(mx.optimizer.create("adagrad", learning_rate=0.5))
    for _ in range(30):
        with mx.autograd.record():
            loss = nd.LogisticRegressionOutput(nd.dot(data, w), label)
        loss.backward()
        updater(0, w.grad, w)
    assert ((x @ w.asnumpy() > 0) == label.asnumpy()).mean() > 0.95


def test_files_keep_the_storage(tmp_path: Path) -> None:
    x, r = nd.array(A).tostype("csr"), nd.array(A).tostype("row_sparse")
    nd.save(str(tmp_path / "f"), {"x": x, "r": r, "d": nd.ones(2)})
    back = nd.load(str(tmp_path / "f"))
    assert [a.stype for a in back.values()] == ["csr", "row_sparse", "default"]
    np.testing.assert_array_equal(back["r"].asnumpy(), A)


def test_scipy_both_ways() -> None:
    scipy = pytest.importorskip("scipy.sparse", reason="scipy is optional")
    x = nd.array(A).tostype("csr")
    np.testing.assert_array_equal(x.asscipy().toarray(), A)
    for make in (nd.array, S.array, S.csr_matrix):
        np.testing.assert_array_equal(make(x.asscipy()).asnumpy(), A)
    unsorted = scipy.csr_matrix((np.array([1.0, 2.0]), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))
    assert S.csr_matrix(unsorted).indices.asnumpy().tolist() == [0, 2]
    with pytest.raises(ValueError, match="coo_matrix"):
        nd.array(scipy.coo_matrix(A))


def test_printing() -> None:
    x = nd.array(A)
    assert str(x.tostype("csr")) == "\n<CSRNDArray 3x3 @cpu(0)>"
    assert repr(x.tostype("row_sparse")) == "\n<RowSparseNDArray 3x3 @cpu(0)>"


def test_outputs_of_a_graph_have_the_storage_that_mxnet_infers() -> None:
    x = mx.sym.var("x", stype="csr")
    net = mx.sym.cast_storage(mx.sym.sparse.dot(x, mx.sym.var("w")), stype="csr")
    (y,) = net.eval(x=nd.array(A).tostype("csr"), w=nd.ones((3, 1)))
    assert y.stype == "csr"
    np.testing.assert_array_equal(y.asnumpy(), A.sum(1, keepdims=True))
    kept = mx.sym.sparse.retain(x, mx.sym.var("i")).eval(x=nd.array(A), i=nd.array([2]))[0]
    np.testing.assert_array_equal(kept.asnumpy(), A * [[0], [0], [1]])


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda x, r: x.reshape((9,)), NotSupportedForSparseNDArray, "reshape is not available for a sparse NDArray"),
        (lambda x, r: x[9], MXNetError, "row 9 is none of 3"),
        (lambda x, r: x[::2], ValueError, "without a step"),
        (lambda x, r: r[1], ValueError, r"tostype\('default'\) can be indexed"),
        (lambda x, r: list(x), TypeError, "not iterable"),
        (lambda x, r: x.tostype("row_sparse"), ValueError, "csr does not become row_sparse directly"),
        (lambda x, r: x.tostype("coo"), MXNetError, "stype='coo' is none of default, csr, row_sparse"),
        (lambda x, r: nd.dot(x, nd.ones((2, 2))), MXNetError, r"dot: shapes \(3, 3\) and \(2, 2\) do not multiply"),
        (lambda x, r: nd.dot(x, nd.ones(3)), MXNetError, r"reshape to \(n, 1\)"),
        (lambda x, r: x + x.astype("int32"), MXNetError, "must have one dtype"),
        (lambda x, r: S.retain(r, nd.array([5])), MXNetError, r"a row of \[5\] is none of 3"),
        (lambda x, r: S.retain(x, nd.array([1])), MXNetError, "takes a row_sparse array, not csr"),
        (lambda x, r: nd.contrib.getnnz(nd.ones((2, 2))), MXNetError, r"tostype\('csr'\) makes one"),
        (lambda x, r: setattr(x, "data", 1), NotImplementedError, "cannot be set"),
        (lambda x, r: x.size, NotImplementedError, "data.size"),
        (lambda x, r: nd.zeros((2, 2), stype="coo"), ValueError, "unknown storage type 'coo'"),
        (lambda x, r: S.csr_matrix(([1], ([5], [0])), shape=(2, 2)), ValueError, r"outside of shape \(2, 2\)"),
    ],
)
def test_mistakes(run: Any, error: type[Exception], message: str) -> None:
    x = nd.array(A)
    with pytest.raises(error, match=message):
        run(x.tostype("csr"), x.tostype("row_sparse"))
