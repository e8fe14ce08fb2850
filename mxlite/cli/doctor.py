# SPDX-License-Identifier: Apache-2.0
"""``mxlite doctor``: what is installed, which devices there are, what is set, and whether a small network trains."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from mxlite_compiler.errors import table

from .. import distributed, environment
from ..base import MXNetError, x64
from ..context import Context, cpu, gpu, num_gpus, num_tpus, tpu
from ..ndarray import array
from ..symbol import FullyConnected, SoftmaxOutput, Variable

#: What mxlite needs, and the oldest version that it works with.
NEEDED = {"jax": (0, 10), "jaxlib": (0, 10), "numpy": (2, 0), "optax": (0, 2, 5)}
#: What is optional: the extra that installs it, and what it is for.
EXTRAS = {
    "flatbuffers": ("export", "exported networks: mx.deploy, mxlite export"),
    "opencv-python-headless": ("image", "decoding and resizing pictures"),
    "pillow": ("image", "decoding pictures where there is no OpenCV"),
    "graphviz": ("viz", "mx.viz.plot_network through Graphviz; without it mxlite draws by itself"),
    "scipy": ("examples", "sparse arrays from and to scipy"),
    "matplotlib": ("examples", "curves in the examples"),
    "scikit-learn": ("examples", "the digits that the examples learn"),
    "tqdm": ("examples", "progress bars"),
    "ipykernel": ("notebook", "notebooks"),
}
#: A variable whose name begins so is shown.
PREFIXES = ("MXNET_", "MXLITE_", "DMLC_", "JAX_", "XLA_", "CUDA_VISIBLE_DEVICES")
#: Where Linux shows that there is a GPU of NVIDIA, whatever JAX sees.
NVIDIA = Path("/proc/driver/nvidia/version")


class Extra(NamedTuple):
    """An optional package: None as its version where it is not installed."""

    package: str
    version: str | None
    extra: str
    purpose: str


class Place(NamedTuple):
    """A device, and what a Context calls it."""

    context: str
    device: str
    kind: str
    memory: int | None
    note: str = ""


class Setting(NamedTuple):
    """An environment variable that is set, and whether something reads it."""

    name: str
    value: str
    state: str
    meaning: str


class Trial(NamedTuple):
    """The outcome of the self-test on one device."""

    context: str
    passed: bool
    result: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What the doctor found. `problems` keep something from working; `advice` may be followed."""

    versions: Mapping[str, str]
    extras: list[Extra]
    devices: list[Place]
    settings: Mapping[str, str]
    variables: list[Setting]
    trials: list[Trial]
    problems: list[str]
    advice: list[str]

    def json(self) -> str:
        """The report as JSON."""
        found = dataclasses.asdict(self)
        for part in ("extras", "devices", "variables", "trials"):
            found[part] = [row._asdict() for row in getattr(self, part)]
        return json.dumps({"healthy": not self.problems, **found}, indent=2)

    def text(self) -> str:
        """The report for people."""
        extras = [(e.package, e.version or "-", e.purpose if e.version else f"mxlite[{e.extra}]: {e.purpose}")
                  for e in self.extras]  # fmt: skip
        parts = {
            "versions": list(self.versions.items()),
            "optional packages": extras,
            "devices": [(d.context, d.device, d.kind, _bytes(d.memory), d.note) for d in self.devices],
            "settings": list(self.settings.items()),
            "environment": [(f"{v.name}={v.value}", v.state, v.meaning) for v in self.variables],
            "a small network trains": [(t.context, "yes" if t.passed else "NO", t.result) for t in self.trials],
        }
        blocks = [f"{title}\n{_indented(table(rows))}" for title, rows in parts.items() if rows]
        blocks += [f"{title}\n{_indented(chr(10).join(lines))}"
                   for title, lines in (("problems", self.problems), ("advice", self.advice)) if lines]  # fmt: skip
        return "\n\n".join([*blocks, "Something is off." if self.problems else "All is well."])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _bytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**30:.1f} GiB"


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("doctor", help="versions, devices, settings, and a self-test; 1 when something is off")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 when something is off."""
    report = examine(os.environ)
    print(report.json() if args.json else report.text())
    return int(bool(report.problems))


def examine(variables: Mapping[str, str]) -> Report:
    """The report on this process, `variables` being its environment."""
    found = [Setting(n, v, *environment.meaning(n)) for n, v in sorted(variables.items()) if n.startswith(PREFIXES)]
    extras = [Extra(package, _version(package), *about) for package, about in EXTRAS.items()]
    contexts = [*([gpu(i) for i in range(num_gpus())]), *([tpu(i) for i in range(num_tpus())])]
    trials = [self_test(context) for context in (cpu(), *contexts)]
    problems = [*_old(), *(f"the self-test fails on {t.context}: {t.result}" for t in trials if not t.passed)]
    problems += _cache_problems()
    return Report(_versions(), extras, _devices(contexts), _settings(), found, trials, problems, _advice(found))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _versions() -> dict[str, str]:
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return {"mxlite": _version("mxlite") or "not installed, run from its folder", "python": system} | {
        package: _version(package) or "missing" for package in NEEDED
    }


def _old() -> list[str]:
    found = []
    for package, oldest in NEEDED.items():
        version = _version(package) or "0"
        numbers = tuple(int(part) for part in version.split(".")[: len(oldest)] if part.isdecimal())
        if numbers < oldest:
            wanted = f"{package}>={'.'.join(map(str, oldest))}"
            found.append(f"{package} {version} is too old; pip install '{wanted}'")
    return found


def _devices(contexts: list[Context]) -> list[Place]:
    cpus = jax.local_devices(backend="cpu")
    labels = [(cpu(i), device) for i, device in enumerate(cpus)]
    found = []
    for context, device in [*labels, *((context, context.jax_device) for context in contexts)]:
        memory = (device.memory_stats() or {}).get("bytes_limit")
        note = f"higher numbers of mx.cpu start again at {cpu()}" if context == labels[-1][0] else ""
        found.append(Place(f"mx.{context}", str(device), device.device_kind, memory, note))
    return found


def _settings() -> dict[str, str]:
    config: Any = jax.config
    return {
        "64-bit types": "on" if x64() else "off: float64 and int64 are errors",
        "JAX's own device": str(jax.devices()[0]),
        "matmul precision": str(config.jax_default_matmul_precision or "JAX's default"),
        "compile cache": str(config.jax_compilation_cache_dir or "none"),
        "part of a job": distributed.describe(os.environ),
    }


def _cache_problems() -> list[str]:
    config: Any = jax.config
    folder = config.jax_compilation_cache_dir
    if not folder or "://" in str(folder):
        return []
    nearest = next(p for p in (Path(folder), *Path(folder).absolute().parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return [
            f"the compile cache {str(folder)!r} cannot be written; set JAX_COMPILATION_CACHE_DIR to a folder that can"
        ]
    return []


def _advice(variables: list[Setting]) -> list[str]:
    config: Any = jax.config
    found = []
    if NVIDIA.exists() and not num_gpus():
        if "cuda" not in (config.jax_platforms or "cuda"):
            found.append(f"there is an NVIDIA GPU, but JAX_PLATFORMS={config.jax_platforms} hides it; unset it")
        else:
            found.append(
                "there is an NVIDIA GPU that JAX does not see; install JAX with CUDA: pip install 'jax[cuda12]'"
            )
    if not x64():
        found.append("64-bit types are off; unset MXLITE_ENABLE_X64 for programs that use float64 or int64")
    if not config.jax_compilation_cache_dir:
        found.append("JAX_COMPILATION_CACHE_DIR=~/.cache/jax keeps compiled programs for the next process")
    found += [f"{v.name} changes nothing: {v.meaning}" for v in variables if v.state == "ignored"]
    found += [f"{v.name} is no variable that is known: {v.meaning}" for v in variables if v.state == "unknown"]
    return found


def self_test(context: Context) -> Trial:
    """Train a small network for one step on a device and compare with numpy."""
    start = time.perf_counter()
    try:
        error = _train(context)
    except (MXNetError, RuntimeError) as e:  # JAX's own errors of devices are RuntimeErrors
        return Trial(str(context), False, str(e).partition("\n")[0])
    seconds = time.perf_counter() - start
    if not error < 1e-2:
        return Trial(str(context), False, f"the weights after one step are wrong by {error:.2g}")
    return Trial(str(context), True, f"one step in {seconds:.1f} s, compiling included; off by {error:.0e}")


def _train(context: Context) -> float:
    """The largest difference between the weights after one step and those that numpy computes."""
    x = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
    w = np.linspace(-0.5, 0.5, 6, dtype=np.float32).reshape(2, 3)
    y = np.array([0, 1, 1, 0], np.float32)
    net = SoftmaxOutput(FullyConnected(Variable("data"), num_hidden=2, no_bias=True, name="fc"), name="softmax")
    bound = net.simple_bind(context, data=x.shape)
    bound.arg_dict["fc_weight"][:] = array(w, ctx=context)
    bound.forward(is_train=True, data=array(x, ctx=context), softmax_label=array(y, ctx=context))
    bound.backward()
    trained = bound.arg_dict["fc_weight"] - 0.1 * bound.grad_dict["fc_weight"]
    logits = x @ w.T
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = w - 0.1 * (chances - np.eye(2)[y.astype(int)]).T @ x
    return float(np.abs(trained.asnumpy() - expected).max())
