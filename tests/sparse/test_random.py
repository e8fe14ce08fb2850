# SPDX-License-Identifier: Apache-2.0
"""Random sparse arrays of `mx.test_utils`: MXNet's numbers for row_sparse, counts and properties for csr."""

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx
from mxlite import test_utils as tu


def test_row_sparse_draws_as_mxnet() -> None:
    np.random.seed(3)
    x = tu.rand_ndarray((6, 3), "row_sparse", density=0.5)
    assert x.indices.asnumpy().tolist() == [2]
    np.testing.assert_allclose(x.data.asnumpy(), [[0.12558532, 0.20724288, 0.0514672]], rtol=1e-6)
    np.random.seed(3)
    assert tu.rand_ndarray((6, 3), "row_sparse").indices.asnumpy().tolist() == [1, 2, 5]
    np.random.seed(3)
    y, (values, indices) = tu.rand_sparse_ndarray(
        (6, 3), "row_sparse", density=0.5, data_init=2.0, modifier_func=lambda v: v + 1
    )
    assert (values.tolist(), indices.tolist()) == ([[3, 3, 3]], [2])
    assert y.asnumpy()[2].tolist() == [3, 3, 3]


def test_csr_has_its_density() -> None:
    x, (indptr, indices, data) = tu.rand_sparse_ndarray((40, 50), "csr", density=0.3, dtype="float64")
    assert data.shape == indices.shape == (600,) and indptr.shape == (41,)
    assert x.dtype == np.float64
    x.check_format()
    assert set(tu.create_sparse_array((4, 5), "csr", data_init=0.5).data.asnumpy()) == {0.5}
    assert tu.rand_ndarray((3, 4), "csr", density=0.0).data.shape == (0,)
    law = tu.rand_sparse_ndarray((4, 8), "csr", density=0.5, distribution="powerlaw")[0]
    assert np.diff(law.indptr.asnumpy()).tolist() == [2, 4, 8, 2]


def test_shuffled_columns() -> None:
    x = tu.rand_sparse_ndarray((30, 20), "csr", density=0.6, shuffle_csr_indices=True)[0]
    with pytest.raises(mx.MXNetError, match="the column indices of a row do not ascend"):
        x.check_format()
    x.check_format(full_check=False)


def test_zero_density() -> None:
    assert tu.create_sparse_array_zd((3, 4), "row_sparse", 0.5).indices.shape == (0,)
    rows = tu.create_sparse_array_zd((3, 4), "row_sparse", 0.0, data_init=2.0, rsp_indices=[1])
    assert rows.asnumpy().tolist() == [[0] * 4, [2] * 4, [0] * 4]


def test_mistakes() -> None:
    with pytest.raises(AssertionError, match="unknown storage type 'foo'"):
        tu.create_sparse_array((3, 4), "foo")
    with pytest.raises(ValueError, match="density must be between 0 and 1"):
        tu.rand_sparse_ndarray((3, 4), "csr", density=2.0)
    with pytest.raises(ValueError, match="two values a row"):
        tu.rand_sparse_ndarray((4, 8), "csr", density=0.01, distribution="powerlaw")
    with pytest.raises(AssertionError, match="'powerlaw' is not there for row_sparse"):
        tu.rand_sparse_ndarray((4, 8), "row_sparse", distribution="powerlaw")
