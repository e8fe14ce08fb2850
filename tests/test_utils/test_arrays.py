# SPDX-License-Identifier: Apache-2.0
"""Random and special arrays, reductions, statistics. Random numbers are those that MXNet 1.9.1 gives for the seed."""

from __future__ import annotations

import numpy as np
import pytest

import mxlite as mx
from mxlite import test_utils as tu


def test_random_shapes_and_values_of_a_seed() -> None:
    np.random.seed(7)
    assert (tu.rand_shape_2d(), tu.rand_shape_3d(3, 4, 5)) == ((5, 10), (3, 4, 4))
    assert (tu.rand_shape_nd(3, 6), tu.rand_shape_nd(3, 2, True)) == ((5, 2, 1), (1, 2, 2))
    np.random.seed(7)
    one, two = tu.random_arrays((2,), (2, 1))
    np.testing.assert_allclose(one, [1.6905257, -0.46593738], rtol=1e-6)
    np.testing.assert_allclose(two, [[0.03282017], [0.40751627]], rtol=1e-6)
    assert (one.dtype, two.dtype) == (np.float32, np.float32)
    assert isinstance(tu.random_arrays((3,)), np.ndarray)
    np.random.seed(7)
    np.testing.assert_allclose(tu.rand_ndarray((3,)).asnumpy(), [1.6905257, -0.46593738, 0.03282017], rtol=1e-6)
    np.random.seed(7)
    assert (tu.rand_coord_2d(0, 5, 2, 9), tu.random_sample([1, 2, 3, 4, 5], 3)) == ((4, 3), [3, 2, 1])
    np.random.seed(7)
    three, four = tu.random_uniform_arrays((3,), (1,), low=2, high=5, dtype="float64")
    np.testing.assert_allclose(three, [2.22892487, 4.33975638, 3.31522769], rtol=1e-8)
    np.testing.assert_allclose(four, [4.17039553], rtol=1e-8)


def test_rand_ndarray() -> None:
    x = tu.rand_ndarray((2, 3), dtype="int32", ctx=mx.cpu(2))
    assert (x.shape, x.dtype, x.context) == ((2, 3), np.int32, mx.cpu(2))
    assert tu.default_dtype() is np.float32
    with pytest.raises(AssertionError, match="unknown storage type 'foo'"):
        tu.rand_ndarray((2, 3), "foo")
    with pytest.raises(TypeError, match="no argument 'hi'"):
        tu.random_uniform_arrays((2,), hi=3)


def test_special_arrays() -> None:
    np.testing.assert_array_equal(tu.create_2d_tensor(3, 2).asnumpy(), [[0, 0], [1, 1], [2, 2]])
    assert tu.create_2d_tensor(3, 2).dtype == np.int64
    np.testing.assert_array_equal(tu.create_vector(3, np.float32).asnumpy(), np.array([0, 1, 2], np.float32))
    np.testing.assert_array_equal(tu.get_identity_mat(2).asnumpy(), np.eye(2))
    assert tu.get_identity_mat_batch(3).shape == (2, 3, 3)
    np.testing.assert_array_equal(tu.assign_each(np.arange(3.0), lambda v: v + 1), [1, 2, 3])
    np.testing.assert_array_equal(tu.assign_each(np.arange(3.0), None), [0, 1, 2])
    np.testing.assert_array_equal(tu.assign_each2(np.arange(3.0), np.arange(3.0), lambda p, q: p * q), [0, 1, 4])
    np.testing.assert_array_equal(tu.assign_each2(np.arange(3.0), np.zeros(3), None), [0, 1, 2])


def test_matrices() -> None:
    q = tu.new_orthonormal_matrix_2d(4)
    np.testing.assert_allclose(q.T @ q, np.eye(4), atol=1e-12)
    s = tu.new_sym_matrix_with_real_eigvals_nd((2, 3, 4, 4))
    np.testing.assert_array_equal(s, np.swapaxes(s, -1, -2))
    m = tu.new_matrix_with_real_eigvals_nd((5, 3, 3))
    np.testing.assert_allclose(np.linalg.eigvals(m).imag, 0, atol=1e-6)
    assert not np.allclose(m, np.swapaxes(m, -1, -2))


def test_reductions() -> None:
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(tu.np_reduce(x, 1, True, np.sum), [[3], [12]])
    np.testing.assert_array_equal(tu.np_reduce(x, None, True, np.sum), [[15]])
    np.testing.assert_array_equal(tu.np_reduce(x, (0, -1), True, np.max), [[5]])
    np.testing.assert_array_equal(tu.np_reduce(x, (0, 1), False, np.max), 5)
    y = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(tu.collapse_sum_like(y, (3, 1)), [[60], [92], [124]])
    np.testing.assert_array_equal(tu.collapse_sum_like(mx.nd.array(y), y.shape), y)
    np.testing.assert_array_equal(tu.collapse_sum_like(x, ()), 15)
    for shape in ((2,), (2, 4), (1, 1, 3)):
        with pytest.raises(AssertionError, match="does not broadcast"):
            tu.collapse_sum_like(x, shape)


def uniform(n: int) -> np.ndarray:
    return np.random.uniform(0, 1, n)


def test_statistics() -> None:
    np.random.seed(0)
    buckets, probs = tu.gen_buckets_probs_with_ppf(lambda p: p, 5)
    np.testing.assert_allclose(buckets, [(0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)])
    assert probs == [0.2] * 5
    sigma = 12**-0.5
    assert (tu.mean_check(uniform, 0.5, sigma, 100000), tu.mean_check(uniform, 0.6, sigma, 100000)) == (True, False)
    assert (tu.var_check(uniform, sigma, 100000), tu.var_check(uniform, 0.5, 100000)) == (True, False)
    p, observed, expected = tu.chi_square_check(uniform, buckets, probs, 10000)
    assert p == pytest.approx(0.866780935600467, rel=1e-6)
    assert observed.tolist() == [2002, 2023, 1967, 1983, 2025]
    assert expected.tolist() == pytest.approx([2000] * 5)
    p, observed, _ = tu.chi_square_check(uniform, [(0, 0.5), (0.5, 1)], [0.3, 0.7], 1000)
    assert observed.tolist() == [526, 474]
    assert p == pytest.approx(7.813192312116918e-55, rel=1e-4)


def test_generators() -> None:
    mx.random.seed(3)
    p, observed, _ = tu.chi_square_check(lambda n: mx.nd.random.randint(0, 3, (n,)), [0, 1, 2], [1 / 3] * 3, 1000)
    assert p > 1e-4
    assert observed.sum() == 1000
    buckets, probs = tu.gen_buckets_probs_with_ppf(lambda q: q, 5)
    assert len(tu.verify_generator(lambda n: mx.nd.random.uniform(shape=(n,)), buckets, probs, 10000)) == 5
    with pytest.raises(AssertionError, match="Generator test fails, Chi-square p="):
        tu.verify_generator(uniform, buckets, [0.1, 0.1, 0.1, 0.1, 0.6], 10000)
    for wrong in ((None, [1.0]), ([], []), ([1], [0.5, 0.5])):
        with pytest.raises(AssertionError, match=r"chi_square_check: \d buckets"):
            tu.chi_square_check(uniform, *wrong)
