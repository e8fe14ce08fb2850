# SPDX-License-Identifier: Apache-2.0
"""Runs the cases and describes what comes out; the same code in mxlite and in the real MXNet (Python 3.8).

ORACLE tests/image/record.py tests/golden/image/cases.json
"""

import hashlib
import importlib
import json
import os
import random
import sys
import tempfile
import warnings

MODULES = ("cases_pictures", "cases_augmenters", "cases_detection", "cases_iterators")
#: Larger integer arrays are told by their digest, larger float ones by every so many elements.
MANY = 400


def describe(mx, np, value):
    """`value` as JSON; arrays by shape, dtype and elements."""
    if isinstance(value, mx.nd.NDArray):
        value = value.asnumpy()
    if isinstance(value, np.ndarray):
        told = {"shape": list(value.shape), "dtype": value.dtype.name}
        if value.dtype.kind != "f" and value.size > MANY:
            return dict(told, digest=hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16])
        return dict(told, values=[float(f"{x:.8g}") for x in value.ravel()[:: 1 + value.size // MANY]])
    if isinstance(value, (list, tuple)):
        return [describe(mx, np, v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def run(mx, np, case):
    """The description of what `case` returns, or the class of its error; and what is drawn next."""
    random.seed(42)
    np.random.seed(42)
    try:
        found = {"value": describe(mx, np, case())}
    except Exception as e:  # noqa: BLE001 - whatever it is, it is the answer
        return {"error": type(e).__name__}
    return dict(found, drawn=[random.random(), float(np.random.rand())])


def record(mx, np, find, folder):
    """All cases by the name of their module and their own; `find` imports a module of cases."""
    return {m: {name: run(mx, np, f) for name, f in find(m).cases(mx, np, folder).items()} for m in MODULES}


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    warnings.simplefilter("ignore")
    mxnet, numpy = importlib.import_module("mxnet"), importlib.import_module("numpy")
    with tempfile.TemporaryDirectory() as folder:
        found = record(mxnet, numpy, importlib.import_module, folder)
    with open(sys.argv[1], "w") as f:  # a line a case
        cases = [(m + "/" + name, told) for m, named in found.items() for name, told in sorted(named.items())]
        lines = [json.dumps(name) + ": " + json.dumps(told, separators=(",", ":")) for name, told in cases]
        f.write("{\n" + ",\n".join(lines) + "\n}\n")
