# SPDX-License-Identifier: Apache-2.0
"""`make bench`: a step of `Module.fit` against the same step hand-written in JAX + optax, and against the real MXNet;
then a table of eager calls against the real MXNet.

All are measured in one run, in turns, because a machine is not equally fast all the time; what is reported is the
median of the rounds, and the ratio is the median of the ratios within a round. `MXLITE_ORACLE` names a Python that
imports the real MXNet; without it that column is empty.

    python tests/benchmarks/run.py --rounds 15 --write      # also writes results/
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "examples")]

import eager
import hand
from cases import CASES, arrays
from fit import EagerTimer, FitTimer
from turns import RESULTS, Oracle, in_turns, load, machine, ratio

COMMAND = "make bench ARGS='--rounds {} --write'"


def hand_runs(name: str, fit: FitTimer) -> dict[str, Callable[[], float]]:
    """The hand-written loops of a case, by layout of images, starting from the weights of `fit`."""
    case = CASES[name]
    images, labels = arrays(case)
    runs = {}
    for layout in ("NCHW", "NHWC") if images.ndim == 4 else ("NCHW",):
        trainer = hand.Trainer(case, *fit.params(), layout=layout)
        inputs = hand.channels_last(images) if layout == "NHWC" else images

        def run(trainer: hand.Trainer = trainer, inputs: Any = inputs) -> float:
            start = time.perf_counter()
            trainer.epoch(inputs, labels)
            return (time.perf_counter() - start) / case.batches

        runs[f"hand {layout}"] = run
    return runs


def measure(rounds: int, names: list[str], oracle: Oracle | None) -> list[dict[str, Any]]:
    """A row of numbers a case."""
    rows = []
    for name in names:
        if name == "eager":
            title, most, mine = "eager a + b, 10x10", None, EagerTimer().seconds
            runs: dict[str, Callable[[], float]] = {"mxlite": mine}
        else:
            case, fit = CASES[name], FitTimer(CASES[name])
            title, most = case.title, case.most
            runs = {"mxlite": fit.seconds, **hand_runs(name, fit)}
        if oracle is not None:
            runs["mxnet"] = lambda name=name: oracle.seconds(name)
        times = in_turns(runs, rounds)
        rows.append(
            {
                "case": name,
                "title": title,
                "most": most,
                "ms": {who: statistics.median(seconds) * 1e3 for who, seconds in times.items()},
                "ratio": {who: ratio(times, who) for who in times if who != "mxlite"},
            }
        )
        print(f"{title}: " + ", ".join(f"{who} {ms:.4g} ms" for who, ms in rows[-1]["ms"].items()), flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| | mxlite, ms | hand-written JAX + optax, ms | ratio (goal) | MXNet 1.9.1, ms | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ms, ratios = row["ms"], row["ratio"]
        by_hand = " / ".join(f"{ms[w]:.3g} ({w[5:]})" for w in ms if w.startswith("hand")) or "-"
        goal = f" (at most {row['most']})" if row["most"] else ""
        against_hand = f"{worst(row):.2f}{goal}" if any(w.startswith("hand") for w in ms) else "-"
        mxnet = f"{ms['mxnet']:.3g} | {ratios['mxnet']:.2f}" if "mxnet" in ms else "- | -"
        lines.append(f"| {row['title']} | {ms['mxlite']:.3g} | {by_hand} | {against_hand} | {mxnet} |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """One panel a row: bars of milliseconds."""
    import matplotlib.pyplot as plt

    colours = {"mxlite": "tab:blue", "hand NCHW": "tab:gray", "hand NHWC": "silver", "mxnet": "tab:orange"}
    figure, panels = plt.subplots(1, len(rows), figsize=(3.2 * len(rows), 3.2), squeeze=False, layout="constrained")
    for panel, row in zip(panels[0], rows, strict=True):
        bars = panel.bar(list(row["ms"]), list(row["ms"].values()), color=[colours[who] for who in row["ms"]])
        panel.bar_label(bars, fmt="%.3g", fontsize=8)
        panel.set_title(row["title"], fontsize=9)
        panel.set_ylabel("ms")
        panel.tick_params(axis="x", rotation=30, labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--cases", default="mlp,lenet,resnet,eager,calls", help="some of them, with commas")
    p.add_argument(
        "--write", action="store_true", help="write the picture and the numbers into tests/benchmarks/results"
    )
    p.add_argument("--strict", action="store_true", help="exit with 1 when a ratio is above its goal")
    args = p.parse_args(argv)
    names = args.cases.split(",")
    if unknown := set(names) - {*CASES, "eager", "calls"}:
        p.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join([*CASES, 'eager', 'calls'])}")
    steps, python = [n for n in names if n != "calls"], os.environ.get("MXLITE_ORACLE")
    with Oracle(python) if python else nullcontext() as oracle:
        rows = measure(args.rounds, steps, oracle)
        called = eager.measure(args.rounds, oracle) if "calls" in names else []
    print(f"\n{machine()}; medians of {args.rounds} rounds, in turns")
    print(*(f"\n{text}" for text in (table(rows) if rows else "", eager.table(called) if called else "") if text))
    if args.write:
        RESULTS.mkdir(exist_ok=True)
        if rows:
            write(rows, args.rounds, RESULTS)
        if called:
            eager.write(called, args.rounds, RESULTS)
        print(f"\nwrote {RESULTS}")
    late = [r["title"] for r in rows if r["most"] and worst(r) > r["most"]] + eager.slower(called)
    if late:
        print("above the goal: " + "; ".join(late))
    return 1 if late and args.strict else 0


def write(rows: list[dict[str, Any]], rounds: int, results: Path) -> None:
    """Write numbers, page and picture of the training steps into the folder `results`."""
    command = COMMAND.format(rounds)
    numbers = {"command": command, "machine": machine(), "rounds": rounds, "rows": rows}
    (results / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n")
    (results / "README.md").write_text(
        f"# A training step, measured\n\n{table(rows)}\n\n![bars](steps.png)\n\n"
        f"Written by `{command}` on {machine()}, {load()}: medians of {rounds} rounds, all in one run and in turns. "
        "The ratio is mxlite's time divided by the other's, against the faster hand-written layout.\n\n"
        "Further pages: [eager calls](calls.md), [memory](memory.md), [memory over epochs](epochs.md), "
        "[kills](kill.md), [pictures from records](images.md).\n"
    )
    draw(rows, results / "steps.png")


def worst(row: dict[str, Any]) -> float:
    """The ratio against the faster hand-written loop."""
    return max(value for who, value in row["ratio"].items() if who.startswith("hand"))


if __name__ == "__main__":
    sys.exit(main())
