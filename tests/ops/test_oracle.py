# SPDX-License-Identifier: Apache-2.0
"""Random calls, compared with the real MXNet: values and dtypes, or that both refuse.

Runs where MXLITE_ORACLE names a Python that imports mxnet. One process of it answers all calls.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif("MXLITE_ORACLE" not in os.environ, reason="MXLITE_ORACLE names no Python with mxnet"),
]

#: Reads calls, a JSON object a line, and writes what MXNet makes of them.
SERVER = """
import json, sys
import mxnet as mx
import numpy as np
for line in open(sys.argv[1]):
    call = json.loads(line)
    try:
        given = [(np.array(x["data"], x["dtype"]).reshape(x["shape"]), x["dtype"]) for x in call["arrays"]]
        arrays = [mx.nd.array(x, dtype=t) for x, t in given]
        f = getattr(mx.nd, call["op"], None) or getattr(mx.nd._internal, call["op"])
        attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in call["attrs"].items()}
        out = f(*arrays, **attrs)
        outs = out if isinstance(out, list) else [out]
        got = [y.asnumpy() for y in outs]
        told = [{"dtype": y.dtype.name, "shape": y.shape, "data": [float(v) for v in y.ravel()]} for y in got]
        print(json.dumps(told))
    except Exception as e:
        print(json.dumps(str(e).splitlines()[-1][:200]))
    sys.stdout.flush()
"""


def _shape(r: random.Random, most: int = 4) -> list[int]:
    return [r.randint(1, 4) for _ in range(r.randint(1, most))]


def _array(r: random.Random, shape: list[int], dtype: str = "float32") -> dict[str, Any]:
    count = int(np.prod(shape))
    if dtype.startswith("float"):
        data: list[Any] = [v / 128 for v in r.sample(range(-400, 400), count)]  # no ties
    else:
        data = [r.randint(0 if dtype[0] == "u" else -5, 5) for _ in range(count)]
    return {"shape": shape, "dtype": dtype, "data": data}


def _call(r: random.Random) -> dict[str, Any]:
    """One call; about one in five is a mistake."""
    kind = r.choice(["unary", "scalar", "same", "wide", "reduce", "arg", "shape", "slice", "join", "order", "pick"])
    shape = _shape(r)
    dtype = r.choice(["float32", "float32", "float64", "int32", "uint8", "int8", "int64"])
    n = len(shape)
    axis = r.randint(-n, n - 1) if r.random() < 0.9 else n + 1
    if kind == "unary":
        names = "abs sign negative square floor ceil trunc rint round relu sigmoid exp tanh arctan logical_not "
        names += "softsign sin cos log1p cbrt radians zeros_like"
        return {"op": r.choice(names.split()), "arrays": [_array(r, shape, dtype)], "attrs": {}}
    if kind == "scalar":
        stems = "plus minus rminus mul maximum minimum mod equal greater lesser_equal logical_xor"
        return {
            "op": f"_{r.choice(stems.split())}_scalar",
            "arrays": [_array(r, shape, dtype)],
            "attrs": {"scalar": r.choice([2, -1, 1.5, 0.0, 3.7])},
        }
    if kind in ("same", "wide"):
        stem = r.choice(
            ["add", "sub", "mul", "mod", "maximum", "minimum", "equal", "lesser", "greater_equal", "logical_or"]
        )
        if kind == "wide":
            other = [k if r.random() < 0.6 else 1 for k in shape][r.randint(0, n - 1) :]
            name = f"broadcast_{stem}"
        else:
            other = shape if r.random() < 0.9 else shape[::-1]
            name = f"elemwise_{stem}" if stem in ("add", "sub", "mul") else f"_{stem}"
        return {"op": name, "arrays": [_array(r, shape, dtype), _array(r, other, dtype)], "attrs": {}}
    if kind == "reduce":
        name = r.choice(["sum", "mean", "max", "min", "prod", "nansum", "nanprod"])
        axes: Any = r.choice([None, axis, sorted(r.sample(range(n), r.randint(1, n)))])
        attrs = {"axis": axes, "keepdims": r.random() < 0.5, "exclude": r.random() < 0.2}
        return {"op": name, "arrays": [_array(r, shape, r.choice(["float32", "float64", "int32"]))], "attrs": attrs}
    if kind == "arg":
        attrs = {"axis": r.choice([None, axis]), "keepdims": r.random() < 0.5}
        return {"op": r.choice(["argmax", "argmin"]), "arrays": [_array(r, shape, dtype)], "attrs": attrs}
    if kind == "shape":
        order = list(range(n))
        r.shuffle(order)
        name, attrs = r.choice([
            ("transpose", {"axes": order}), ("expand_dims", {"axis": axis}), ("SwapAxis", {"dim1": axis, "dim2": 0}),
            ("reverse", {"axis": abs(axis)}), ("Flatten", {}), ("tile", {"reps": [2, 1][: r.randint(1, 2)]}),
            ("repeat", {"repeats": 2, "axis": r.choice([None, axis])}), ("squeeze", {"axis": axis}), ("squeeze", {}),
            ("Reshape", {"shape": [0, -1] if n > 1 else [-1]}), ("Reshape", {"shape": [-3, -2]}),
            ("Reshape", {"shape": [-2, 1]}),
            ("diag", {"k": r.randint(-2, 2)}), ("shape_array", {}), ("size_array", {}),
        ])  # fmt: skip
        return {"op": name, "arrays": [_array(r, shape)], "attrs": attrs}
    if kind == "slice":
        bounds = [(r.randint(-k, k - 1), r.randint(-k, k + 1)) for k in shape]
        begin, end = [b for b, _ in bounds], [e for _, e in bounds]
        if r.random() < 0.5:
            begin, end = sorted([begin[0] % shape[0], end[0] % (shape[0] + 1)])[:1], [shape[0]]
        if r.random() < 0.4:
            attrs = {"axis": axis, "begin": begin[0], "end": r.choice([None, end[0]])}
            return {"op": "slice_axis", "arrays": [_array(r, shape)], "attrs": attrs}
        return {"op": "slice", "arrays": [_array(r, shape)], "attrs": {"begin": begin, "end": end}}
    if kind == "join":
        at = r.randint(0, n - 1)
        other = [r.randint(1, 3) if i == at else k for i, k in enumerate(shape)]
        if r.random() < 0.5:
            attrs = {"num_outputs": r.choice([1, 2, shape[at]]), "axis": at, "squeeze_axis": r.random() < 0.3}
            return {"op": "SliceChannel", "arrays": [_array(r, shape)], "attrs": attrs}
        name, attrs = r.choice([("Concat", {"dim": at}), ("stack", {"axis": axis})])
        return {"op": name, "arrays": [_array(r, shape), _array(r, other)], "attrs": attrs}
    if kind == "order":
        name, attrs = r.choice([
            ("sort", {"axis": axis, "is_ascend": r.random() < 0.5}), ("argsort", {"axis": r.choice([None, axis])}),
            ("topk", {"axis": axis, "k": r.randint(1, 2), "ret_typ": r.choice(["value", "indices", "mask", "both"])}),
        ])  # fmt: skip
        return {"op": name, "arrays": [_array(r, shape)], "attrs": attrs}
    index = _array(r, _shape(r, 2), r.choice(["float32", "int32"]))
    name, attrs, second = r.choice([
        ("take", {"axis": axis, "mode": r.choice(["clip", "wrap"])}, index), ("one_hot", {"depth": 3}, None),
        ("pick", {"axis": -1}, _array(r, shape[:-1] or [1], "float32")), ("clip", {"a_min": -1.5, "a_max": 2}, None),
        ("gather_nd", {}, _array(r, [1, 2], "uint8")),
    ])  # fmt: skip
    return {"op": name, "arrays": [_array(r, shape), second] if second else [_array(r, shape)], "attrs": attrs}


def _ours(call: dict[str, Any]) -> list[np.ndarray] | str:
    op = OPS[call["op"]]
    arrays = [jnp.asarray(np.array(x["data"], x["dtype"]).reshape(x["shape"])) for x in call["arrays"]]
    attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in call["attrs"].items()}
    if op.variadic:
        attrs[op.variadic] = len(arrays)
    try:
        p = op.bind(attrs)
        outs = jax.jit(lambda *xs: op.apply(p, *xs)[0])(*arrays)
    except MXNetError as e:
        return str(e)
    return [np.asarray(y) for y in outs[: op.visible(p)]]


#: Operators that accept what MXNet refuses, negative axes and the like; an empty diagonal it is that MXNet accepts.
MORE_LIBERAL = {"slice", "reverse", "gather_nd", "transpose", "clip", "pick", "diag", "squeeze"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, Any], Any]]:
    r = random.Random(int(os.environ.get("MXLITE_ORACLE_SEED", "0")))
    calls = [_call(r) for _ in range(int(os.environ.get("MXLITE_ORACLE_CALLS", "200")))]
    folder: Path = tmp_path_factory.mktemp("oracle")
    (folder / "server.py").write_text(SERVER)
    (folder / "calls.jsonl").write_text("".join(json.dumps(c) + "\n" for c in calls))
    command = [os.environ["MXLITE_ORACLE"], str(folder / "server.py"), str(folder / "calls.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    replies = [json.loads(line) for line in done.stdout.splitlines() if line[:1] in '["']
    return list(
        zip(calls, replies, strict=False)
    )  # MXNet may crash, and then refuse a call; what it said before counts


def test_same_answers(answers: list[tuple[dict[str, Any], Any]]):
    assert len(answers) > 20
    differences = []
    for call, want in answers:
        got = _ours(call)
        what = {k: v if k != "arrays" else [(x["shape"], x["dtype"]) for x in v] for k, v in call.items()}
        if isinstance(want, str) or isinstance(got, str):
            both_refuse = isinstance(want, str) and isinstance(got, str)
            if not both_refuse and call["op"] not in MORE_LIBERAL and "delay_alloc" not in want:
                differences.append((what, got if isinstance(got, str) else "accepted", want))
            continue
        for y, w in zip(got, want, strict=True):
            same = y.dtype.name == w["dtype"] and list(y.shape) == w["shape"]
            data = np.array(w["data"]).reshape(w["shape"])
            if not same or not np.allclose(y.astype(np.float64), data, rtol=2e-5, atol=1e-5, equal_nan=True):
                differences.append((what, y.dtype, y.shape, y.ravel()[:6], w["dtype"], w["shape"], w["data"][:6]))
    assert not differences, "\n".join(map(str, differences))
