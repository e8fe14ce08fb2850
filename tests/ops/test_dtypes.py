# SPDX-License-Identifier: Apache-2.0
"""Kernels keep the dtype they are given: float32 in, nothing of 64 bits on the way, forward and backward.

On a GPU a hidden float64 costs 32 to 64 times the time, and a hidden int64 twice the memory. The jaxpr of every golden
case without 64-bit arrays is searched, subprograms included.

``dtypes.json`` records which dtypes MXNet 1.9.1 takes: the float32 inputs of the first golden case of an operator were
given in another dtype. It has the dtypes of the outputs (null: refused), and values for int32 and uint8.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS, Mode
from tests.ops.cases import NOT_RUN
from tests.ops.golden import FOLDER, KEY, Case, all_cases, call, cases_of_registered, quick_compile

WIDE = ("float64", "int64", "uint64", "complex128")

#: Operator -> why 64 bits inside are right although its inputs have fewer.
ALLOWED: dict[str, str] = {
    "shape_array": "the sizes are int64, as in MXNet",
    "size_array": "the size is int64, as in MXNet",
    "_histogram": "the counts are int64, as in MXNet",
    "_contrib_index_array": "the indices are int64, as in MXNet",
    "_linalg_potrf": "JAX's Cholesky counts rows in int64 to clear a triangle, which XLA fuses into the copy",
    "_linalg_gelqf": "as _linalg_potrf, in JAX's QR",
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


RECORDED: dict[str, dict[str, Any]] = json.loads((FOLDER / "dtypes.json").read_text())
#: Operators whose recorded call works in float32; the others need `out=`, or take no float32.
NAMES = sorted(n for n, record in RECORDED.items() if n in OPS and record["outputs"]["float32"] is not None)

#: Operators that take dtypes which MXNet 1.9.1 refuses on a CPU. Its kernels lack them; the results are exact here.
MORE_FLOATS = {
    "CTCLoss", "Convolution", "Convolution_v1", "Crop", "Deconvolution", "FullyConnected", "InstanceNorm", "LRN", "RNN",
    "GridGenerator", "SoftmaxActivation", "SpatialTransformer", "_contrib_DeformableConvolution",
    "_contrib_SyncBatchNorm", "amp_cast", "argsort", "batch_dot", "dot", "fill_element_0index",
    "_contrib_interleaved_matmul_encdec_qk", "_contrib_interleaved_matmul_encdec_valatt", "_onehot_encode", "sort",
    "_contrib_interleaved_matmul_selfatt_qk", "_contrib_interleaved_matmul_selfatt_valatt",
}  # fmt: skip
MORE_INTEGERS = {
    "Convolution", "Convolution_v1", "Crop", "Deconvolution", "FullyConnected", "Pad", "Pooling", "Pooling_v1",
    "UpSampling", "all_finite", "amp_cast", "batch_dot", "col2im", "dot", "fill_element_0index", "im2col",
    "multi_all_finite", "multi_sum_sq", "_contrib_interleaved_matmul_encdec_qk",
    "_contrib_interleaved_matmul_encdec_valatt", "_contrib_interleaved_matmul_selfatt_qk",
    "_contrib_interleaved_matmul_selfatt_valatt", "_onehot_encode",
}  # fmt: skip
#: Operators that refuse integers which MXNet takes.
FEWER_INTEGERS = {"_contrib_hawkesll": "a log likelihood cut to an integer is of no use to anyone"}
#: Operators whose results for integers are not those of MXNet.
OTHER_INTEGERS = {
    "erf": "erf(4) is 1 in float32; MXNet has a number just below it, which becomes 0",
    "erfinv": "outside of [-1, 1] and at 1 there is no number to be cut to an integer",
    "norm": "the norm, cut to an integer; MXNet cuts on the way, too",
}


@cache
def _in_dtype(name: str, dtype: str) -> tuple[Case, list[np.ndarray]]:
    """The recorded case of operator `name`, and its inputs in the operator's order with `dtype` for float32."""
    case = all_cases()[RECORDED[name]["case"]]
    values = RECORDED[name].get("values", {}).get(dtype)
    inputs = case.inputs
    if values:
        inputs = tuple(np.array(v).reshape(x.shape) for v, x in zip(values[0], inputs, strict=True))
    dtypes = [dtype if x.dtype == np.float32 else x.dtype for x in case.inputs]
    arrays = [x.astype(t) for x, t in zip(inputs, dtypes, strict=True)]
    return case, [arrays[i] for i in case.order(case.bind())]


def _apply(case: Case, *arrays: Any) -> Any:
    return case.operator.apply(case.bind(), *arrays, mode=Mode(case.train, jnp.asarray(KEY)))[0]


def _dtypes_of_outputs(name: str, dtype: str) -> list[str] | None:
    """The dtypes of the visible outputs, None when the operator refuses `dtype`."""
    with np.errstate(invalid="ignore"):
        case, arrays = _in_dtype(name, dtype)
    try:
        outs = jax.eval_shape(lambda *xs: _apply(case, *xs), *arrays)
    except MXNetError:
        return None
    return [x.dtype.name for x in outs[: case.operator.visible(case.bind())]]


@pytest.mark.parametrize("name", NAMES)
def test_which_dtypes_it_takes(name: str):
    case = all_cases()[RECORDED[name]["case"]]
    if case.operator.is_host(case.bind()):
        pytest.skip("runs Python")
    for dtype, want in RECORDED[name]["outputs"].items():
        got = _dtypes_of_outputs(name, dtype)
        more = MORE_FLOATS if "float" in dtype else MORE_INTEGERS
        if want is None and name in more:
            continue
        if "int" in dtype and name in FEWER_INTEGERS:
            assert got is None
            continue
        assert got == want, dtype


WITH_VALUES = [n for n in NAMES if "values" in RECORDED[n] and n not in FEWER_INTEGERS]


@cache
def _integer_results(names: tuple[str, ...]) -> dict[tuple[str, str], Any]:
    """What operators make of integers, all of them in one program: compiling one by one would take long."""
    inputs = {(n, t): _in_dtype(n, t) for n in names for t in RECORDED[n]["values"]}

    def run(arrays: dict[tuple[str, str], Any]) -> Any:
        return {key: _apply(inputs[key][0], *xs) for key, xs in arrays.items()}

    program = jax.jit(run, compiler_options=quick_compile())
    return jax.device_get(program({key: xs for key, (_, xs) in inputs.items()}))


@pytest.mark.parametrize("name", WITH_VALUES)
def test_values_of_integers(name: str):
    at = WITH_VALUES.index(name) // 20 * 20
    results = _integer_results(tuple(WITH_VALUES[at : at + 20]))
    for dtype, (_, want) in RECORDED[name]["values"].items():
        if name in OTHER_INTEGERS:
            continue
        for x, w in zip(results[name, dtype], want, strict=False):
            np.testing.assert_allclose(np.asarray(x).ravel().astype(np.float64), w, 1e-5, 1e-6, err_msg=dtype)


def test_integers_are_refused_with_the_way_out():
    with pytest.raises(MXNetError, match=r"(?s)softmax .*data must hold floating point numbers, got int32.*cast"):
        OPS["softmax"].apply(OPS["softmax"].bind({}), jnp.ones(2, jnp.int32), node="node0")
