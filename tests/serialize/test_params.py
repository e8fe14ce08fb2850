# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.save` and `mx.nd.load`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.serialize import params
from tests.archives import read_npz

PARAMS = Path(__file__).parents[1] / "golden" / "params"
EXPECTED = json.loads((PARAMS / "expected.json").read_text())
VALUES = read_npz(PARAMS / "expected.npz")
ORACLE = os.environ.get("MXLITE_ORACLE")
#: Files that MXNet 1.9.1 writes byte for byte so: dense, classic, of today's header.
SAME = ["single_array", "list", "dict", "all_dtypes", "shapes", "special_values", "odd_names", "empty_list", "bfloat16",
        "np_shape", "handmade_v2"]  # fmt: skip


def items(loaded: Any) -> list[tuple[str, mx.nd.NDArray]]:
    return list(loaded.items()) if isinstance(loaded, dict) else [("", a) for a in loaded]


@pytest.mark.parametrize("name", sorted(EXPECTED))
@pytest.mark.filterwarnings("ignore:.*read as dense")
def test_loads_what_mxnet_loads(name: str):
    found = items(params.load(PARAMS / name))
    entries = EXPECTED[name]["entries"]
    assert [n for n, _ in found] == [e["name"] for e in entries]
    for entry, (_, array) in zip(entries, found, strict=True):
        assert isinstance(array, mx.nd.NDArray) and array.context == mx.cpu(0)
        assert (list(array.shape), np.dtype(array.dtype).name) == (entry["shape"], entry["dtype"])
        key = f"{name}|{entry['index']}"
        if key in VALUES:
            np.testing.assert_array_equal(array.asnumpy(), VALUES[key])


@pytest.mark.parametrize("name", SAME)
def test_saves_the_bytes_that_mxnet_saves(name: str, tmp_path: Path):
    file = PARAMS / f"{name}.params"
    params.save(str(tmp_path / "f"), params.load(file))
    assert (tmp_path / "f").read_bytes() == file.read_bytes()
    assert params.save_tobuffer(params.load_frombuffer(file.read_bytes())) == file.read_bytes()


def test_it_is_mx_nd():
    assert mx.nd.save is params.save and mx.nd.load is params.load and mx.nd.load_frombuffer is params.load_frombuffer


def test_one_array_and_views(tmp_path: Path):
    a = mx.nd.array(np.arange(6).reshape(3, 2))
    params.save(tmp_path / "f", a[1:2])
    (back,) = params.load(tmp_path / "f")
    assert back.asnumpy().tolist() == [[2, 3]]
    back[:] = 7  # what was loaded is an array like any other
    assert back.asnumpy().tolist() == [[7, 7]]


def test_saving_takes_the_values_of_the_moment(tmp_path: Path):
    a = mx.nd.zeros((2,))
    a += 1
    params.save(tmp_path / "f", {"a": a})
    a += 1
    assert params.load(tmp_path / "f")["a"].asnumpy().tolist() == [1, 1]


def test_sparse_arrays_stay_sparse_and_are_written_as_they_were():
    for name in ("mixed_storage", "csr", "row_sparse", "csr_empty", "row_sparse_empty"):
        data = (PARAMS / f"{name}.params").read_bytes()
        found = params.load_frombuffer(data)
        stypes = [a.stype for a in (found.values() if isinstance(found, dict) else found)]
        assert set(stypes) - {"default"}
        again = params.load_frombuffer(params.save_tobuffer(found))
        assert [a.stype for a in (again.values() if isinstance(again, dict) else again)] == stypes
        if "empty" not in name:  # MXNet writes an empty array without its index arrays
            assert params.save_tobuffer(found) == data


def test_the_device_of_the_file(tmp_path: Path):
    params.save(tmp_path / "f", mx.nd.ones((2,), ctx=mx.cpu(2)))
    assert params.load(tmp_path / "f")[0].context == mx.cpu(0)  # as MXNet


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ((), ValueError, "an NDArray, a list of them or a dict"),
        (3, ValueError, "got int"),
        ([3], TypeError, "item 0 is of type int"),
        ({1: None}, TypeError, "names of saved arrays must be text, got 1"),
        ({"a": np.ones(3)}, TypeError, "the entry 'a' is of type numpy.ndarray; mx.nd.array"),
    ],
)
def test_what_cannot_be_saved(data: Any, error: type[Exception], message: str, tmp_path: Path):
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(error, match=message):
        params.save(tmp_path / "f", data)
    assert (tmp_path / "f").read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


def test_names_of_files(tmp_path: Path):
    with pytest.raises(TypeError, match="fname must be a path"):
        params.save(3, mx.nd.ones((1,)))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="fname must be a path"):
        params.load(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="buf must be bytes"):
        params.load_frombuffer("abc")  # type: ignore[arg-type]
    with pytest.raises(mx.MXNetError, match=r"cannot open '.*none': No such file"):
        params.load(tmp_path / "none")
    with pytest.raises(mx.MXNetError, match=r"cannot open .*directory"):
        params.load(tmp_path)
    with pytest.raises(mx.MXNetError, match=r"cannot write .*: No such file"):
        params.save(tmp_path / "none" / "f", mx.nd.ones((1,)))


@pytest.mark.parametrize("name", ["truncated", "magic", "empty", "array_magic"])
def test_damaged_files(name: str):
    with pytest.raises(mx.MXNetError, match=f"corrupt_{name}.params.* at byte"):
        params.load(PARAMS / f"corrupt_{name}.params")
    with pytest.raises(mx.MXNetError, match=r"in memory.* at byte"):
        params.load_frombuffer((PARAMS / f"corrupt_{name}.params").read_bytes())


def test_64_bits_switched_off_are_told():
    path = str(PARAMS / "all_dtypes.params")
    code = f"import mxlite as mx\ntry:\n    mx.nd.load({path!r})\nexcept mx.MXNetError as e:\n    print(e)"
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "compiler")])
    env = {**os.environ, "PYTHONPATH": paths, "MXLITE_ENABLE_X64": "0", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "float64" in done.stdout and "MXLITE_ENABLE_X64" in done.stdout


READ_IN_MXNET = """
import sys, json, numpy as np, mxnet as mx
a = mx.nd.load(sys.argv[1])
assert list(a) == ["arg:w", "aux:m", "n\\u00e9"], list(a)
for k, v in a.items():
    assert (v.asnumpy() == np.load(sys.argv[2])[k]).all() and v.dtype == np.load(sys.argv[2])[k].dtype
mx.nd.save(sys.argv[3], a)
"""


@pytest.mark.oracle
@pytest.mark.skipif(not ORACLE, reason="MXLITE_ORACLE names no oracle")
def test_mxnet_reads_what_is_written(tmp_path: Path):
    values = {
        "arg:w": np.ones((2, 3), np.float32),
        "aux:m": np.arange(4, dtype=np.int64),
        "né": np.zeros(2, np.float16),
    }
    params.save(tmp_path / "f", {k: mx.nd.array(v, dtype=v.dtype) for k, v in values.items()})
    np.savez(tmp_path / "values.npz", **values)
    (tmp_path / "read.py").write_text(READ_IN_MXNET)
    command = [str(ORACLE), *(str(tmp_path / n) for n in ("read.py", "f", "values.npz", "again"))]
    subprocess.run(command, check=True)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "f").read_bytes()
