# SPDX-License-Identifier: Apache-2.0
"""Runs in the real MXNet: takes ``THREADS PATH`` a line, reads that file of records, answers with seconds a line."""

from __future__ import annotations

import os
import sys

import mxnet  # type: ignore[import-not-found]

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.modules["mxlite"] = mxnet

from image_epoch import ImageTimer


def main() -> None:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what MXNet prints is no answer
    timers: dict[str, ImageTimer] = {}
    for line in sys.stdin:
        threads, _, path = line.strip().partition(" ")
        if line not in timers:
            timers[line] = ImageTimer(path, int(threads))
        answer.write(f"{timers[line].seconds()!r}\n")
        answer.flush()


main()
