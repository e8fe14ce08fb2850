# SPDX-License-Identifier: Apache-2.0
"""mx.util, mx.runtime, mx.engine, mx.log and the environment variables; and which names of MXNet are there."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jax
import pytest

import mxlite as mx
from mxlite import engine, environment, log, runtime, test_utils, util

#: Names of MXNet 1.9.1 in these modules, but for those that a module merely imports from the C interface.
NAMES = {
    util: "get_cuda_compute_capability get_gpu_count get_gpu_memory getenv is_np_array is_np_shape np_array np_shape "
    "np_ufunc_legal_option reset_np set_module set_np set_np_shape setenv use_np use_np_array use_np_shape "
    "wrap_np_binary_func wrap_np_unary_func",
    runtime: "Feature Features feature_list",
    engine: "bulk set_bulk_size",
    log: "CRITICAL DEBUG ERROR INFO NOTSET WARNING getLogger get_logger",
    test_utils: "Context DummyIter Features Symbol almost_equal array assert_allclose assert_almost_equal "
    "assert_almost_equal_ignore_nan assert_almost_equal_with_err assert_exception assign_each assign_each2 checkShapes "
    "check_consistency check_numeric_gradient check_speed check_symbolic_backward check_symbolic_forward "
    "chi_square_check collapse_sum_like compare_ndarray_tuple compare_optimizer create_2d_tensor create_vector "
    "current_context default_atols default_context default_dtype default_numeric_eps default_rtols discard_stderr "
    "download download_model effective_dtype environment gen_buckets_probs_with_ppf get_atol get_bz2_data get_cifar10 "
    "get_cuda_compute_capability get_etol get_identity_mat get_identity_mat_batch get_mnist get_mnist_iterator "
    "get_mnist_pkl get_mnist_ubyte get_rtol get_tolerance get_tols get_zip_data getenv has_tvm_ops is_aarch64_run "
    "is_cd_run is_op_runnable list_gpus locationError mean_check new_matrix_with_real_eigvals_2d "
    "new_matrix_with_real_eigvals_nd new_orthonormal_matrix_2d new_sym_matrix_with_real_eigvals_2d "
    "new_sym_matrix_with_real_eigvals_nd np_reduce numeric_grad rand_coord_2d rand_ndarray rand_shape_2d rand_shape_3d "
    "rand_shape_nd random_arrays random_sample random_uniform_arrays retry same same_array same_symbol_structure "
    "set_default_context setenv simple_forward use_np var_check verify_generator",
}


@pytest.mark.parametrize("module", NAMES, ids=lambda module: module.__name__)
def test_names(module: ModuleType) -> None:
    assert [name for name in NAMES[module].split() if not hasattr(module, name)] == []


# mx.util


def test_environment_variables_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MXNET_FOO", raising=False)
    assert util.getenv("MXNET_FOO") is None
    util.setenv("MXNET_FOO", "1")
    assert (util.getenv("MXNET_FOO"), os.environ["MXNET_FOO"]) == ("1", "1")
    util.setenv("MXNET_FOO", None)
    assert util.getenv("MXNET_FOO") is None
    util.makedirs(str(tmp_path / "a" / "b"))
    util.makedirs(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_gpus() -> None:
    assert util.get_gpu_count() == mx.num_gpus()
    absent = mx.num_gpus()
    with pytest.raises(mx.MXNetError, match="there is no device gpu"):
        util.get_gpu_memory(absent)
    with pytest.raises(mx.MXNetError, match="there is no device gpu"):
        util.get_cuda_compute_capability(mx.gpu(absent))
    with pytest.raises(ValueError, match=r"Expecting a gpu context .* received ctx cpu\(0\)"):
        util.get_cuda_compute_capability(mx.cpu())


def test_classic_semantics() -> None:
    assert not util.is_np_shape()
    assert not util.is_np_array()
    util.reset_np()
    util.set_np(False, False)
    assert util.set_np_shape(False) is False
    with util.np_shape(False), util.np_array(False):
        assert not util.is_np_shape()
    for switch in (util.set_np, lambda: util.set_np_shape(True), util.np_shape().__enter__, util.np_array().__enter__):
        with pytest.raises(mx.MXNetError, match=r"numpy semantics .* are not in mxlite"):
            switch()
    with pytest.raises(ValueError, match="NumPy Shape semantics is required"):
        util.set_np(False, True)


@pytest.mark.parametrize("name", ["use_np", "use_np_shape", "use_np_array"])
def test_decorators_of_numpy_semantics(name: str) -> None:
    decorate = getattr(util, name)
    assert decorate.__name__ == name
    for thing in (print, int):
        with pytest.raises(mx.MXNetError, match=f"{name}: numpy semantics"):
            decorate(thing)
    with pytest.raises(TypeError, match=f"{name} can only decorate classes and callable objects"):
        decorate(5)


def test_options_of_universal_functions() -> None:
    given = [("where", True), ("where", 1), ("casting", "same_kind"), ("casting", "x"), ("order", "K"), ("order", 1)]
    given += [("dtype", "float32"), ("dtype", float), ("subok", True), ("subok", 0), ("z", 1)]
    legal = [True, True, True, False, True, False, True, False, True, False, False]
    assert [util.np_ufunc_legal_option(*pair) for pair in given] == legal
    unary = util.wrap_np_unary_func(lambda x, out=None: (x, out))
    assert (unary(1), unary(1, 2), unary(1, casting="same_kind", order="K")) == ((1, None), (1, 2), (1, None))
    for key, value in (("where", False), ("casting", "no"), ("order", "C"), ("dtype", "float64"), ("subok", False)):
        with pytest.raises(NotImplementedError, match=f"{key}={value} is not implemented yet"):
            unary(1, **{key: value})
    with pytest.raises(TypeError, match="zz is an invalid keyword"):
        unary(1, zz=1)
    with pytest.raises(TypeError, match="1 arrays and perhaps out"):
        unary(1, 2, 3)
    assert util.wrap_np_binary_func(lambda a, b, out=None: (a, b, out))(1, 2, out=3) == (1, 2, 3)
    assert util.set_module("foo")(lambda: 1).__module__ == "foo"


# mx.runtime


def test_features() -> None:
    features = runtime.Features()
    assert features is runtime.Features() is pickle.loads(pickle.dumps(features))
    assert list(features)[:3] == ["CUDA", "CUDNN", "NCCL"]
    assert features.is_enabled("cuda") == features["CUDA"].enabled == bool(mx.num_gpus())
    assert features.is_enabled("XLA")
    assert not features.is_enabled("MKLDNN")
    assert repr(features) == repr(list(features.values()))
    assert repr(runtime.Feature("A", True)) + repr(runtime.Feature("B", False)) == "✔ A✖ B"
    assert [f.name for f in runtime.feature_list()] == list(features)
    with pytest.raises(RuntimeError, match=r"Feature 'NOPE' is unknown, known features are: \['CUDA'"):
        features.is_enabled("NOPE")


# mx.engine


def test_bulk() -> None:
    before = engine.set_bulk_size(10)
    try:
        assert engine.set_bulk_size(15) == 10
        with engine.bulk(5):
            assert engine.set_bulk_size(5) == 5
        assert engine.set_bulk_size(15) == 15
        with pytest.raises(TypeError, match="must be an integer, got 'a'"):
            engine.set_bulk_size("a")  # pyright: ignore[reportArgumentType]
        with pytest.raises(mx.MXNetError, match="0 or more, got -1"):
            engine.set_bulk_size(-1)
    finally:
        engine.set_bulk_size(before)


# mx.log


def test_log_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logger = log.get_logger("mxlite.test.stderr")
    assert (logger.level, len(logger.handlers)) == (log.WARNING, 1)
    assert log.get_logger("mxlite.test.stderr", level=log.DEBUG) is logger
    assert (logger.level, len(logger.handlers)) == (log.WARNING, 1)
    logger.warning("hello")
    logger.info("not seen")
    line = capsys.readouterr().err
    assert line.startswith("W")
    assert line.endswith("] hello\n")
    assert f" {os.getpid()} {__file__}:test_log_to_stderr:" in line


def test_log_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with pytest.warns(DeprecationWarning, match="Use get_logger"):
        logger = log.getLogger("mxlite.test.file", str(path), level=log.INFO)
    logger.info("into file")
    logger.debug("not seen")
    assert path.read_text() == "into file\n"
    assert log.get_logger() is logging.getLogger()


# Environment variables


def test_variables_are_honoured() -> None:
    flags = {"XLA_FLAGS": "--xla_a=1"}
    environment.apply({"MXNET_ENFORCE_DETERMINISM": "0"}, flags)
    assert flags == {"XLA_FLAGS": "--xla_a=1"}
    for _ in range(2):
        environment.apply({"MXNET_ENFORCE_DETERMINISM": "1"}, flags)
        assert flags == {"XLA_FLAGS": "--xla_a=1 --xla_gpu_deterministic_ops=true"}
    asynchronous = "jax_cpu_enable_async_dispatch"
    before = jax.config.values[asynchronous]
    try:
        environment.apply({"MXNET_ENGINE_TYPE": "ThreadedEnginePerDevice"}, {})
        assert jax.config.values[asynchronous] == before
        environment.apply({"MXNET_ENGINE_TYPE": "NaiveEngine"}, {})
        assert not jax.config.values[asynchronous]
    finally:
        jax.config.update(asynchronous, before)


def test_a_program_runs_with_all_of_them_set() -> None:
    names = [name.replace("*", "X") for name in environment.IGNORED]
    assert all(name.startswith(("MXNET_", "DMLC_")) for name in names)
    variables = {**dict.fromkeys(names, "1"), "MXNET_ENGINE_TYPE": "NaiveEngine", "MXNET_ENFORCE_DETERMINISM": "1"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", "import mxlite as mx; print((mx.nd.ones((2,)) * 3).asnumpy().sum())"],
        capture_output=True, text=True, timeout=120, cwd=root,
        env={**os.environ, **variables, "JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{root}:{root / 'compiler'}"},
    )  # fmt: skip
    assert done.stdout.strip() == "6.0", done.stderr


def test_early_messages_leave_the_log_to_the_program(monkeypatch):
    """Before a script's own ``basicConfig``, which does nothing once the root logger has a handler."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    mx.kv.create("dist_async")
    mx.contrib.amp.init("bfloat16")
    mx.contrib.amp.reset()
    assert root.handlers == []
