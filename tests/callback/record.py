# SPDX-License-Identifier: Apache-2.0
"""Records tests/golden/callback/fits.json with the real MXNet: ``ORACLE_PYTHON tests/callback/record.py``."""

import json
import os
import sys
import tempfile

import mxnet as mx  # pyright: ignore[reportMissingImports]

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import fits  # noqa: E402

with tempfile.TemporaryDirectory() as folder:
    found = {name: fits.logged(mx, name, folder) for name in fits.cases(mx, folder)}
with open(os.path.join(HERE, "..", "golden", "callback", "fits.json"), "w") as f:
    cases = (f"{json.dumps(k)}: [\n" + ",\n".join(map(json.dumps, v)) + "\n]" for k, v in found.items())
    f.write("{\n" + ",\n".join(cases) + "\n}\n")
