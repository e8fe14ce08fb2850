# SPDX-License-Identifier: Apache-2.0
"""Environment variables of MXNet, read once, at the import of mxlite.

`HONOURED` have a meaning here, mxlite's own and JAX's among them. `IGNORED` may be set and change nothing; each
says what takes its place. `mxlite doctor` shows those that are set.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, MutableMapping

import jax

from .base import MXNetError, explain, nearest

#: Variables with a meaning: what they do.
HONOURED: Mapping[str, str] = {
    "MXNET_ENGINE_TYPE": "NaiveEngine: calls on the CPU wait until they are done, so that a profiler or debugger sees "
    "them where they are made; the threaded engines are the normal state",
    "MXNET_ENFORCE_DETERMINISM": "1: GPU programs are compiled without operations whose sums depend on timing "
    "(--xla_gpu_deterministic_ops); on the CPU results never vary",
    "MXNET_HOME": "what mx.base.data_dir tells programs that keep data sets; read when it is called",
    "MXNET_STORAGE_FALLBACK_LOG_VERBOSE": "0: operators that make dense copies of sparse arrays do not log it",
    "MXNET_SUBGRAPH_BACKEND": "XLA, or NONE, or MKLDNN, whose place XLA takes; bind and simple_bind, which read "
    "it, refuse other names, as in MXNet",
    "MXLITE_ENABLE_X64": "0 keeps 64-bit types off",
    "MXLITE_COORDINATOR": "host:port where worker 0 of a job of several processes answers; set by mxlite launch",
    "MXLITE_NUM_WORKERS": "how many workers the job has; set by mxlite launch",
    "MXLITE_RANK": "which of the workers this process is, from 0; set by mxlite launch",
    "MXLITE_DISTRIBUTED": "auto: importing mxlite joins the job that SLURM, Kubernetes or Open MPI has started",
    "MXLITE_JOIN_TIMEOUT": "how many seconds workers wait for one another at the start; 300 by default",
    "MXLITE_HEARTBEAT_TIMEOUT": "after how many silent seconds a worker counts as dead; 20 by default",
    "MXLITE_JOINED_BY": "the process that has joined a job; those that it starts are no workers",
    "MXLITE_ORACLE": "a Python that imports the real MXNet; mxlite's tests and benchmarks compare with it",
    "CD_JOB": "1 is what mx.test_utils.is_cd_run asks for",
    "JAX_PLATFORMS": "which devices JAX looks for: cpu, cuda, tpu",
    "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32 lets float32 be multiplied with fewer bits on GPUs",
    "JAX_COMPILATION_CACHE_DIR": "where compiled programs are kept from one process to the next",
    "XLA_PYTHON_CLIENT_MEM_FRACTION": "the part of a GPU's memory that is taken at the start",
    "CUDA_VISIBLE_DEVICES": "which GPUs JAX sees",
    "XLA_FLAGS": "options of the compiler",
}

#: Variables without a meaning under XLA (a name that ends in ``*`` stands for all that begin so): the reason.
IGNORED: Mapping[str, str] = {
    "MXNET_EXEC_*": "XLA plans, fuses and orders whole programs",
    "MXNET_BACKWARD_DO_MIRROR": "memory is planned by XLA",
    "MXNET_SUBGRAPH_VERBOSE": "there are no subgraphs to tell of",
    "MXNET_USE_FUSION": "XLA always fuses",
    "MXNET_CPU_WORKER_NTHREADS": "XLA has one pool of threads, one for each core",
    "MXNET_CPU_PRIORITY_NTHREADS": "there is no queue of priorities",
    "MXNET_CPU_NNPACK_NTHREADS": "NNPACK is not used",
    "MXNET_GPU_WORKER_NTHREADS": "JAX runs one stream of programs for each GPU",
    "MXNET_GPU_COPY_NTHREADS": "JAX copies on its own streams",
    "MXNET_OMP_MAX_THREADS": "XLA does not use OpenMP",
    "MXNET_MP_WORKER_NTHREADS": "there are no worker processes",
    "MXNET_GPU_MEM_POOL_*": "XLA_PYTHON_CLIENT_MEM_FRACTION and XLA_PYTHON_CLIENT_ALLOCATOR set JAX's pool",
    "MXNET_CUDNN_*": "XLA measures and chooses kernels by itself",
    "MXNET_CUDA_ALLOW_TENSOR_CORE": "JAX_DEFAULT_MATMUL_PRECISION says how float32 is multiplied",
    "MXNET_CUDA_TENSOR_OP_MATH_ALLOW_CONVERSION": "JAX_DEFAULT_MATMUL_PRECISION says how float32 is multiplied",
    "MXNET_FC_TRUE_FP16": "XLA sums products of float16 in float32",
    "MXNET_SAFE_ACCUMULATION": "XLA chooses how sums of float16 are accumulated; cast to float32 to be sure",
    "MXNET_MKLDNN_*": "MKL-DNN is not used",
    "MXNET_ENABLE_GPU_P2P": "JAX uses what the GPUs have",
    "MXNET_KVSTORE_*": "gradients are summed by compiled programs",
    "DMLC_*": "there are no schedulers and servers; mxlite launch starts workers only",
    "MXNET_UPDATE_ON_KVSTORE": "the update is part of the compiled program",
    "MXNET_OPTIMIZER_AGGREGATION_SIZE": "all weights are updated in one program",
    "MXNET_PROFILER_AUTOSTART": "jax.profiler.start_trace starts a profile",
    "MXNET_INFER_STORAGE_TYPE_VERBOSE_LOGGING": "no array changes its storage silently",
    "MXNET_GLUON_REPO": "nothing is downloaded",
    "MXNET_ENGINE_INFO": "jax.log_compiles tells what is compiled",
}


def meaning(name: str) -> tuple[str, str]:
    """Whether the variable `name` is "used", "ignored" or "unknown", and what it does, or what takes its place."""
    if name in HONOURED:
        return "used", HONOURED[name]
    for pattern, reason in IGNORED.items():
        if fnmatch.fnmatchcase(name, pattern):
            return "ignored", reason
    if name.startswith("JAX_") and hasattr(jax.config, name.lower()):
        return "used", f"the option {name.lower()} of JAX"
    if name.startswith("XLA_"):
        return "used", "read by XLA"
    return "unknown", f"nothing here reads it{nearest(name, [*HONOURED, *IGNORED])}"


def apply(variables: Mapping[str, str], flags: MutableMapping[str, str]) -> None:
    """Honour ``MXNET_ENGINE_TYPE`` and ``MXNET_ENFORCE_DETERMINISM``. It must happen before JAX starts its devices.

    Args:
        variables: where they are looked up.
        flags: where ``XLA_FLAGS`` is extended.
    """
    if variables.get("MXNET_ENGINE_TYPE") == "NaiveEngine":
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    if variables.get("MXNET_ENFORCE_DETERMINISM", "0") not in ("0", ""):
        before = flags.get("XLA_FLAGS", "")
        if "xla_gpu_deterministic_ops" not in before:
            flags["XLA_FLAGS"] = f"{before} --xla_gpu_deterministic_ops=true".strip()


def check_subgraph_backend() -> None:
    """Raise MXNetError when ``MXNET_SUBGRAPH_BACKEND`` names a backend that neither mxlite nor MXNet has."""
    name = os.environ.get("MXNET_SUBGRAPH_BACKEND", "")
    if name not in _BACKENDS:
        problem = f"MXNET_SUBGRAPH_BACKEND={name!r} is no backend{nearest(name, _BACKENDS)}"
        hint = f"unset the variable, or set it to one of {', '.join(filter(None, _BACKENDS))}"
        raise MXNetError(explain(problem, hint=hint))


_BACKENDS = ("", "NONE", "XLA", "MKLDNN")

apply(os.environ, os.environ)
