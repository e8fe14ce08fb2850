# SPDX-License-Identifier: Apache-2.0
"""Measuring in turns, with the real MXNet in a process of its own."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import jax

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


class Oracle:
    """The real MXNet in a process of its own, which waits while others are measured."""

    def __init__(self, python: str, script: Path = HERE / "oracle_worker.py") -> None:
        self.process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.process.communicate()

    def seconds(self, name: str) -> float:
        """Seconds of a step or a call, measured there now."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the oracle has no pipes")
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the oracle ended: try it by hand, " + " ".join(map(str, self.process.args)))  # type: ignore[arg-type]
        return float(line)


def in_turns(runs: dict[str, Callable[[], float]], rounds: int, pause: float = 0.05) -> dict[str, list[float]]:
    """Seconds of every run in every round; the first round warms up and is dropped."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            time.sleep(pause)  # threads of the one before stop spinning
            seconds = run()
            if number:
                times[name].append(seconds)
    return times


def ratio(times: dict[str, list[float]], other: str) -> float | None:
    """How many times longer mxlite takes than `other`: the median over the rounds."""
    if other not in times:
        return None
    return statistics.median(a / b for a, b in zip(times["mxlite"], times[other], strict=True))


def load() -> str:
    """How busy the machine has been, for the reader of a page: numbers of a busy one say less."""
    return f"load average {os.getloadavg()[1]:.1f}" if hasattr(os, "getloadavg") else "load average unknown"


def machine() -> str:
    """What the numbers were measured on."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    device = jax.devices()[0]
    return (
        f"{os.cpu_count()} cores{f' of {model}' if model else ''}, jax {jax.__version__} on {device.platform}"
        f"{'' if device.platform == 'cpu' else f' ({device.device_kind})'}, Python {platform.python_version()}"
    )
