# SPDX-License-Identifier: Apache-2.0
"""Options and shapes that the golden cases leave out, as MXNet 1.9.1 computed them: ``tests/golden/ops/options``.

A file is a list of calls; an array is ``[dtype, shape, numbers]``, `after` has the inputs that the call wrote.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest

from tests.ops.compare import check_gradients, check_values
from tests.ops.golden import FOLDER, Arrays, Case, Result, call, quick_compile


def _array(recorded: list[Any]) -> np.ndarray:
    dtype, shape, numbers = recorded
    return np.array(numbers, np.float64 if dtype.startswith("float") else dtype).reshape(shape).astype(dtype)


def _numbered(recorded: dict[Any, Any]) -> Arrays:
    return {int(i): _array(x) for i, x in recorded.items() if x is not None}


def _case(id: str, r: dict[str, Any]) -> Case:
    return Case(
        id=id,
        op=r["op"],
        fn="",
        attrs={k: tuple(v) if isinstance(v, list) else v for k, v in r["attrs"].items()},
        train=r["train"],
        inputs=tuple(map(_array, r["inputs"])),
        input_names=(None,) * len(r["inputs"]),
        outputs=tuple(map(_array, r["outputs"])),
        head_grads=_numbered(dict(enumerate(r.get("heads", [])))),
        grads=_numbered(r.get("grads", {})),
        inputs_after=_numbered(r.get("after", {})),
        stochastic=False,
        note=r.get("note", ""),
    )


CASES = {
    f"{file.stem}/{n}": _case(f"{file.stem}/{n}", r)
    for file in sorted((FOLDER / "options").glob("*.json"))
    for n, r in enumerate(json.loads(file.read_text(encoding="utf-8")))
}


@cache
def _results(op: str) -> dict[str, Result]:
    """All cases of an operator, in one compiled program."""
    cases = [c for c in CASES.values() if c.op == op]

    def run(inputs: Any, heads: Any) -> Any:
        return [call(c, xs, hs) for c, xs, hs in zip(cases, inputs, heads, strict=True)]

    program = jax.jit(run, compiler_options=quick_compile())
    done = jax.device_get(program([c.inputs for c in cases], [c.head_grads for c in cases]))
    return {c.id: Result(*r) for c, r in zip(cases, done, strict=True)}


@pytest.mark.parametrize("id", [f"{c.id}-{c.op}" for c in CASES.values()])
def test_as_mxnet(id: str):
    case = CASES[id.partition("-")[0]]
    done = _results(case.op)[case.id]
    check_values(case, done)
    check_gradients(case, done)
