# SPDX-License-Identifier: Apache-2.0
"""Images a second of `ImageRecordIter` against the real MXNet, on JPEGs of 256 x 256, in turns.

    MXLITE_ORACLE=python-with-mxnet python tests/benchmarks/image_records.py --rounds 7

The pictures are parts of the two photographs that scikit-learn carries. Without `MXLITE_ORACLE` there is no column of
MXNet; it decodes with at most half of the cores, whatever it is told.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from image_epoch import ImageTimer
from mxlite import recordio
from turns import RESULTS, Oracle, in_turns, load, machine, ratio

COMMAND = "tests/benchmarks/image_records.py --rounds {} --write"


def write_records(path: str, count: int) -> None:
    """A file of `count` JPEGs of 256 x 256, quality 90."""
    draw = np.random.RandomState(0)
    photographs = load_sample_images().images
    records = recordio.MXRecordIO(path, "w")
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        y, x = (draw.randint(size - 256 + 1) for size in photograph.shape[:2])
        part = np.ascontiguousarray(photograph[y : y + 256, x : x + 256, ::-1])
        records.write(recordio.pack_img(recordio.IRHeader(0, number % 10, number, 0), part, 90))
    records.close()


def main(argv: list[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--write", action="store_true", help="also write results/images.md")
    args = parser.parse_args(argv)
    python = os.environ.get("MXLITE_ORACLE")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = os.path.join(folder, "pictures.rec")
        write_records(path, args.images)
        oracle = stack.enter_context(Oracle(python, HERE / "image_worker.py")) if python else None
        lines = [f"images a second, {args.images} JPEGs 256 x 256 -> 224 x 224; {machine()}; {load()}"]
        for threads in args.threads:
            runs: dict[str, Callable[[], float]] = {"mxlite": ImageTimer(path, threads).seconds}
            if oracle:
                runs["mxnet"] = partial(oracle.seconds, f"{threads} {path}")
            times = in_turns(runs, args.rounds)
            speeds = {name: args.images / statistics.median(seconds) for name, seconds in times.items()}
            told = "  ".join(f"{name} {speed:6.0f}" for name, speed in speeds.items())
            slower = ratio(times, "mxnet")
            lines.append(f"{threads} threads: {told}" + (f"  mxlite/mxnet {1 / slower:.2f}" if slower else ""))
    print(*lines, sep="\n")
    if args.write:
        RESULTS.mkdir(exist_ok=True)
        told = "".join(f"    {line}\n" for line in lines)
        command = COMMAND.format(args.rounds)
        text = f"# Reading pictures from records\n\n    python {command}\n\n{told}"
        (RESULTS / "images.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
