# SPDX-License-Identifier: Apache-2.0
"""Runs in the real MXNet: reads a case's name a line, trains or adds, answers with seconds of a step a line.

The networks and the loop are mxlite's own files: `import mxlite` is MXNet here.
"""

from __future__ import annotations

import os
import sys

import mxnet  # type: ignore[import-not-found]

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "examples")]
sys.modules["mxlite"] = mxnet

from cases import CASES
from fit import EagerTimer, FitTimer


def main() -> None:
    timers: dict[str, FitTimer | EagerTimer] = {}
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what MXNet prints is no answer
    for line in sys.stdin:
        name = line.strip()
        if name not in timers:
            timers[name] = EagerTimer() if name == "eager" else FitTimer(CASES[name])
            timers[name].seconds()
        answer.write(f"{timers[name].seconds()!r}\n")
        answer.flush()


main()
