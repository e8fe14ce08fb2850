# SPDX-License-Identifier: Apache-2.0
"""A million in-place updates, slices, views and recordings: does the process stay as large as it is?

It prints what the process holds, twenty times, and with `--write` puts it into results/:

    python tests/benchmarks/memory.py --steps 100000
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import jax
import numpy as np

import mxlite as mx
from mxlite.ndarray import _kernels, cell, dispatch, indexing, moves, plan
from turns import RESULTS, machine

COMMAND = "python tests/benchmarks/memory.py --write"


class Loop:
    """Things that training scripts do to an array, one a step, each time with other numbers and positions."""

    def __init__(self) -> None:
        self.a, self.x, self.gradient = mx.nd.zeros((32, 16)), mx.nd.ones((8, 16)), mx.nd.zeros((8, 16))
        mx.autograd.mark_variables([self.x], [self.gradient])
        self.row = np.arange(16, dtype=np.float32)
        self.steps: tuple[Callable[[int], Any], ...] = (
            self.add, self.set_row, self.slice, self.write_view, self.reshape, self.assign, self.add, self.scalar,
            self.columns, self.set_all, self.copy, self.set_numpy, self.set_items, self.add, self.record,
        )  # fmt: skip

    def run(self, first: int, count: int) -> None:
        """Make the steps from number `first` on."""
        steps = self.steps
        for i in range(first, first + count):
            steps[i % len(steps)](i)
        mx.nd.waitall()

    def add(self, i: int) -> None:
        self.a += 1

    def set_row(self, i: int) -> None:
        self.a[i % 32] = i * 1e-3

    def slice(self, i: int) -> None:
        self.b = self.a[i % 29 : i % 29 + 1 + i % 3]

    def write_view(self, i: int) -> None:
        self.b *= 0.5

    def reshape(self, i: int) -> None:
        flat = self.a.reshape((-1,))
        flat[i % 512] = 2

    def assign(self, i: int) -> None:
        self.a[:8] = self.x

    def scalar(self, i: int) -> None:
        self.c = self.a * (1 + i * 1e-6) - i

    def columns(self, i: int) -> None:
        self.c = self.a[:, i % 16]

    def set_all(self, i: int) -> None:
        self.a[:] = 1 / (i + 1)

    def copy(self, i: int) -> None:
        self.c = self.a.copy()

    def set_numpy(self, i: int) -> None:
        self.a[i % 32] = self.row

    def set_items(self, i: int) -> None:
        self.a[[0, i % 32]] = i % 7

    def record(self, i: int) -> None:
        with mx.autograd.record():
            loss = (self.x[i % 8] * (i * 1e-6)).sum()
        loss.backward()
        self.x -= 1e-3 * self.gradient


def caches() -> dict[str, int]:
    """How many entries each cache of the array layer holds."""
    sizes = {}
    for module in (_kernels, dispatch, indexing, moves, plan):
        for name, value in vars(module).items():
            if hasattr(value, "cache_info"):
                sizes[f"{module.__name__.rpartition('.')[2]}.{name}"] = value.cache_info().currsize
    return {**sizes, "plans": len(plan._plans), "deferred": len(cell._deferred)}


def resident() -> float:
    """MB that the process holds in memory, from Linux' /proc."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status tells no VmRSS")


def measure(steps: int, samples: int) -> list[dict[str, Any]]:
    """`samples` rows of numbers, at equal distances."""
    loop, rows, done = Loop(), [], 0
    start = time.perf_counter()
    for sample in range(1, samples + 1):
        count = steps * sample // samples - done
        loop.run(done, count)
        done += count
        row = {
            "steps": done,
            "seconds": time.perf_counter() - start,
            "mb": resident(),
            "arrays": len(jax.live_arrays()),
            "caches": sum(caches().values()),
            "traces": sum(_kernels.traces.values()),
        }
        rows.append(row)
        print("{steps:9,} steps, {seconds:5.0f} s: {mb:7.1f} MB, {arrays} live arrays, {caches} entries in caches, "
              "{traces} traces of helpers".format(**row), flush=True)  # fmt: skip
    return rows


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """MB over steps."""
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(6, 3), layout="constrained")
    panel.plot([r["steps"] for r in rows], [r["mb"] for r in rows], marker=".")
    panel.set_ylim(0, max(r["mb"] for r in rows) * 1.2)
    panel.set_xlabel("steps")
    panel.set_ylabel("MB in memory")
    panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def write(rows: Sequence[dict[str, Any]], results: Path) -> None:
    """Write numbers, page and picture into the folder `results`."""
    numbers = {"command": COMMAND, "machine": machine(), "rows": list(rows)}
    (results / "memory.json").write_text(json.dumps(numbers, indent=1) + "\n")
    lines = [f"| {r['steps']:,} | {r['mb']:.1f} | {r['arrays']} | {r['caches']} | {r['traces']} |" for r in rows]
    (results / "memory.md").write_text(
        "# Memory, measured\n\n![MB over steps](memory.png)\n\n"
        "| steps | MB | live arrays | entries in caches | traces of helpers |\n|---|---|---|---|---|\n"
        + "\n".join(lines)
        + f"\n\nWritten by `{COMMAND}` on {machine()}. A step is one of: an in-place update, a write to a row, "
        "an item, a list of rows or the whole array, a slice, a write through it or through a reshape, a column, "
        "a copy, arithmetic with a number that is another one each time, a recorded computation with its backward.\n"
    )
    draw(rows, results / "memory.png")


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--steps", type=int, default=1_000_000)
    p.add_argument("--samples", type=int, default=20)
    p.add_argument("--write", action="store_true", help="write numbers, page and picture into tests/benchmarks/results")
    args = p.parse_args(argv)
    rows = measure(args.steps, args.samples)
    if args.write:
        RESULTS.mkdir(exist_ok=True)
        write(rows, RESULTS)
        print(f"wrote {RESULTS / 'memory.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
