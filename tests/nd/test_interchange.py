# SPDX-License-Identifier: Apache-2.0
"""Arrays of other libraries: numpy's protocols, DLPack, `from_numpy`, operators with numpy on either side, pictures."""

from __future__ import annotations

import ctypes
import io
from typing import Any

import numpy as np
import pytest

import mxlite as mx


def test_numpy_functions_take_arrays() -> None:
    a = mx.nd.array([[1, 2], [3, 4]])
    assert isinstance(np.exp(a), np.ndarray)
    np.testing.assert_array_equal(np.maximum(a, 2), [[2, 2], [3, 4]])
    assert np.asarray(a, dtype="int32").dtype == np.int32
    copied, seen = np.array(a), np.asarray(a, copy=False)
    copied[0] = 9
    assert not seen.flags.writeable and seen[0, 0] == 1 and a.asnumpy()[0, 0] == 1
    a[:] = 0
    assert seen[0, 0] == 1
    with pytest.raises(ValueError, match="without a copy"):
        a.__array__("float64", copy=False)


def test_numpy_on_the_left() -> None:
    a = mx.nd.array([1, 2], dtype="int32")
    for result in (np.float32(2.5) * a, np.int64(3) - a, np.float64(2) < a):
        assert isinstance(result, mx.nd.NDArray) and result.dtype == np.int32
    values = np.ones(2)
    for left, error in ((lambda: values - a, AssertionError), (lambda: values + a, TypeError)):
        with pytest.raises(error, match="ndarray"):
            left()
    with pytest.raises(AssertionError, match="ndarray"):
        values -= a
    assert values.tolist() == [1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int8", "int32", "int64", "bool"])
def test_dlpack_round_trip(dtype: str) -> None:
    a = mx.nd.array([[0, 1], [2, 3]], dtype=dtype)
    for back in (mx.nd.from_dlpack(a), mx.nd.from_dlpack(a.to_dlpack_for_read()), mx.nd.from_dlpack(np.from_dlpack(a))):
        assert back.dtype == a.dtype and back.asnumpy().tolist() == a.asnumpy().tolist()
        back[:] = 1
    assert a.asnumpy().tolist() == np.arange(4).reshape(2, 2).astype(dtype).tolist()


def test_a_capsule_is_taken_once() -> None:
    capsule = mx.nd.to_dlpack_for_read(mx.nd.ones(2))
    mx.nd.from_dlpack(capsule)
    for wrong in (capsule, 3):
        with pytest.raises(AssertionError, match="from_dlpack"):
            mx.nd.from_dlpack(wrong)


class Holder:
    """An object of today's protocol around a capsule."""

    def __init__(self, capsule: Any):
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def test_what_is_written_through_a_capsule_is_seen() -> None:
    a = mx.nd.zeros(3)
    kept = a.to_jax()
    memory = np.from_dlpack(Holder(mx.nd.to_dlpack_for_write(a)))
    ctypes.cast(memory.ctypes.data, ctypes.POINTER(ctypes.c_float))[1] = 7
    assert a.asnumpy().tolist() == [0, 7, 0] and kept.tolist() == [0, 0, 0]
    with pytest.raises(mx.MXNetError, match="part of one"):
        a[1:].to_dlpack_for_write()


def test_from_numpy() -> None:
    values = np.arange(64, dtype=np.float32)
    a = mx.nd.from_numpy(values)
    assert not values.flags.writeable and a.dtype == np.float32
    a[:] = 5
    assert values[3] == 3
    assert mx.nd.from_numpy(values).asnumpy()[3] == 3  # a read-only source
    own = np.arange(3)
    b = mx.nd.from_numpy(own, zero_copy=False)
    own[0] = 9
    assert b.dtype == np.int64 and b.asnumpy().tolist() == [0, 1, 2]
    assert mx.nd.from_numpy(np.ones((3, 2)).T, zero_copy=False).shape == (2, 3)
    with pytest.raises(ValueError, match="C-contiguous"):
        mx.nd.from_numpy(np.ones((3, 2)).T)
    with pytest.raises(TypeError, match="list"):
        mx.nd.from_numpy([1])  # pyright: ignore[reportArgumentType]
    with pytest.raises(mx.MXNetError, match="uint16"):
        mx.nd.from_numpy(np.ones(2, np.uint16))


def test_imdecode() -> None:
    image = pytest.importorskip("PIL.Image", reason="writes a picture with Pillow")
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    file = io.BytesIO()
    image.fromarray(pixels).save(file, "PNG")
    data = file.getvalue()
    planes = pixels.transpose(2, 0, 1)
    np.testing.assert_array_equal(mx.nd.imdecode(data).asnumpy(), planes)
    np.testing.assert_array_equal(mx.nd.imdecode(data, (1, 0, 3, 1)).asnumpy(), planes[:, :1, 1:])
    batch = mx.nd.zeros((2, 3, 2, 3))
    assert mx.nd.imdecode(data, out=batch, index=1, mean=mx.nd.ones((3, 1, 1))) is batch
    np.testing.assert_array_equal(batch.asnumpy()[1], planes - 1.0)
    assert mx.nd.imdecode(data, channels=1).shape == (1, 2, 3)
    for call in (lambda: mx.nd.imdecode(b"no"), lambda: mx.nd.imdecode(data, (0, 0, 9, 1)),
                 lambda: mx.nd.imdecode(data, channels=2)):  # fmt: skip
        with pytest.raises(mx.MXNetError, match="imdecode"):
            call()


def test_as_np_ndarray_says_what_to_use() -> None:
    with pytest.raises(mx.MXNetError, match="asnumpy"):
        mx.nd.ones(2).as_np_ndarray()
