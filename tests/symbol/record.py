# SPDX-License-Identifier: Apache-2.0
"""Records tests/golden/symbol/*.json with MXNet 1.9.1: run it with the Python of an environment that has mxnet.

python tests/symbol/record.py
"""

import json
import os
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import api_calls
import infer_cases
import mxnet  # pyright: ignore[reportMissingImports]
import programs
import random_programs

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "symbol")


def write(name, data):
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write("programs.json", {name: programs.describe(mxnet, name) for name in programs.PROGRAMS})
    write("infer.json", {name: infer_cases.describe(mxnet, name) for name in infer_cases.CASES})
    write("api_calls.json", {call: api_calls.answer(mxnet, call) for call in api_calls.CALLS})
    write("random_programs.json", {seed: random_programs.digest(mxnet, seed) for seed in random_programs.SEEDS})
