# SPDX-License-Identifier: Apache-2.0
"""Records tests/golden/executor with the real MXNet: ``ORACLE_PYTHON tests/executor/record.py``."""

import ctypes
import json
import os
import sys

import mxnet as mx  # pyright: ignore[reportMissingImports]

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import bound_programs as programs  # noqa: E402
import loss_programs  # noqa: E402
import sparse_programs  # noqa: E402


def content(handle):
    """The values behind the raw handle that MXNet gives to a callback."""
    return programs.numbers(mx.nd.NDArray(ctypes.cast(handle, mx.base.NDArrayHandle), writable=False))


def write(name, found):
    """One case a line."""
    with open(os.path.join(HERE, "..", "golden", "executor", name), "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()) + "\n}\n")


seen = {}
for key, (symbol, shapes) in programs.watched(mx).items():
    for inputs in (False, True):
        found = programs.watch(mx, symbol, shapes, inputs, content)
        seen[key + (" with inputs" if inputs else "")] = [[name[2:-1], values] for name, values in found]
write("watch.json", seen)
write("losses.json", loss_programs.recorded(mx))
write("calls.json", {str(seed): programs.calls(mx, seed) for seed in programs.SEEDS})
for name, cases in sparse_programs.recorded(mx).items():
    write(f"sparse_{name}.json", cases)
