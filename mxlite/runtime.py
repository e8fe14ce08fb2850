# SPDX-License-Identifier: Apache-2.0
"""`mx.runtime`: what this installation can do, under MXNet's names."""

from __future__ import annotations

import functools
import importlib.util
import platform
from collections import OrderedDict
from pathlib import Path
from typing import Any

from .base import x64
from .context import num_gpus, num_tpus

#: MXNet's name of an instruction set: the kernel's.
_INSTRUCTIONS = {
    "CPU_SSE": "sse", "CPU_SSE2": "sse2", "CPU_SSE3": "pni", "CPU_SSE4_1": "sse4_1", "CPU_SSE4_2": "sse4_2",
    "CPU_SSE4A": "sse4a", "CPU_AVX": "avx", "CPU_AVX2": "avx2", "SSE": "sse", "F16C": "f16c",
}  # fmt: skip
#: In MXNet's order. The two at the end are mxlite's.
_NAMES = (
    "CUDA CUDNN NCCL CUDA_RTC TENSORRT CPU_SSE CPU_SSE2 CPU_SSE3 CPU_SSE4_1 CPU_SSE4_2 CPU_SSE4A CPU_AVX CPU_AVX2 "
    "OPENMP SSE F16C JEMALLOC BLAS_OPEN BLAS_ATLAS BLAS_MKL BLAS_APPLE LAPACK MKLDNN OPENCV CAFFE PROFILER "
    "DIST_KVSTORE CXX14 INT64_TENSOR_SIZE SIGNAL_HANDLER DEBUG TVM_OP XLA TPU"
).split()


class Feature:
    """A thing that an installation has or has not.

    Attributes:
        name: MXNet's name for it.
        enabled: whether it is there.
    """

    __slots__ = ("enabled", "name")

    def __init__(self, name: str, enabled: bool):
        self.name, self.enabled = name, enabled

    def __repr__(self) -> str:
        return f"{'✔' if self.enabled else '✖'} {self.name}"


def _instructions() -> set[str]:
    """The instruction sets of the CPU, which XLA compiles for. What Linux does not tell is what x86-64 guarantees."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else ():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return {"sse", "sse2"} if platform.machine().lower() in ("x86_64", "amd64") else set()


def _enabled() -> set[str]:
    here = _instructions()
    names = {name for name, flag in _INSTRUCTIONS.items() if flag in here} | {"LAPACK", "XLA"}
    if num_gpus():
        names |= {"CUDA", "CUDNN", "NCCL"}
    if num_tpus():
        names.add("TPU")
    if importlib.util.find_spec("cv2"):
        names.add("OPENCV")
    if x64():
        names.add("INT64_TENSOR_SIZE")
    return names


def feature_list() -> list[Feature]:
    """All features, MXNet's and XLA, TPU.

    CUDA, CUDNN, NCCL: JAX sees a GPU. CPU_*, SSE, F16C: the CPU has the instructions, for XLA uses what there is.
    OPENCV: the Python package is installed. INT64_TENSOR_SIZE: 64-bit types are on. LAPACK, XLA: always. The others,
    libraries that mxlite does not use, are off.
    """
    there = _enabled()
    return [Feature(name, name in there) for name in _NAMES]


class Features(OrderedDict[str, Feature]):
    """The features by name. There is one such object; it is made at the first call."""

    def __new__(cls) -> Features:
        return _features()

    def __init__(self) -> None:  # the object is complete when __new__ gives it
        pass

    def __repr__(self) -> str:
        return str(list(self.values()))

    def is_enabled(self, feature_name: str) -> bool:
        """Whether a feature, in capital or small letters, is there. RuntimeError for unknown names."""
        name = feature_name.upper()
        if name not in self:
            raise RuntimeError(f"Feature {feature_name!r} is unknown, known features are: {list(self)}")
        return self[name].enabled

    def __reduce__(self) -> tuple[Any, ...]:
        return Features, ()


@functools.cache
def _features() -> Features:
    features: Features = OrderedDict.__new__(Features)
    OrderedDict.__init__(features, [(feature.name, feature) for feature in feature_list()])
    return features
