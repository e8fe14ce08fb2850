# SPDX-License-Identifier: Apache-2.0
"""Runs the cases and describes what comes out; the same code in mxlite and in the real MXNet (Python 3.8).

ORACLE tests/nd/record.py tests/golden/nd/cases.json
"""

import importlib
import json
import os
import sys
import warnings


def describe(mx, np, value):
    """`value` as JSON; arrays by shape, dtype, device and elements."""
    if isinstance(value, mx.nd.NDArray):
        shape = list(value.shape)
        values = value.asnumpy().astype("float64").ravel()
        elements = [float(x) if np.isfinite(x) else str(x) for x in values]
        return {"shape": shape, "dtype": np.dtype(value.dtype).name, "ctx": str(value.context), "values": elements}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *[describe(mx, np, v) for v in value]]
    if isinstance(value, np.ndarray):
        return {"numpy": value.tolist(), "dtype": value.dtype.name}
    if isinstance(value, type):
        return np.dtype(value).name if issubclass(value, np.generic) else value.__name__
    return (
        [type(value).__name__, repr(value)] if not isinstance(value, np.generic) else [type(value).__name__, str(value)]
    )


def run(mx, np, setup, source):
    """The description of an expression's value, or of the variable that a statement changes; or the error's class."""
    env = {"mx": mx, "np": np}

    def shares(base, key):
        part = eval("base[" + key + "]", dict(env, base=base))
        part[:] = -1
        return int((base == -1).sum().asscalar())

    env["shares"] = shares
    try:
        exec(setup, env)  # noqa: S102 - our own cases
        before = dict(env)
        try:
            code = compile(source, "case", "eval")
        except SyntaxError:
            exec(source, env)  # noqa: S102
            name = source[0]
            if name == "r":
                name = next(k for k in env if k not in before)
            value = env[name]
        else:
            value = eval(code, env)
        return {"value": describe(mx, np, value)}
    except Exception as e:  # noqa: BLE001 - whatever it is, it is the answer
        return {"error": type(e).__name__}


def record(mx, np, groups):
    """All cases: group -> source -> description."""
    return {g: {source: run(mx, np, setup, source) for source in sources} for g, (setup, sources) in groups.items()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    mxnet, numpy = importlib.import_module("mxnet"), importlib.import_module("numpy")
    found = record(mxnet, numpy, importlib.import_module("cases").GROUPS)
    with open(sys.argv[1], "w") as f:
        json.dump(found, f, indent=0, sort_keys=True)
