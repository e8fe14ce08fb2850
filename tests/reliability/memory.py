# SPDX-License-Identifier: Apache-2.0
"""Hundreds of epochs of every kind of module and iterator: does the process stay as large as it is?

    python -m tests.reliability.memory --epochs 200        # --write: into tests/benchmarks/results/epochs.md

Each kind has a process of its own. Modules train and save a checkpoint every epoch, of which two are kept.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

import mxlite as mx
from tests.reliability.iterators import ITERATORS, PICTURES
from tests.reliability.kill import RESULTS, Child
from tests.reliability.trainings import TRAININGS, quietly

PAGE = RESULTS.with_name("epochs.md")
SAMPLES = 5
KINDS = {**ITERATORS, **PICTURES}


def resident() -> float:
    """MB that the process holds in memory, from Linux' /proc."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status tells no VmRSS")


class Telling(mx.model.Checkpoint):
    """Tells what the process holds, a few times."""

    def __init__(self, prefix: Path, every: int, tell: Callable[[str], None]):
        super().__init__(prefix, keep=2)
        self.every, self.tell = every, tell

    def end_epoch(self, module: Any, epoch: int, train_data: Any = None, eval_data: Any = None) -> None:
        super().end_epoch(module, epoch, train_data, eval_data)
        report(epoch, self.every, self.tell)


def report(epoch: int, every: int, tell: Callable[[str], None]) -> None:
    """Tell epoch, MB and live arrays, every so many epochs."""
    if epoch % every == 0:
        gc.collect()
        tell(json.dumps([epoch, round(resident(), 1), len(jax.live_arrays())]))


def iterate(name: str, folder: Path, epochs: int, every: int, tell: Callable[[str], None]) -> None:
    """Epochs of an iterator, whose batches go to the device."""
    batches = KINDS[name](folder)
    for epoch in range(1, epochs + 1):
        for batch in batches:
            for x in batch.data:
                x.wait_to_read()
        batches.reset()
        report(epoch, every, tell)


def measure(epochs: int) -> dict[str, list[list[float]]]:
    """For each kind rows of epoch, MB and live arrays."""
    every = max(epochs // SAMPLES, 1)
    found: dict[str, list[list[float]]] = {}
    for name in (*TRAININGS, *KINDS):
        with tempfile.TemporaryDirectory() as folder:

            def main(tell: Callable[[str], None], name: str = name, folder: Path = Path(folder)) -> None:
                if name in TRAININGS:
                    quietly(name, Telling(folder / "net", every, tell), epochs)
                else:
                    # A batch is no step of an optimizer: so many more of them.
                    iterate(name, folder, 10 * epochs, 10 * every, tell)

            lines, code = Child(main).end()
        if code:
            raise RuntimeError(f"{name} failed")
        found[name] = [json.loads(line) for line in lines]
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def page(found: dict[str, list[list[float]]], epochs: int) -> str:
    """The results as text."""
    lines = [
        "# Memory over epochs, measured",
        "",
        "MB of the process, and live arrays on the device, after so many epochs.",
    ]
    for kinds, factor in ((TRAININGS, 1), (KINDS, 10)):
        columns = [f"{row[0]:,.0f}" for row in found[next(iter(kinds))]]
        lines += ["", f"| {'module' if factor == 1 else 'iterator'} | {' | '.join(columns)} |", "|---" * 6 + "|"]
        for name in kinds:
            cells = [f"{mb:.1f}, {arrays:.0f}" for _, mb, arrays in found[name]]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    command = f"python -m tests.reliability.memory --epochs {epochs} --write"
    return "\n".join([*lines, "", f"Written by `{command}`, mxlite {mx.__version__}, jax {jax.__version__}.", ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    text = page(measure(given.epochs), given.epochs)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
