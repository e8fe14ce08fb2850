# SPDX-License-Identifier: Apache-2.0
"""Device, environment variables, retries, data sets on disk."""

from __future__ import annotations

import gzip
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite import test_utils as tu


def test_default_context() -> None:
    before = tu.default_context()
    try:
        tu.set_default_context(mx.cpu(1))
        assert tu.default_context() == mx.current_context() == mx.nd.ones((1,)).context == mx.cpu(1)
        with mx.cpu(3):
            assert tu.default_context() == mx.cpu(3)
        assert tu.default_context() == mx.cpu(1)
    finally:
        tu.set_default_context(before)
    assert list(tu.list_gpus()) == list(range(mx.num_gpus()))


def test_what_kind_of_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CD_JOB", raising=False)
    assert not tu.is_cd_run()
    monkeypatch.setenv("CD_JOB", "1")
    assert tu.is_cd_run()
    assert tu.is_op_runnable()
    assert not tu.has_tvm_ops()
    assert isinstance(tu.is_aarch64_run(), bool)


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXNET_BAR", "7")
    monkeypatch.delenv("MXNET_FOO", raising=False)
    with tu.environment({"MXNET_FOO": "1", "MXNET_BAR": None}):
        assert (tu.getenv("MXNET_FOO"), os.environ.get("MXNET_BAR")) == ("1", None)
        with tu.environment("MXNET_FOO", "2"):
            assert tu.getenv("MXNET_FOO") == "2"
        assert tu.getenv("MXNET_FOO") == "1"
    assert (tu.getenv("MXNET_FOO"), tu.getenv("MXNET_BAR")) == (None, "7")
    with pytest.raises(ZeroDivisionError), tu.environment("MXNET_BAR", "8"):
        raise ZeroDivisionError
    assert tu.getenv("MXNET_BAR") == "7"
    for wrong in ((), ("MXNET_BAR",), ("a", "b", "c")):
        with pytest.raises(AssertionError, match="one dict, or the name"), tu.environment(*wrong):
            pass
    with pytest.raises(TypeError), tu.environment("MXNET_BAR", 1):
        pass
    assert tu.getenv("MXNET_BAR") == "7"


def test_discard_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with tu.discard_stderr():
        os.write(2, b"hidden")
    print("seen", file=sys.stderr)
    assert capfd.readouterr().err == "seen\n"


def test_assert_exception() -> None:
    tu.assert_exception(int, ValueError, "x")
    tu.assert_exception(int, (TypeError, ValueError), "x", base=10)
    with pytest.raises(AssertionError, match="int did not raise"):
        tu.assert_exception(int, ValueError, "3")
    with pytest.raises(ValueError, match="invalid literal"):
        tu.assert_exception(int, KeyError, "x")


def test_retry() -> None:
    tried = []

    @tu.retry(3)
    def test(enough: int) -> str:
        """Documented."""
        tried.append(1)
        if len(tried) < enough:
            raise AssertionError(f"only {len(tried)}")
        return "done"

    assert test(2) == "done"
    assert (len(tried), test.__doc__) == (2, "Documented.")
    tried.clear()
    with pytest.raises(AssertionError, match="only 3"):
        test(9)
    with pytest.raises(AssertionError, match="at least 1, got 0"):
        tu.retry(0)


def test_dummy_iter_repeats_the_first_batch() -> None:
    real = mx.io.NDArrayIter(np.arange(6).reshape(6, 1), np.arange(6), 2)
    dummy = tu.DummyIter(real)
    assert (dummy.batch_size, dummy.provide_data, dummy.provide_label) == (2, real.provide_data, real.provide_label)
    assert [next(dummy).data[0].asnumpy().ravel().tolist() for _ in range(5)] == [[0, 1]] * 5


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for ask in (tu.get_mnist, tu.get_mnist_ubyte, tu.get_mnist_pkl, tu.get_cifar10):
        with pytest.raises(mx.MXNetError, match=r"data/.* is not here, and mxlite downloads nothing\n *hint: put"):
            ask()
    with pytest.raises(mx.MXNetError, match=r"a.bin is not here.*\n.*http://localhost/a.bin"):
        tu.download("http://localhost/a.bin")
    with pytest.raises(mx.MXNetError, match=r"net-symbol\.json is not here"):
        tu.download_model("net")
    with pytest.raises(mx.MXNetError, match=r"x\.zip is not here"):
        tu.get_zip_data("data", "http://localhost/x.zip", "x.zip")
    with pytest.raises(mx.MXNetError, match="data/x is not here"):
        tu.get_bz2_data("data", "x", "http://localhost/x.bz2", "x.bz2")
    (tmp_path / "a.bin").write_bytes(b"1")
    assert tu.download("http://localhost/a.bin") == "a.bin"
    (tmp_path / "net-symbol.json").touch()
    (tmp_path / "net-0000.params").touch()
    assert tu.download_model("net", str(tmp_path)) == (str(tmp_path / "net"), 0)


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def test_mnist_is_read_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    images = np.arange(6 * 28 * 28).reshape(6, 28, 28).astype(np.uint8)
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        (tmp_path / "data" / name).write_bytes(idx(images))
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / "data" / f"{name}.gz").write_bytes(gzip.compress(idx(np.arange(6, dtype=np.uint8))))
    tu.get_mnist_ubyte()
    mnist = tu.get_mnist()
    assert (mnist["train_data"].shape, mnist["train_data"].dtype) == ((6, 1, 28, 28), np.float32)
    np.testing.assert_allclose(mnist["test_data"][:, 0] * 255, images, rtol=1e-6)
    np.testing.assert_array_equal(mnist["test_label"], np.arange(6))
    train, test = tu.get_mnist_iterator(3, (784,), num_parts=2, part_index=1)
    assert sorted(next(train).label[0].asnumpy().tolist()) == [1, 3, 5]
    assert next(test).data[0].shape == (3, 784)
    (tmp_path / "data" / "train-images-idx3-ubyte").write_bytes(idx(images)[:-1])
    with pytest.raises(mx.MXNetError, match="no IDX file of unsigned bytes, or it is cut off"):
        tu.get_mnist()
