# SPDX-License-Identifier: Apache-2.0
"""Operators that read pictures at computed places, with option values beyond the golden cases.

``tests/golden/ops/pictures.json`` holds random calls and what MXNet 1.9.1 made of them: attributes, and arrays as
``[offset, shape]`` in the one buffer of ``pictures.npz``. Gradients are null where MXNet has none on a CPU.
"""

from __future__ import annotations

import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.op import OPS
from tests.ops.golden import FOLDER, assert_close, quick_compile

CASES = json.loads((FOLDER / "pictures.json").read_text())["cases"]
with np.load(FOLDER / "pictures.npz") as _buffers:
    NUMBERS = _buffers["float32"]


def array(ref: list[Any]) -> np.ndarray:
    offset, shape = ref
    return NUMBERS[offset : offset + math.prod(shape)].reshape(shape)


@pytest.mark.parametrize("op", sorted({c["op"] for c in CASES}))
def test_as_mxnet(op: str):
    cases = [c for c in CASES if c["op"] == op]

    def run_all(inputs: list[Any], heads: list[Any]) -> list[Any]:
        done = []
        for case, xs, head in zip(cases, inputs, heads, strict=True):
            p = OPS[op].bind({k: tuple(v) if isinstance(v, list) else v for k, v in case["attrs"].items()})
            out, pull = jax.vjp(lambda *ys, p=p: OPS[op].apply(p, *ys)[0][0], *xs)
            done.append((out, pull(head)))
        return done

    inputs = [[jnp.asarray(array(ref)) for ref in c["inputs"]] for c in cases]
    heads = [jnp.asarray(array(c["head"])) for c in cases]
    done = jax.device_get(jax.jit(run_all, compiler_options=quick_compile())(inputs, heads))
    for case, (out, grads) in zip(cases, done, strict=True):
        assert_close(out, array(case["output"]), 1e-5, f"output of {case['attrs']}")
        for i, ref in enumerate(case["grads"] or ()):
            assert_close(grads[i], array(ref), 1e-5, f"gradient {i} of {case['attrs']}")
