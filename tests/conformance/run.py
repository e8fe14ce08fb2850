# SPDX-License-Identifier: Apache-2.0
"""`make conformance`: how many operators and names of MXNet 1.9.1 are there, and how many recorded results agree.

    python -m tests.conformance.run --write      # also writes tests/conformance/results

The names and their signatures are compared by ``names.py``; why some are missing says ``reasons.py``. The facts about
MXNet's operators are in ``tests/golden/ops/operators.json``, the recorded results beside it. What a result may differ
by, and what is different on purpose, stands in ``tests/ops/cases.py``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

import mxlite  # turns on 64 bits, registers Custom
from mxlite_compiler.op import OPS
from tests.conformance import names
from tests.ops.cases import DIFFERENCES, LOOSE, NO_GRADS, NO_VALUES, NOT_RUN
from tests.ops.compare import check_gradients, check_values, compared, differentiated
from tests.ops.golden import FOLDER, Case, Result, all_cases, cases_of_registered, results

RESULTS = Path(__file__).resolve().parent / "results"
COMMAND = "make conformance ARGS=--write"
#: The tiers of operators.json: what classic scripts use most, the other public operators, the rest (numpy, quantized).
TIERS = {1: "classic", 2: "other public", 3: "internal, numpy, quantized, sparse"}


@dataclasses.dataclass
class Row:
    """A group of operators in one tier: how many there are, how many are here, how many cases agree of how many."""

    tier: int
    group: str
    operators: int = 0
    there: int = 0
    values: int = 0
    value_cases: int = 0
    gradients: int = 0
    gradient_cases: int = 0
    missing: list[str] = dataclasses.field(default_factory=list)
    failures: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: Row) -> None:
        """Count the operators and cases of `other`, too."""
        for name in ("operators", "there", "values", "value_cases", "gradients", "gradient_cases"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def facts() -> dict[str, dict[str, Any]]:
    """Tier, group and names of every operator of MXNet."""
    return json.loads((FOLDER / "operators.json").read_text(encoding="utf-8"))


def measure(chosen: Callable[[str], bool] = lambda op: True) -> list[Row]:
    """A row for each tier and group, of the operators that are `chosen`."""
    rows: dict[tuple[int, str], Row] = {}
    for name, fact in facts().items():
        if not chosen(name):
            continue
        row = rows.setdefault((fact["tier"], fact["group"]), Row(fact["tier"], fact["group"]))
        row.operators += 1
        if name in OPS:
            row.there += 1
            count(row, name)
        else:
            row.missing.append(name)
    return [rows[key] for key in sorted(rows)]


def count(row: Row, op: str) -> None:
    """Count the recorded cases of `op`, and those that agree."""
    cases = [c for c in cases_of_registered(NOT_RUN) if c.op == op]
    done = results(op, tuple(c.id for c in cases)) if cases else {}
    for case in cases:
        if compared(case):
            row.value_cases += 1
            row.values += agrees(row, check_values, case, done[case.id])
        if differentiated(case):
            row.gradient_cases += 1
            row.gradients += agrees(row, check_gradients, case, done[case.id])


def agrees(row: Row, check: Callable[[Case, Result], None], case: Case, done: Result) -> bool:
    """Whether `check` passes; the row remembers what did not."""
    try:
        check(case, done)
    except Exception as e:  # noqa: BLE001 - whatever it is, it is reported
        row.failures.append(f"{case.id}: {next(iter(str(e).strip().splitlines()), type(e).__name__)}")
        return False
    return True


def totals(rows: list[Row]) -> list[Row]:
    """A row for each tier, in order."""
    found = {tier: Row(tier, "**all**") for tier in TIERS}
    for row in rows:
        found[row.tier].add(row)
    return [row for row in found.values() if row.operators]


def table(rows: list[Row]) -> str:
    """The rows as Markdown, the groups of each tier under their sum. Tier 3 is only summed up."""
    lines = [
        "| tier | group | operators in MXNet | in mxlite | results that agree | gradients that agree |",
        "|---|---|---|---|---|---|",
    ]
    for total in totals(rows):
        for row in [total, *(r for r in rows if r.tier == total.tier < 3)]:
            tier = f"{row.tier} ({TIERS[row.tier]})" if row is total else ""
            lines.append(
                f"| {tier} | {row.group} | {row.operators} | {row.there} | {row.values} of {row.value_cases} "
                f"| {row.gradients} of {row.gradient_cases} |"
            )
    return "\n".join(lines)


def differences() -> str:
    """What is different on purpose, and what is compared less strictly, with the reasons."""
    lines = ["| operators | different on purpose |", "|---|---|"]
    lines += [f"| `{what}` | {why} |" for what, why in DIFFERENCES.items()]
    lines += ["", "| recorded case | how it is compared | because |", "|---|---|---|"]
    lines += [f"| `{what}` | to {bound:g} | {why} |" for what, (bound, why) in LOOSE.items()]
    for given, how in ((NO_VALUES, "shapes only"), (NO_GRADS, "without gradients"), (NOT_RUN, "not at all")):
        lines += [f"| `{what}` | {how} | {why} |" for what, why in given.items()]
    return "\n".join(lines)


def report(rows: list[Row]) -> str:
    """The whole text: table, what fails, what is missing, what is different on purpose."""
    recorded = [c for c in all_cases().values() if c.op in OPS]
    random = sum(c.stochastic for c in recorded)
    parts = [table(rows)]
    failures = [text for row in rows for text in row.failures]
    if failures:
        parts.append("These do not agree:\n\n" + "\n".join(f"- {text}" for text in failures))
    missing = [f"{name} ({row.group})" for row in rows if row.tier < 3 for name in row.missing]
    if missing:
        parts.append(f"Missing of tiers 1 and 2: {', '.join(missing)}.")
    parts.append(
        f"{len(recorded)} recorded calls; {random} of them draw random numbers, so only their shapes and dtypes are "
        "compared here, and their distribution elsewhere. float32 must agree to 1e-5, float64 to 1e-9, float16 to "
        "2e-3 of the value, or a tenth of that of the largest value of the array."
    )
    return "\n\n".join([*parts, differences()])


def draw_names(found: list[names.Name], path: Path) -> None:
    """Bars: of each module's public names, how many are there."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    chosen: dict[str, list[names.Name]] = {}
    for name in found:
        chosen.setdefault(name.module.partition(".")[0], []).append(name)
    modules = sorted(chosen, key=lambda m: (names.is_core(m), len(chosen[m])))
    every = [len(chosen[m]) for m in modules]
    fine = [sum(not name.problem for name in chosen[m]) for m in modules]
    figure, panel = plt.subplots(figsize=(7, 0.2 * len(modules) + 0.8), layout="constrained")
    titles = ["mx" if m == "mxnet" else f"mx.{m}" for m in modules]
    panel.barh(titles, every, color="mistyrose")
    colours = ["tab:blue" if names.is_core(m) else "lightsteelblue" for m in modules]
    bars = panel.barh(titles, fine, color=colours)
    panel.bar_label(bars, [f" {n} of {m}" for n, m in zip(fine, every, strict=True)], fontsize=7)
    panel.set_title("public names with a compatible signature; the modules of arrays and graphs dark", fontsize=9)
    panel.tick_params(labelsize=8)
    panel.margins(x=0.15, y=0.01)
    panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw(rows: list[Row], path: Path) -> None:
    """Bars: of each group's operators and recorded results, how many are there and agree."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    groups: dict[str, Row] = {}
    for row in rows:
        if row.tier < 3:
            groups.setdefault(row.group, Row(0, row.group)).add(row)
    names = sorted(groups, key=lambda g: groups[g].operators)
    chosen = [groups[name] for name in names]
    figure, panels = plt.subplots(1, 3, figsize=(11, 0.28 * len(names) + 1.2), sharey=True, layout="constrained")
    for panel, title, part, whole in zip(
        panels,
        ("operators of tiers 1 and 2", "recorded results that agree", "recorded gradients that agree"),
        ("there", "values", "gradients"),
        ("operators", "value_cases", "gradient_cases"),
        strict=True,
    ):
        every = [getattr(row, whole) for row in chosen]
        fine = [getattr(row, part) for row in chosen]
        panel.barh(names, every, color="mistyrose")
        bars = panel.barh(names, fine, color="tab:blue")
        panel.bar_label(bars, [f" {n} of {m}" for n, m in zip(fine, every, strict=True)], fontsize=7)
        panel.set_title(f"{title}: {sum(fine)} of {sum(every)}", fontsize=9)
        panel.tick_params(labelsize=8)
        panel.margins(x=0.2)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(argv: list[str] | None = None) -> int:
    """Print the report; 1 when a recorded result does not agree, or a name is missing without a reason."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--only", metavar="OP,OP", help="some operators, with commas")
    p.add_argument("--write", action="store_true", help="write table and picture into tests/conformance/results")
    args = p.parse_args(argv)
    if args.only and args.write:
        p.error("--write is for all operators: leave --only out")
    only = set(args.only.split(",")) if args.only else None
    rows = measure(lambda op: only is None or op in only)
    text = report(rows)
    found = [] if only else names.names()
    about_names = names.report(found) if found else ""
    print(about_names, text, sep="\n\n")
    if args.write:
        device = jax.devices()[0]
        software = f"mxlite {mxlite.__version__}, Python {platform.python_version()}, jax {jax.__version__}"
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "README.md").write_text(
            f"# Conformance with MXNet 1.9.1\n\n## Names\n\n![bars](names.png)\n\n{about_names}\n\n## Operators\n\n"
            f"![bars](conformance.png)\n\n{text}\n\nWritten by `{COMMAND}` with "
            f"{software} on {device.platform}.\n",
            encoding="utf-8",
        )
        draw(rows, RESULTS / "conformance.png")
        draw_names(found, RESULTS / "names.png")
        print(f"\nwrote {RESULTS}")
    unexplained = any(name.problem and not name.reason for name in found)
    return int(unexplained or any(row.failures for row in rows))


if __name__ == "__main__":
    sys.exit(main())
