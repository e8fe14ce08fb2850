# SPDX-License-Identifier: Apache-2.0
"""Runs in the real MXNet: reads the name of a case or a call a line, runs it, answers with seconds of a step a line.

The networks, the calls and the loops are mxlite's own files: `import mxlite` is MXNet here.
"""

from __future__ import annotations

import os
import sys

import mxnet  # type: ignore[import-not-found]

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "examples")]
sys.modules["mxlite"] = mxnet

from calls import CallTimer
from cases import CASES
from fit import EagerTimer, FitTimer


def main() -> None:
    timers: dict[str, FitTimer | EagerTimer] = {}
    groups: dict[str, CallTimer] = {}
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what MXNet prints is no answer
    for line in sys.stdin:
        name, _, title = line.strip().partition(": ")
        if title:
            if name not in groups:
                groups[name] = CallTimer(name)
            seconds = groups[name].seconds(title)
        else:
            if name not in timers:
                timers[name] = EagerTimer() if name == "eager" else FitTimer(CASES[name])
                timers[name].seconds()
            seconds = timers[name].seconds()
        answer.write(f"{seconds!r}\n")
        answer.flush()


main()
