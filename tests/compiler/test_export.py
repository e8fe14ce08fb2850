# SPDX-License-Identifier: Apache-2.0
"""Artefacts: the numbers of the network, open sizes, files that run with jax alone, damage."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mxlite_compiler  # noqa: F401  (registers the operators)
from mxlite_compiler.artefact import Artefact, load_artefact
from mxlite_compiler.errors import MXNetError
from mxlite_compiler.export import export_graph
from mxlite_compiler.graph import Entry, Graph, Node
from mxlite_compiler.lower import lower
from mxlite_compiler.op import OPS

pytest.importorskip("flatbuffers")
ROOT = Path(__file__).parents[2]


def var(name: str, **attrs: Any) -> Entry:
    return Entry(Node(None, name, attrs))


def call(op: str, name: str, *inputs: Entry, **attrs: Any) -> Entry:
    return Entry(Node(OPS[op], name, attrs, inputs))


def dense(x: Entry, name: str, hidden: int) -> Entry:
    return call("FullyConnected", name, x, var(f"{name}_weight"), var(f"{name}_bias"), num_hidden=hidden)


def small_net() -> Graph:
    x = call("Activation", "act", dense(var("data"), "fc1", 8), act_type="relu")
    bn = [var(f"bn_{n}") for n in ("gamma", "beta", "moving_mean", "moving_var")]
    x = call("Dropout", "drop", call("BatchNorm", "bn", x, *bn))
    return Graph([call("SoftmaxOutput", "softmax", dense(x, "fc2", 3), var("softmax_label"))])


def small_params(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"fc1_weight": (8, 5), "fc1_bias": (8,), "fc2_weight": (3, 8), "fc2_bias": (3,)}
    shapes.update({f"bn_{n}": (8,) for n in ("gamma", "beta", "moving_mean", "moving_var")})
    return {n: rng.uniform(0.1, 1, s).astype(np.float32) for n, s in shapes.items()}


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return export_graph(small_net(), small_params(), {"data": ("batch", 5)})


def expected(x: np.ndarray) -> np.ndarray:
    label = np.zeros((len(x),), np.float32)
    arrays = {"data": x, "softmax_label": label, **small_params()}
    (out,), _ = lower(small_net())({n: jax.numpy.asarray(v) for n, v in arrays.items()})
    return np.asarray(out)


def test_any_batch_gives_the_numbers_of_the_network(artefact: Artefact, tmp_path: Path):
    path = tmp_path / "net.mxhlo"
    artefact.save(path)
    again = load_artefact(path)
    assert (again.input_names, again.output_names) == (["data"], ["softmax_output"])
    specs = [str(s) for s in again.inputs + again.outputs]
    assert specs == ["data: float32[batch, 5]", "softmax_output: float32[batch, 3]"]
    assert again.platforms == ("cpu", "cuda", "tpu")
    for batch in (1, 4, 17):
        x = np.random.default_rng(batch).normal(size=(batch, 5)).astype(np.float32)
        for net in (artefact, again):
            (out,) = net(data=x)
            np.testing.assert_allclose(np.asarray(out), expected(x), rtol=1e-6, atol=1e-7)


def test_the_same_network_gives_the_same_bytes(artefact: Artefact, tmp_path: Path):
    assert "fc1" in artefact.text() and ".py" not in artefact.text()
    artefact.save(tmp_path / "a")
    load_artefact(tmp_path / "a").save(tmp_path / "b")
    export_graph(small_net(), small_params(), {"data": ("batch", 5)}).save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_the_readme_loader_runs_with_jax_alone(artefact: Artefact, tmp_path: Path):
    """The lines shown in compiler/README.md, in a process that finds neither mxlite nor the compiler."""
    text = (ROOT / "compiler" / "README.md").read_text()
    (loader,) = [c for c in re.findall(r"```python\n(.*?)```", text, re.S) if "jax.export.deserialize" in c]
    assert len(loader.strip().splitlines()) <= 12 and "mxlite" not in loader.replace("net.mxhlo", "")
    artefact.save(tmp_path / "net.mxhlo")
    x = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    check = "\nimport sys\nassert not any(m.startswith('mxlite') for m in sys.modules)\n"
    check += "np.save('y.npy', predict(np.load('x.npy'))[0])\n"
    (tmp_path / "run.py").write_text(loader + check)
    env = {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected(x), rtol=1e-6, atol=1e-7)


def test_prefixes_of_checkpoints_and_foreign_parameters(artefact: Artefact):
    params: dict[str, Any] = {("aux:" if "moving" in n else "arg:") + n: v for n, v in small_params().items()}
    again = export_graph(small_net(), {**params, "arg:other": np.ones(3)}, {"data": (2, 5)}, platforms=["cpu"])
    assert "other" not in again.params and again.platforms == ("cpu",)
    x = np.ones((2, 5), np.float32)
    np.testing.assert_array_equal(np.asarray(again(data=x)[0]), np.asarray(artefact(data=x)[0]))


def test_dtypes(tmp_path: Path):
    bf16 = jax.numpy.bfloat16
    table = np.arange(8, dtype=np.float32).reshape(4, 2).astype(bf16)
    net = Graph([call("Embedding", "e", var("ids"), var("table"), input_dim=4, output_dim=2, dtype="bfloat16")])
    export_graph(net, {"table": table}, {"ids": ("n",)}, {"ids": "int32"}).save(tmp_path / "e")
    (out,) = load_artefact(tmp_path / "e")(ids=[3, 0])
    assert out.dtype == bf16 and np.asarray(out).tolist() == [[6, 7], [0, 1]]


def test_64_bits_are_told_where_jax_has_them_not(tmp_path: Path):
    with jax.enable_x64(True):
        net = Graph([call("Activation", "a", var("x"), act_type="relu")])
        export_graph(net, {}, {"x": ("n",)}, {"x": "float64"}).save(tmp_path / "a")
        assert np.asarray(load_artefact(tmp_path / "a")(x=[-1, 0.1])[0]).tolist() == [0, 0.1]
    with jax.enable_x64(False), pytest.raises(MXNetError, match=r"needs 64-bit types: call jax.config"):
        load_artefact(tmp_path / "a")(x=[1.0])


def test_a_network_that_draws_in_prediction_takes_a_key():
    net = Graph([call("Dropout", "d", var("x"), p=0.5, mode="always")])
    artefact = export_graph(net, {}, {"x": ("n", 1000)}, platforms=["cpu"])
    assert artefact.input_names == ["x", "rng_key"]
    x = np.ones((1, 1000), np.float32)
    one, two = (np.asarray(artefact(x=x, rng_key=np.array([0, k], np.uint32))[0]) for k in (1, 2))
    assert 300 < (one == 0).sum() < 700 and (one != two).any()


@pytest.mark.parametrize(
    ("shapes", "change", "message"),
    [
        ({}, {}, "no parameter and no shape given for 'data'"),
        ({"data": ("batch", 5)}, {"fc1_bias": None}, "no shape given for 'fc1_bias'"),
        ({"data": ("batch", 6)}, {}, "(?s)FullyConnected.*fc1"),
        ({"data": ("batch", 5)}, {"fc2_weight": np.ones((3, 9), "f")}, "(?s)FullyConnected.*fc2"),
        ({"dat": ("batch", 5)}, {}, "(?s)no input 'dat'; did you mean 'data'.*inputs are: data"),
        ({"data": ("batch", 0)}, {}, "positive number or a name"),
        ({"data": ("batch!", 5)}, {}, r"shape \('batch!', 5\) of 'data'"),
        ({"data": ("batch", 5)}, {"fc1_weight": np.ones((8, 5), np.float64)}, "dtype"),
    ],
)
def test_what_cannot_be_exported(shapes: Any, change: dict[str, Any], message: str):
    params: dict[str, Any] = {**small_params(), **change}
    params = {n: v for n, v in params.items() if v is not None}
    with pytest.raises(MXNetError, match=message):
        export_graph(small_net(), params, shapes, platforms=["cpu"])


def test_a_size_that_must_be_a_number():
    with pytest.raises(MXNetError, match=r"fc1|open size|number"):
        export_graph(small_net(), {}, {"data": ("batch", "features")} | {n: v.shape for n, v in small_params().items()})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"input data: float32\[batch, 5\] is missing"),
        ({"dta": np.ones((1, 5), "f")}, "no input 'dta'; did you mean 'data'"),
        ({"data": np.ones((1, 4), "f")}, "axis 1 of the array given is 4, expected 5"),
        ({"data": np.ones(5, "f")}, r"an array of shape \(5,\) was given"),
        ({"data": np.ones((0, 5), "f")}, "batch is 0, expected at least 1"),
        ({"data": np.ones((1, 5), complex)}, "dtype complex128 was given"),
        ({"data": [["a"] * 5]}, "dtype str"),
    ],
)
def test_arrays_that_do_not_fit(artefact: Artefact, inputs: dict[str, Any], message: str):
    with pytest.raises(MXNetError, match=message):
        artefact(inputs)


def test_one_name_is_one_size():
    net = Graph([call("Concat", "c", var("a"), var("b"), num_args=2)])
    artefact = export_graph(net, {}, {"a": ("n", 2), "b": ("n", 3)}, platforms=["cpu"])
    with pytest.raises(MXNetError, match="n is 3, but 2 in a"):
        artefact(a=np.ones((2, 2)), b=np.ones((3, 3)))


def test_a_platform_that_it_was_not_exported_for():
    net = Graph([call("Activation", "a", var("x"), act_type="relu")])
    artefact = export_graph(net, {}, {"x": (2,)}, platforms=["tpu"])
    with pytest.raises(MXNetError, match="exported for tpu, but jax runs on"):
        artefact(x=np.ones(2))


# Damage.


@pytest.fixture(scope="module")
def content(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("net") / "net.mxhlo"
    artefact.save(path)
    return path.read_bytes()


def check_damaged(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    try:
        load_artefact(path)
    except MXNetError as e:
        assert path.name in str(e)


def test_cut_files(content: bytes, tmp_path: Path):
    for end in range(0, len(content), max(1, len(content) // 100)):
        path = tmp_path / "cut.mxhlo"
        path.write_bytes(content[:end])
        with pytest.raises(MXNetError, match=r"cut.mxhlo"):
            load_artefact(path)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_changed_files(content: bytes, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject):
    data = bytearray(content)
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.one_of(st.integers(0, len(data) - 1), st.integers(len(data) - 250, len(data) - 1)))
        piece = draw.draw(st.binary(min_size=1, max_size=4))
        data[at : at + len(piece)] = piece
    check_damaged(bytes(data), tmp_path_factory.getbasetemp() / "changed.mxhlo")


def rezip(content: bytes, replace: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for name in old.namelist():
            data = replace.get(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"meta.json": None}, "meta.json is missing"),
        ({"module.bin": None}, "module.bin is missing"),
        ({"meta.json": b"{"}, "meta.json is damaged"),
        ({"meta.json": b"[]"}, "meta.json is damaged"),
        ({"meta.json": b'{"format": "other"}'}, "format 'other'"),
        ({"meta.json": b'{"format": "mxlite-artefact", "version": 99}'}, "format version 99"),
        ({"module.bin": b""}, "cannot read the module"),
        ({"module.bin": b"\0" * 100}, "cannot read the module"),
        ({"params.npz": b"PK"}, "params.npz in"),
    ],
)
def test_wrong_members(content: bytes, tmp_path: Path, replace: dict[str, bytes | None], message: str):
    (tmp_path / "bad").write_bytes(rezip(content, replace))
    with pytest.raises(MXNetError, match=message):
        load_artefact(tmp_path / "bad")


def test_a_compressed_archive_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "bomb").write_bytes(rezip(content, {"module.bin": b"\0" * 10_000_000}, zipfile.ZIP_DEFLATED))
    with pytest.raises(MXNetError, match="larger than the file"):
        load_artefact(tmp_path / "bomb")


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(MXNetError, match="No such file"):
        load_artefact(tmp_path / "none.mxhlo")
