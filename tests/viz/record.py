# SPDX-License-Identifier: Apache-2.0
"""Records tests/golden/viz with MXNet 1.9.1: run it with a Python that has mxnet and graphviz."""

import gzip
import json
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)

import mxnet  # pyright: ignore[reportMissingImports]  # noqa: E402
import pictures  # noqa: E402

if __name__ == "__main__":
    path = os.path.join(FOLDER, "..", "golden", "viz", "pictures.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(pictures.describe(mxnet), file, indent=1, sort_keys=True)
        file.write("\n")
    nets = json.dumps(pictures.of_nets(mxnet, os.path.join(FOLDER, "..", "golden", "nets")), sort_keys=True)
    path = os.path.join(FOLDER, "..", "golden", "viz", "nets.json.gz")
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(nets.encode())
