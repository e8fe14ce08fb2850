# SPDX-License-Identifier: Apache-2.0
"""Devices, 64 bits, and the random state."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import mxlite as mx


def test_contexts_nest_and_are_a_threads_own() -> None:
    assert mx.current_context() == mx.cpu(0)
    with mx.Context("cpu", 1):
        with mx.cpu(2) as inner:
            assert mx.current_context() == mx.cpu(2) == inner
            assert mx.nd.zeros((1,)).context == mx.cpu(2)
        assert mx.current_context() == mx.cpu(1)
        seen: list[mx.Context] = []
        thread = threading.Thread(target=lambda: seen.append(mx.current_context()))
        thread.start()
        thread.join()
        assert seen == [mx.cpu(0)]
    with pytest.raises(ZeroDivisionError), mx.cpu(1):
        raise ZeroDivisionError
    assert mx.current_context() == mx.cpu(0)


def test_one_context_entered_twice() -> None:
    ctx = mx.cpu(3)
    with ctx, ctx:
        assert mx.current_context() == ctx
    assert mx.current_context() == mx.cpu(0)


def test_context_values() -> None:
    assert pickle.loads(pickle.dumps(mx.gpu(3))) == mx.gpu(3)
    assert {mx.cpu(0): 1}[mx.Context("cpu")] == 1
    assert str(mx.tpu(1)) == "tpu(1)"
    with pytest.raises(KeyError, match="tpuu"):
        mx.Context("tpuu")


@pytest.mark.parametrize("make", [mx.nd.zeros, mx.nd.ones, mx.nd.empty, lambda s, c: mx.nd.array(np.zeros(s), c)])
def test_a_device_that_is_not_there(make) -> None:
    with pytest.raises(mx.MXNetError, match=r"gpu\(99\).*\n.*cpu\(0\)"):
        make((2,), mx.gpu(99))
    with pytest.raises(mx.MXNetError, match=r"tpu\(99\)"):
        mx.nd.zeros((2,)).as_in_context(mx.tpu(99))


def test_as_in_context() -> None:
    a = mx.nd.arange(3)
    assert a.as_in_context(mx.cpu(0)) is a
    b = a.as_in_context(mx.cpu(1))
    b[:] = 9
    assert b.context == mx.cpu(1) and a.asnumpy().tolist() == [0, 1, 2]
    assert (b + a).context == mx.cpu(1)


def test_seed_repeats_and_streams_differ() -> None:
    mx.random.seed(7)
    a, b = mx.random.draw_key(), mx.random.draw_key()
    mx.random.seed(7)
    assert (mx.random.draw_key() == a).all() and (a != b).any()
    mx.random.seed(7)
    other = mx.random.draw_key(mx.cpu(1))
    assert (other != a).any()
    mx.random.seed(8)
    assert (mx.random.draw_key() != a).any()
    mx.random.seed(5, ctx=mx.cpu(1))
    one = mx.random.draw_key(mx.cpu(1))
    mx.random.seed(5, ctx=mx.cpu(1))
    assert (mx.random.draw_key(mx.cpu(1)) == one).all()
    with pytest.raises(ValueError, match="int"):
        mx.random.seed("a")  # pyright: ignore[reportArgumentType]


def test_random_arrays_repeat() -> None:
    mx.random.seed(3)
    a, b = mx.nd.random.uniform(shape=(4,)), mx.nd.random.normal(2, 3, shape=(4,))
    mx.random.seed(3)
    assert (mx.random.uniform(shape=(4,)).asnumpy() == a.asnumpy()).all()
    assert (mx.random.normal(2, 3, shape=(4,)).asnumpy() == b.asnumpy()).all()


def test_random_out_keeps_its_array() -> None:
    out = mx.nd.zeros((500,))
    mx.random.uniform(-2, 3, out=out)
    values = out.asnumpy()
    assert -2 <= values.min() < -1.5 and 2.5 < values.max() < 3
    with pytest.raises(AssertionError, match="parameters"):
        mx.random.normal(mx.nd.zeros((2,)), 1)
    with pytest.raises(ValueError, match="numbers"):
        mx.random.uniform("a", 1)
    assert mx.random.uniform(mx.nd.array([0, 10]), mx.nd.array([1, 11]), shape=3).shape == (2, 3)


def test_without_64_bits_a_64_bit_array_is_an_error() -> None:
    source = (
        "import mxlite as mx, numpy as np\n"
        "assert mx.nd.array(np.ones(2)).dtype == np.float32\n"
        "assert (mx.nd.ones((2,)) * 2.5)[0].asscalar() == 2.5\n"
        "for make in (lambda: mx.nd.zeros((2,), dtype='float64'), lambda: mx.nd.ones((2,)).astype('int64'),\n"
        "             lambda: mx.nd.array([1], dtype='int64')):\n"
        "    try: make()\n"
        "    except mx.MXNetError as e: assert '64' in str(e) and 'MXLITE_ENABLE_X64' in str(e), e\n"
        "    else: raise SystemExit('no error')\n"
    )
    env = {**os.environ, "MXLITE_ENABLE_X64": "0", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr + done.stdout


def test_printing() -> None:
    assert repr(mx.nd.ones((2, 3))) == "\n[[1. 1. 1.]\n [1. 1. 1.]]\n<NDArray 2x3 @cpu(0)>"
    assert str(mx.nd.array([1, 2], mx.cpu(1), "int32")) == "\n[1 2]\n<NDArray 2 @cpu(1)>"
    assert str(mx.nd.array(3)) == "\n3.0\n<NDArray  @cpu(0)>"
    assert str(mx.nd.zeros((100, 100))).endswith("<NDArray 100x100 @cpu(0)>")


def test_waitall_settles_everything() -> None:
    a = mx.nd.ones((100, 100))
    b = mx.nd.dot(a, a)
    mx.nd.waitall()
    assert b._data.is_ready()  # pyright: ignore[reportAttributeAccessIssue]
