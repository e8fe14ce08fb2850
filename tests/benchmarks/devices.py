# SPDX-License-Identifier: Apache-2.0
"""A step of `Module.fit` on several CPU devices: launches, compilations, and time.

python tests/benchmarks/devices.py --devices 1 2 4 --case mlp

The devices share the cores of the machine, so more of them are not faster. What counts is that a step stays one launch,
that nothing is compiled again, and what the split costs: the time beyond that of one device.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import NamedTuple

import mxlite as mx
from cases import CASES
from fit import FitTimer
from mxlite_compiler.program import COUNTERS


class Row(NamedTuple):
    """What one run gave: launches and compilations of an epoch after the first, ms of a step, the best of three."""

    devices: int
    batches: int
    launches: int
    traces: int
    ms: float


def measure(case: str, devices: int, batches: int) -> Row:
    """Train in this process, which must have the devices."""
    timer = FitTimer(CASES[case], batches, [mx.cpu(i) for i in range(devices)])
    timer.epoch()
    COUNTERS.reset()
    timer.epoch()
    launches, traces = COUNTERS.launches, COUNTERS.traces
    return Row(devices, batches, launches, traces, 1e3 * min(timer.seconds() for _ in range(3)))


def measured(case: str, devices: int, batches: int) -> Row:
    """`measure` in a process of its own, which gets the devices."""
    paths = [p for p in sys.path if p]
    env = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    command = [sys.executable, __file__, "--case", case, "--batches", str(batches), "--here", str(devices)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=True)
    return Row(*json.loads(done.stdout.splitlines()[-1]))


def main(argv: list[str] | None = None) -> list[Row]:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--case", choices=sorted(CASES), default="mlp")
    p.add_argument("--batches", type=int, default=50)
    p.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4])
    p.add_argument("--here", type=int, help=argparse.SUPPRESS)
    args = p.parse_args(argv)
    if args.here:
        print(json.dumps(measure(args.case, args.here, args.batches)))
        return []
    rows = [measured(args.case, n, args.batches) for n in args.devices]
    print("| devices | launches a step | compiled again | ms a step |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.devices} | {row.launches / row.batches:g} | {row.traces} | {row.ms:.2f} |")
    return rows


if __name__ == "__main__":
    main()
