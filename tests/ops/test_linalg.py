# SPDX-License-Identifier: Apache-2.0
"""Linear algebra: second derivatives, mistakes, and matrices that have no factors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import mxlite as mx
from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS
from tests.ops.call import call, complaint, dtypes, randn, shapes


def positive(*batch: int, n: int = 3) -> np.ndarray:
    x = randn(*batch, n, n, dtype=np.float64)
    return x @ np.swapaxes(x, -1, -2) + n * np.eye(n)


@pytest.mark.parametrize(
    "name", ["potrf", "potri", "inverse", "det", "slogdet", "sumlogdiag", "syevd", "gelqf", "trsm", "syrk", "gemm2"]
)
def test_second_derivatives(name: str):
    op = OPS[f"_linalg_{name}"]
    inputs = [jnp.asarray(positive(2))] * (2 if name in ("trsm", "gemm2") else 1)

    def f(*xs: jax.Array) -> Any:
        # Symmetric steps: that is all a gradient of potrf and syevd is about.
        xs = tuple((x + jnp.swapaxes(x, -1, -2)) / 2 for x in xs) if name in ("potrf", "syevd") else xs
        return op.apply(op.bind({}), *xs)[0][-1]

    check_grads(f, inputs, order=2, modes=["rev"], rtol=2e-3, atol=1e-4)


def test_rows_of_syevd_are_eigenvectors_with_a_positive_largest_entry():
    A = positive(2, n=5)
    rows, values = map(np.asarray, call("_linalg_syevd", A))
    np.testing.assert_allclose(np.swapaxes(rows, -1, -2) @ (values[..., None] * rows), A, atol=1e-12)
    largest = np.take_along_axis(rows, np.abs(rows).argmax(-1)[..., None], -1)
    assert (largest > 0).all() and (np.diff(values) > 0).all()


def test_gelqf_factors():
    A = randn(2, 3, 5, dtype=np.float64)
    q, low = map(np.asarray, call("_linalg_gelqf", A))
    np.testing.assert_allclose(low @ q, A, atol=1e-12)
    np.testing.assert_allclose(q @ np.swapaxes(q, -1, -2), np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-12)
    np.testing.assert_array_equal(np.triu(low, 1), 0)


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("potrf", -np.eye(2), "not positive definite"),
        ("inverse", np.ones((2, 2)), "singular"),
        ("potri", np.zeros((2, 2)), "no Cholesky factor"),
    ],
)
def test_what_has_no_result_is_an_error_where_it_is_waited_for(name: str, bad: np.ndarray, message: str):
    result = getattr(mx.nd.linalg, name)(mx.nd.array(bad))
    with pytest.raises(MXNetError, match=message):
        result.asnumpy()
    good = getattr(mx.nd.linalg, name)(mx.nd.array(np.eye(2)))
    np.testing.assert_allclose(good.asnumpy(), np.eye(2))
    mx.nd.waitall()


def test_nan_is_no_mistake():
    assert np.isnan(mx.nd.linalg.inverse(mx.nd.array([[np.nan, 1], [1, 2]])).asnumpy()).any()


def test_singular_determinants():
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    assert call("_linalg_det", singular)[0].tolist() == [0]
    sign, logarithm = call("_linalg_slogdet", singular)
    assert (sign.tolist(), logarithm.tolist()) == ([0], [-np.inf])


@pytest.mark.parametrize(
    ("name", "attrs", "ins", "message"),
    [
        ("_linalg_gemm2", {}, [(2, 3), (4, 3)], "axis 1 of A and axis 0 of B cannot be both 3 and 4"),
        ("_linalg_gemm2", {}, [(2, 2, 3), (3, 3)], "as many dimensions, 3"),
        ("_linalg_gemm2", {}, [(2, 2, 3), (3, 3, 3)], "axis 0 of A and axis 0 of B cannot be both 2 and 3"),
        ("_linalg_gemm2", {"axis": 5}, [(2, 3), (3, 3)], "axis=5 is out of range for 2 dimensions"),
        ("_linalg_gemm2", {"axis": -1}, [(2, 3), (3, 3)], "axis=-1 is the last axis, which holds the columns"),
        ("_linalg_gemm", {}, [(2, 3), (3, 3), (3, 3)], "cannot be both"),
        ("_linalg_potrf", {}, [(2, 3)], "cannot be both"),
        ("_linalg_potrf", {}, [(3,)], r"A: expected at least 2 axes \(\*b, n, n\), got \(3,\)"),
        ("_linalg_det", {}, [(2, 3)], "which must be square, cannot be both 2 and 3"),
        ("_linalg_det", {}, [(3,)], "A must be a matrix or a batch of them"),
        ("_linalg_gelqf", {}, [(4, 2)], "more rows, 4, than columns, 2"),
        ("_linalg_trmm", {}, [(3, 3), (2, 3)], "axis 0 of A and axis 0 of B cannot be both"),
        ("_linalg_extractdiag", {"offset": 3}, [(3, 3)], "offset=3 lies outside of a matrix with 3 rows"),
        ("_linalg_extracttrian", {"offset": -3}, [(3, 3)], "offset=-3 lies outside"),
        ("_linalg_maketrian", {}, [(5,)], "5 numbers make no triangle: legal are 1, 3, 6"),
        ("khatri_rao", {"num_args": 2}, [(2, 3), (2, 2)], "the columns of the inputs cannot be both 3 and 2"),
        ("khatri_rao", {"num_args": 2}, [(2, 3), (3,)], "input 1 has 1 dimensions"),
    ],
)
def test_mistakes(name: str, attrs: dict[str, Any], ins: list[Any], message: str):
    with pytest.raises(MXNetError, match=message):
        shapes(name, ins, **attrs)


def test_float32_and_float64_only():
    assert dtypes("_linalg_gemm2", ["float64", None])[1] == ["float64"]
    with pytest.raises(MXNetError, match="needs float32 or float64, got float16"):
        dtypes("_linalg_potrf", ["float16"])
    with pytest.raises(MXNetError, match="one dtype, got float32 and float64"):
        dtypes("_linalg_gemm2", ["float32", "float64"])


def test_a_missing_factor_is_inferred():
    assert shapes("_linalg_gemm", [(2, 3, 4), None, None], [(2, 3, 5)])[0] == [(2, 3, 4), (2, 4, 5), (2, 3, 5)]
    assert shapes("_linalg_gemm2", [(4, 2, 3), (0, 0, 0)], axis=0)[0][1] == (3, 2, 0)
    assert "out of range" in complaint("_linalg_gemm2", [(2, 3), None], axis=3)
