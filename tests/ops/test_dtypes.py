# SPDX-License-Identifier: Apache-2.0
"""Kernels keep the dtype they are given: float32 in, nothing of 64 bits on the way, forward and backward.

On a GPU a hidden float64 costs 32 to 64 times the time, and a hidden int64 twice the memory. The jaxpr of every golden
case without 64-bit arrays is searched, subprograms included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.op import OPS, Mode
from tests.ops.cases import NOT_RUN
from tests.ops.golden import KEY, Case, call, cases_of_registered

WIDE = ("float64", "int64", "uint64", "complex128")

#: Operator -> why 64 bits inside are right although its inputs have fewer.
ALLOWED: dict[str, str] = {
    "shape_array": "the sizes are int64, as in MXNet",
    "size_array": "the size is int64, as in MXNet",
    "_histogram": "the counts are int64, as in MXNet",
    "_contrib_index_array": "the indices are int64, as in MXNet",
}


def _narrow(case: Case) -> bool:
    arrays = (*case.inputs, *case.outputs)
    return not any(x.dtype.name in WIDE for x in arrays) and case.attrs.get("dtype") not in WIDE


def _representatives() -> list[Case]:
    """One case for each operator, dtype and set of parameters that was given."""
    found: dict[Any, Case] = {}
    for case in cases_of_registered(NOT_RUN):
        if case.op not in ALLOWED and _narrow(case):
            key = (case.op, tuple(case.attrs), tuple(x.dtype for x in case.inputs), tuple(x.ndim for x in case.inputs))
            found.setdefault((*key, bool(case.grads)), case)
    return list(found.values())


def _equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for parameter in equation.params.values():
            for inner in parameter if isinstance(parameter, tuple | list) else (parameter,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _equations(inner)


def wide_values(closed: Any) -> list[str]:
    """The equations of a jaxpr that make an array of 64 bits; single numbers are free."""
    return [
        str(equation)[:300]
        for equation in _equations(closed.jaxpr)
        for v in equation.outvars
        if getattr(v.aval, "dtype", None) is not None and str(v.aval.dtype) in WIDE and v.aval.size > 1
    ]


@pytest.mark.parametrize("case", _representatives(), ids=lambda c: c.id)
def test_no_hidden_64_bits(case: Case):
    closed = jax.make_jaxpr(lambda xs, hs: call(case, xs, hs))(case.inputs, case.head_grads)
    assert not wide_values(closed)


def test_a_hidden_float64_is_found():
    closed = jax.make_jaxpr(lambda x: jax.jit(lambda y: y.astype(jnp.float64) * 2)(x).astype(x.dtype))(
        np.ones(3, np.float32)
    )
    assert wide_values(closed)


@pytest.mark.parametrize("name", ["_plus_scalar", "_rdiv_scalar", "_equal_scalar", "_maximum_scalar", "clip"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "int32"])
def test_traced_scalar_keeps_dtype(name: str, dtype: str):
    """What eager calls do: the number is traced, in float64."""
    op = OPS[name]
    base = op.bind(dict.fromkeys(op.dynamic, 1.0))

    def run(x: Any, numbers: Any) -> Any:
        p = type(base)(**{**vars(base), **dict(zip(op.dynamic, numbers, strict=True))})
        return op.apply(p, x, mode=Mode(False, jnp.asarray(KEY)))[0]

    x = np.arange(1, 4).astype(dtype)
    closed = jax.make_jaxpr(run)(x, [np.float64(2.5)] * len(op.dynamic))
    assert not wide_values(closed)
    static = op.apply(op.bind(dict.fromkeys(op.dynamic, 2.5)), jnp.asarray(x))[0]
    np.testing.assert_array_equal(run(jnp.asarray(x), [jnp.float64(2.5)] * len(op.dynamic))[0], static[0])
