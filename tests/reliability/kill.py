# SPDX-License-Identifier: Apache-2.0
"""Kill -9 at many moments of trainings that checkpoint every epoch; start again, and compare with nobody killed.

    python -m tests.reliability.kill --times 50            # --write: into tests/benchmarks/results/kill.md

Half of the moments are random ones in random epochs, half lie inside the writing of files: there the process kills
itself in the middle of the bytes, before or after fsync or a rename, or while old files are deleted. After each kill it
is checked that

- no file is torn: each that has its final name is what the one of an undisturbed training is, byte for byte;
- no more than the current epoch is lost: the newest complete checkpoint is that of the last epoch that had ended;
- the same program, started again, ends with the same bytes in all files: weights, optimizer, counts, random numbers,
  iterators.

Processes are forked from one that has imported everything and used no device yet.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import mxlite as mx
from mxlite.checkpoint import checkpoint as saving
from mxlite_compiler import _atomic
from tests.reliability.trainings import EPOCHS, TRAININGS, quietly

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "kill.md"


class Fatal:
    """Counts the steps of writing files, and ends the process at one of them. It stands in for `os` and others."""

    def __init__(self, at: int | None):
        self.at, self.count = at, 0

    def step(self) -> None:
        """One more step."""
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, of: Any, *names: str) -> Any:
        """The module `of`, with steps before and after these functions."""

        def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                self.step()
                found = function(*args, **kwargs)
                self.step()
                return found

            return call

        changed = {name: stepping(getattr(of, name)) for name in names}
        return type("Around", (), {"__getattr__": lambda _, name: changed.get(name) or getattr(of, name)})()

    def open(self, *args: Any) -> Any:
        """A file with a step in the middle of its bytes."""
        fatal, file = self, open(*args)  # noqa: SIM115 - the caller closes it

        class Slow:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *error: Any) -> None:
                file.close()

            def writelines(self, chunks: Any) -> None:
                data = b"".join(chunks)
                file.write(data[: len(data) // 2])
                file.flush()
                fatal.step()
                file.write(data[len(data) // 2 :])

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        return Slow()

    def install(self) -> None:
        """Stand in for what writes and deletes files, in this process."""
        _atomic.os = self.around(os, "fsync", "replace")  # type: ignore[assignment]
        _atomic.tempfile = self.around(tempfile, "mkstemp")  # type: ignore[assignment]
        _atomic.open = self.open  # type: ignore[attr-defined]
        saving.os = self.around(os, "unlink")  # type: ignore[assignment]


class Child:
    """A process, forked from this one, that tells by lines; whatever happens in `main`, it ends there."""

    def __init__(self, main: Callable[[Callable[[str], None]], None]):
        source, sink = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(source)
            code = 1

            def tell(line: str) -> None:
                os.write(sink, f"{line}\n".encode())

            try:
                main(tell)
                code = 0
            except Exception:  # noqa: BLE001 - told, and the exit code says so
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(sink)
        self._lines = os.fdopen(source)

    def read(self) -> str:
        """The next line; empty when the process has ended."""
        return self._lines.readline().rstrip("\n")

    def kill(self) -> None:
        """Kill it, if it lives."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> tuple[list[str], int]:
        """The lines that are left, and the exit code (negative: the signal)."""
        with self._lines:
            left = self._lines.read().splitlines()
        return left, os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def training(name: str, folder: Path, at: int | None = None, keep: int | None = 2) -> Child:
    """Start, or go on with, a training in `folder`; it tells each epoch that begins, and the steps of writing."""

    def main(tell: Callable[[str], None]) -> None:
        fatal = Fatal(at)
        fatal.install()
        begun = lambda batch: tell(f"epoch {batch.epoch}") if batch.nbatch == 0 else None  # noqa: E731
        quietly(name, mx.model.Checkpoint(folder / "net", keep=keep), batch_end_callback=begun)
        tell(f"steps {fatal.count}")

    return Child(main)


def files(folder: Path) -> dict[str, bytes]:
    """The files with their final names."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def newest(folder: Path) -> int:
    """The epoch of the newest complete checkpoint, 0 without one; asked in a process of its own."""
    child = Child(lambda tell: tell(str(mx.model.Checkpoint(folder / "net").newest() or 0)))
    return int(child.end()[0][0])


class Reference:
    """An undisturbed training: all files that it ever wrote, the seconds of each epoch, the steps of its writing."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        self.written, _, _ = self._run(folder / "all", None)
        self.final, self.epochs, self.steps = self._run(folder / "last", 2)

    def _run(self, folder: Path, keep: int | None) -> tuple[dict[str, bytes], list[float], int]:
        folder.mkdir(parents=True)
        child = training(self.name, folder, keep=keep)
        begun = []
        while (line := child.read()).startswith("epoch"):
            begun.append(time.perf_counter())
        begun.append(time.perf_counter())
        if child.end()[1] != 0:
            raise RuntimeError(f"the undisturbed training {self.name} failed")
        return files(folder), [late - early for early, late in pairwise(begun)], int(line.split()[1])


def trial(reference: Reference, folder: Path, moment: tuple[int, float] | int) -> dict[str, Any]:
    """One kill, so many seconds after an epoch's first batch or at a step of writing; then the training goes on."""
    lines = []
    if isinstance(moment, int):
        child = training(reference.name, folder, moment)
    else:
        child = training(reference.name, folder)
        lines = [child.read() for _ in range(moment[0] + 1)]
        time.sleep(moment[1])
        child.kill()
    more, code = child.end()
    lines += more
    told = [int(line.split()[1]) for line in lines if line.startswith("epoch")]
    torn = [name for name, data in files(folder).items() if reference.written.get(name) != data]
    temporary = sum(1 for p in folder.iterdir() if p.name.startswith("."))
    found = newest(folder)
    again = training(reference.name, folder)
    resumed, ended = again.end()
    return {
        "training": reference.name,
        "moment": f"step {moment}" if isinstance(moment, int) else f"epoch {moment[0]} + {moment[1] * 1000:.1f} ms",
        "killed": code == -signal.SIGKILL,
        "epoch": max(told, default=0),
        "newest": found,
        "torn": torn,
        "temporary": temporary,
        "resumed": int(resumed[0].split()[1]) if resumed[0].startswith("epoch") else EPOCHS,
        "same": ended == 0 and files(folder) == reference.final,
        "cleaned": not any(p.name.startswith(".") for p in folder.iterdir()),
    }


def holds(result: dict[str, Any]) -> bool:
    """Whether a trial shows what is claimed. Where a checkpoint was complete before its epoch was told to have ended,
    less than the current epoch is lost."""
    whole = not result["torn"] and result["same"] and result["cleaned"]
    return whole and result["newest"] >= result["epoch"] and result["resumed"] == result["newest"]


def run(times: int, seed: int, names: list[str]) -> list[dict[str, Any]]:
    """Kill `times` times, in turns; a training that has ended before its moment came gets another one."""
    draws = random.Random(seed)
    results = []
    with tempfile.TemporaryDirectory() as root:
        references = [Reference(name, Path(root) / name) for name in names]
        while (done := sum(r["killed"] for r in results)) < times:
            reference = references[done % len(references)]
            epoch = draws.randrange(EPOCHS)
            moment = epoch, draws.uniform(0, reference.epochs[epoch])
            if done // len(references) % 2:
                moment = draws.randint(1, reference.steps)
            folder = Path(root) / f"trial{len(results)}"
            folder.mkdir()
            results.append(trial(reference, folder, moment))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    return results


def page(results: list[dict[str, Any]], command: str) -> str:
    """The results as text."""
    lines = [
        "# Kill -9, measured",
        "",
        f"{sum(r['killed'] for r in results)} of {len(results)} trainings were killed before their end; of all, "
        f"{sum(map(holds, results))} lost no more than the current epoch, had no torn file, and ended, started again, "
        "with the bytes of an undisturbed one in all files.",
        "",
        "| training | killed at | in epoch | complete then | temporary files left | resumed at | torn | same bytes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        moment = r["moment"] if r["killed"] else f"{r['moment']} (had ended)"
        columns = (r["training"], moment, r["epoch"], r["newest"], r["temporary"], r["resumed"], len(r["torn"]))
        lines.append("| " + " | ".join(map(str, columns)) + f" | {'yes' if r['same'] else 'NO'} |")
    return "\n".join([*lines, "", f"Written by `{command}`, mxlite {mx.__version__}, {os.cpu_count()} cores.", ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=["module", "bucketing", "sequential"])
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    given = parser.parse_args()
    results = run(given.times, given.seed, given.trainings)
    text = page(results, f"python -m tests.reliability.kill --times {given.times} --seed {given.seed} --write")
    if given.write:
        RESULTS.write_text(text, encoding="utf-8")
    print(text)
    return 0 if all(map(holds, results)) else 1


if __name__ == "__main__":
    sys.exit(main())
