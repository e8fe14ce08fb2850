# SPDX-License-Identifier: Apache-2.0
"""The table of eager calls: what each costs here and in the real MXNet, in one run and in turns."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from calls import COUNTS, CallTimer
from turns import Oracle, in_turns, load, machine, ratio

COMMAND = "make bench ARGS='--cases calls --rounds {} --write'"

#: What is known of calls whose time is that of the kernel which XLA has for them.
KERNELS = """\
Of the calls with large arrays some spend their time in one kernel of XLA, for which no other form was reliably faster \
on a busy machine: `Convolution` (channels last with the two transposes took 1.3 times, im2col with one product twice \
the time), `softmax` (barriers around the exponential, or the sum as a product, were now faster, now slower; the \
exponential alone is over half of it), `Embedding` (flat indices, clipped before or in the gather: the same).\
"""


def measure(rounds: int, oracle: Oracle | None, groups: Sequence[str] = tuple(COUNTS)) -> list[dict[str, Any]]:
    """A row of numbers a call."""
    rows = []
    for group in groups:
        timer = CallTimer(group)
        for title in timer.calls:
            runs: dict[str, Callable[[], float]] = {"mxlite": partial(timer.seconds, title)}
            if oracle is not None:
                runs["mxnet"] = partial(oracle.seconds, f"{group}: {title}")
            times = in_turns(runs, rounds, pause=0.01)
            us = {who: statistics.median(seconds) * 1e6 for who, seconds in times.items()}
            rows.append({"group": group, "title": title, "us": us, "ratio": ratio(times, "mxnet")})
            print(f"{group} {title}: " + ", ".join(f"{who} {t:.4g} us" for who, t in us.items()), flush=True)
    return rows


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The calls that take longer than MXNet's."""
    return [f"{r['title']} ({r['ratio']:.2f})" for r in rows if r["ratio"] is not None and r["ratio"] > 1]


def total(rows: Sequence[dict[str, Any]], who: str) -> float:
    """Microseconds of all calls together."""
    return sum(r["us"][who] for r in rows)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown, with a line of totals for each group."""
    lines = ["| | mxlite, us | MXNet 1.9.1, us | ratio |", "|---|---|---|---|"]
    for group in dict.fromkeys(r["group"] for r in rows):
        some = [r for r in rows if r["group"] == group]
        for r in some:
            other = f"{r['us']['mxnet']:.1f} | {r['ratio']:.2f}" if "mxnet" in r["us"] else "- | -"
            lines.append(f"| {r['title']} | {r['us']['mxlite']:.1f} | {other} |")
        mine = total(some, "mxlite")
        other = "- | -"
        if "mxnet" in some[0]["us"]:
            theirs = total(some, "mxnet")
            other = f"{theirs:.0f} | {mine / theirs:.2f}"
        lines.append(f"| **{len(some)} {group} calls together** | {mine:.0f} | {other} |")
    return "\n".join(lines)


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """A panel a group: per call a bar of the ratio to MXNet, or of microseconds where it is not there."""
    import matplotlib.pyplot as plt

    groups = list(dict.fromkeys(r["group"] for r in rows))
    figure, panels = plt.subplots(1, len(groups), figsize=(6 * len(groups), 9), squeeze=False, layout="constrained")
    for panel, group in zip(panels[0], groups, strict=True):
        some = [r for r in rows if r["group"] == group][::-1]
        compared = all(r["ratio"] is not None for r in some)
        values = [r["ratio"] if compared else r["us"]["mxlite"] for r in some]
        panel.barh([r["title"] for r in some], values, color="tab:blue")
        if compared:
            panel.axvline(1, color="tab:orange")
        panel.set_xlabel("time of mxlite / time of MXNet 1.9.1" if compared else "us")
        panel.set_title(f"{group} arrays", fontsize=10)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def write(rows: Sequence[dict[str, Any]], rounds: int, results: Path) -> None:
    """Write numbers, page and picture into the folder `results`."""
    command, late = COMMAND.format(rounds), slower(rows)
    numbers = {"command": command, "machine": machine(), "rounds": rounds, "rows": list(rows)}
    (results / "calls.json").write_text(json.dumps(numbers, indent=1) + "\n")
    counts = ", ".join(f"{n} {group}" for group, n in COUNTS.items())
    (results / "calls.md").write_text(
        f"# Eager calls, measured\n\n![ratios](calls.png)\n\n{table(rows)}\n\n"
        f"Slower than MXNet in this run: {', '.join(late) or 'none'}.\n\n{KERNELS}\n\n"
        f"Written by `{command}` on {machine()}, {load()}: medians of {rounds} rounds, all in one run and in turns. "
        f"In a round a call is made again and again ({counts}), then `waitall` waits for all results. The ratio is "
        "mxlite's time divided by MXNet's, the median over the rounds.\n"
    )
    draw(rows, results / "calls.png")
