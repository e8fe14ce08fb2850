# SPDX-License-Identifier: Apache-2.0
"""Stores: their messages, what a failed call leaves, how often something is launched, files of states."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.kvstore import merge


def pulled(kv: Any, key: Any, shape: tuple[int, ...] = (2, 2)) -> np.ndarray:
    out = mx.nd.zeros(shape)
    kv.pull(key, out=out)
    return out.asnumpy()


def rows(values: Any, indices: Any, shape: tuple[int, int] = (4, 1)) -> Any:
    return mx.nd.sparse.row_sparse_array((np.array(values, np.float32), indices), shape=shape)


@pytest.fixture
def kv() -> Any:
    made: Any = mx.kv.create("device")
    made.init(["weight", "bias"], [mx.nd.ones((2, 2)), mx.nd.zeros((2, 2))])
    return made


MISTAKES = {
    "key 'wieght' does not exist; did you mean 'weight'?\n  hint: init, or broadcast, enters a key": (
        mx.MXNetError, lambda kv, one: kv.push("wieght", one)),
    "duplicate init of key 'bias'": (mx.MXNetError, lambda kv, one: kv.init(["new", "bias"], [one, one])),
    "mixed key types: 3 comes to a store with keys such as 'weight'": (mx.MXNetError, lambda kv, one: kv.push(3, one)),
    "key 'weight' has shape (2, 2), and an array of shape (3,) comes": (
        mx.MXNetError, lambda kv, one: kv.push(["bias", "weight"], [one, [one, mx.nd.ones((3,))]])),
    "the arrays of key 'weight' have dtypes float32 and float64": (
        mx.MXNetError, lambda kv, one: kv.push("weight", [one, one.astype("float64")])),
    "key 'bias' has shape (2, 2), and out has shape (3,)": (
        mx.MXNetError, lambda kv, one: kv.pull(["weight", "bias"], out=[one, mx.nd.zeros((3,))])),
    "an array of key 'weight' has csr storage": (
        mx.MXNetError, lambda kv, one: kv.push("weight", one.tostype("csr"))),
    "the value of key 'weight' has default storage\n  hint: initialise it with a row_sparse array": (
        mx.MXNetError, lambda kv, one: kv.row_sparse_pull("weight", out=one.tostype("row_sparse"), row_ids=one)),
    "unexpected type for a key: 1.5 is a float": (AssertionError, lambda kv, one: kv.push(1.5, one)),
    "inconsistent types of keys: ['weight', 1]": (AssertionError, lambda kv, one: kv.push(["weight", 1], [one, one])),
    "2 keys and 1 as value": (AssertionError, lambda kv, one: kv.push(["weight", "bias"], [one])),
    "the value of key 'weight' must be an NDArray or a list of them, got ndarray": (
        AssertionError, lambda kv, one: kv.push("weight", one.asnumpy())),
    "the out of key 'weight' must be an NDArray or a list of them, got NoneType": (
        AssertionError, lambda kv, one: kv.pull("weight")),
    "the value of key 'weight' is an empty list": (AssertionError, lambda kv, one: kv.push("weight", [])),
    "'sgd' is no optimizer": (AttributeError, lambda kv, one: kv.set_optimizer("sgd")),
    "the store has no optimizer, and so no states": (
        AssertionError, lambda kv, one: kv.save_optimizer_states("unwritten.states")),
    "type='1bit' is no compression": (mx.MXNetError, lambda kv, one: kv.set_gradient_compression({"type": "1bit"})),
    "threshold=0 is not above 0": (
        mx.MXNetError, lambda kv, one: kv.set_gradient_compression({"type": "2bit", "threshold": 0})),
    "threshold='x' is not above 0": (
        mx.MXNetError, lambda kv, one: kv.set_gradient_compression({"type": "2bit", "threshold": "x"})),
    "unknown capability 'optimiser'; did you mean 'optimizer'?": (
        ValueError, lambda kv, one: kv.is_capable("optimiser")),
    "there is no kvstore 'dist_snyc'; did you mean 'dist_sync'?": (
        mx.MXNetError, lambda kv, one: mx.kv.create("dist_snyc")),
    "there is no kvstore 'horovod'\n  hint: 'dist_sync' does what it is for": (
        mx.MXNetError, lambda kv, one: mx.kv.create("horovod")),
    "there are no parameter servers": (mx.MXNetError, lambda kv, one: mx.kv.KVStoreServer(kv).run()),
    "KVStoreBase: this store has no rank": (NotImplementedError, lambda kv, one: mx.kv.KVStoreBase().rank),
    "KVStore: no handle: 3": (AssertionError, lambda kv, one: type(kv)(3)),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_explained_and_change_nothing(kv: Any, message: str) -> None:
    kind, call = MISTAKES[message]
    one = mx.nd.ones((2, 2)) * 7
    with pytest.raises(kind) as caught:
        call(kv, one)
    assert message in str(caught.value)
    assert (one.asnumpy() == 7).all()
    assert (pulled(kv, "weight") == 1).all() and (pulled(kv, "bias") == 0).all()
    assert kv.handle.values.keys() == {"weight", "bias"} and kv.handle.compression is None


def test_rows_that_do_not_exist(kv: Any) -> None:
    kv.init("table", rows([[1], [2]], [0, 2]))
    with pytest.raises(mx.MXNetError, match=r"row_ids of key 'table' go from 1 to 4, and there are 4 rows"):
        kv.row_sparse_pull("table", out=mx.nd.sparse.zeros("row_sparse", (4, 1)), row_ids=mx.nd.array([4, 1]))
    with pytest.raises(AssertionError, match="2 arrays of key 'table' and 1 row_ids"):
        outs = [mx.nd.sparse.zeros("row_sparse", (4, 1)) for _ in range(2)]
        kv.row_sparse_pull("table", out=outs, row_ids=[mx.nd.array([1])])


def test_values_are_nobody_elses(kv: Any) -> None:
    given, taken = mx.nd.ones((2, 2)), mx.nd.zeros((2, 2))
    kv.init("x", given)
    given[:] = 5
    kv.pull("x", out=taken)
    taken[0] += 3
    assert (pulled(kv, "x") == 1).all() and taken.asnumpy().tolist() == [[4, 4], [1, 1]]
    grad = mx.nd.ones((2, 2)) * 2
    kv.push("x", grad)
    grad[:] = 9  # MXNet would change the stored value
    assert (pulled(kv, "x") == 2).all()


@pytest.mark.parametrize("compressed", [False, True])
def test_many_keys_are_one_launch_and_compiled_once(monkeypatch: pytest.MonkeyPatch, compressed: bool) -> None:
    launches = []
    for name in ("_sums", "_quantised"):
        program = getattr(merge, name)
        monkeypatch.setattr(merge, name, lambda *args, p=program: launches.append(p) or p(*args))
    kv: Any = mx.kv.create("device")
    if compressed:
        kv.set_gradient_compression({"type": "2bit"})
    keys = [f"w{i}" for i in range(6)]
    kv.init(keys, [mx.nd.zeros((i + 1,)) for i in range(6)])
    grads = [[mx.nd.ones((i + 1,)), mx.nd.ones((i + 1,))] for i in range(6)]
    kv.push(keys, grads)
    assert len(launches) == 1 + compressed
    sizes = [p._cache_size() for p in launches]
    for _ in range(3):
        kv.push(keys, grads)
    assert [p._cache_size() for p in launches[-len(sizes) :]] == sizes
    assert pulled(kv, "w4", (5,)).tolist() == [1.0 if compressed else 2.0] * 5


def test_an_optimizer_updates_all_keys_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    run = mx.optimizer.SGD._run
    monkeypatch.setattr(mx.optimizer.SGD, "_run", lambda self, *args: calls.append(args[0]) or run(self, *args))
    kv: Any = mx.kv.create("local")
    kv.init([1, 2, 3], [mx.nd.ones((2, 2))] * 3)
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.5))
    kv.push([1, 2, 3], [mx.nd.ones((2, 2)) * i for i in range(3)])
    assert calls == [[1, 2, 3]]
    assert [pulled(kv, i)[0, 0] for i in (1, 2, 3)] == [1, 0.5, 0]


def test_a_push_while_a_gradient_is_recorded(kv: Any) -> None:
    x = mx.nd.ones((2, 2))
    x.attach_grad()
    out = mx.nd.zeros((2, 2))
    with mx.autograd.record():
        y = x * 3
        kv.push("weight", [y, y])
        kv.pull("weight", out=out)
    y.backward()
    assert (out.asnumpy() == 6).all()
    assert x.grad is not None and (x.grad.asnumpy() == 3).all()


def test_states_go_through_files(tmp_path: Path) -> None:
    def store() -> Any:
        kv: Any = mx.kv.create("local")
        kv.init(["x", "y"], [mx.nd.ones((2, 2))] * 2)
        kv.set_optimizer(mx.optimizer.Adam(learning_rate=0.1))
        return kv

    def step(kv: Any) -> list[Any]:
        kv.push(["x", "y"], [mx.nd.ones((2, 2)), mx.nd.ones((2, 2)) * 2])
        return [pulled(kv, "x"), pulled(kv, "y")]

    first, path = store(), tmp_path / "adam.states"
    step(first)
    first.save_optimizer_states(path, dump_optimizer=True)
    second = store()
    second.handle.values = {k: v.copy() for k, v in first.handle.values.items()}
    second.load_optimizer_states(path)
    np.testing.assert_array_equal(step(second), step(first))
    broken = tmp_path / "broken.states"
    broken.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(mx.MXNetError, match="invalid optimizer states"):
        second.load_optimizer_states(broken)
    np.testing.assert_array_equal(step(second), step(first))
    with pytest.raises(mx.MXNetError, match=r"cannot open .*absent.states.*: No such file"):
        second.load_optimizer_states(tmp_path / "absent.states")


def test_a_store_of_all_workers_in_a_process_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        kv: Any = mx.kv.create("dist_async")
    assert "updates are synchronous, as with dist_sync" in caplog.text
    assert (kv.type, kv.rank, kv.num_workers) == ("dist_async", 0, 1)
    kv.init("x", mx.nd.ones((2, 2)))
    kv.init("csr", mx.nd.ones((2, 2)).tostype("csr"))
    kv.push("x", [mx.nd.ones((2, 2))] * 2)
    kv.barrier()
    kv._send_command_to_servers(0, "")
    assert (pulled(kv, "x") == 2).all() and (pulled(kv, "csr") == 1).all() and not kv._is_p3


def test_a_class_of_the_users_own() -> None:
    try:

        @mx.kv.KVStoreBase.register
        class MyStore(mx.kv.KVStoreBase):
            pass

        assert type(mx.kv.create("mystore")) is MyStore
    finally:
        mx.kv.KVStoreBase.kv_registry.pop("mystore", None)


def test_sparse_arrays_are_told_when_they_are_left_alone(kv: Any, caplog: pytest.LogCaptureFixture) -> None:
    kv.init("table", rows([[1], [2]], [0, 2]))
    out = rows([[9]], [3])
    kv.pull("table", out=out)
    assert "the row_sparse array for key 'table' was left as it is; use row_sparse_pull" in caplog.text
    assert out.indices.asnumpy().tolist() == [3]


def test_unsorted_rows_are_put_in_order(kv: Any) -> None:
    kv.init("table", rows([[1], [2]], [0, 2]))
    kv.push("table", [rows([[3], [4]], [1, 3]), rows([[5], [6], [7]], [0, 1, 2])])
    out = mx.nd.sparse.zeros("row_sparse", (4, 1))
    kv.pull("table", out=out, ignore_sparse=False)
    assert out.indices.asnumpy().tolist() == [0, 1, 2, 3] and out.data.asnumpy().ravel().tolist() == [5, 9, 7, 4]


def test_an_unknown_name_is_a_local_store_as_in_mxnet_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    store: Any = mx.kv.create("locl")
    assert store.type == "locl" and store.num_workers == 1
    store.init(3, mx.nd.ones((2, 2)))
    assert (pulled(store, 3) == 1).all()
    assert "a local store, for there is no kvstore 'locl'; did you mean 'local'?" in caplog.text
