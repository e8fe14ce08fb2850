# SPDX-License-Identifier: Apache-2.0
"""CTCLoss against the sum over all paths."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from mxlite_compiler.errors import MXNetError
from tests.ops.call import call, complaint, dtypes, grads, randn, shapes


def by_all_paths(data, label, blank):
    """Minus the logarithm of the probability of all paths that spell `label`, for one sequence."""
    p = np.exp(data - np.log(np.exp(data).sum(1, keepdims=True)))
    total = 0.0
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        spelled = [c for c, _ in itertools.groupby(path) if c != blank]
        if spelled == list(label):
            total += np.prod(p[np.arange(len(p)), path])
    return -np.log(total)


@pytest.mark.parametrize("blank", ["first", "last"])
@pytest.mark.parametrize("lengths", ["", "data", "label", "both"])
def test_against_all_paths(blank, lengths):
    data = randn(5, 3, 3)
    blank_class, padding = (0, 0) if blank == "first" else (2, -1)
    one, two = (1, 2) if blank == "first" else (0, 1)
    labels = [[one, two], [two, two], [one]]
    padded = np.array([row + [padding] * (2 - len(row)) for row in labels], np.float32)
    steps = [5, 4, 3] if lengths in ("data", "both") else [5] * 3
    extra = []
    if lengths in ("data", "both"):
        extra.append(np.array(steps, np.float32))
    if lengths in ("label", "both"):
        extra.append(np.array([2, 2, 1], np.float32))
    (loss,) = call(
        "CTCLoss", data, padded, *extra, blank_label=blank,
        use_data_lengths=lengths in ("data", "both"), use_label_lengths=lengths in ("label", "both"),
    )  # fmt: skip
    want = [by_all_paths(data[:n, i], labels[i], blank_class) for i, n in enumerate(steps)]
    np.testing.assert_allclose(loss, want, rtol=1e-5)


def test_gradient():
    label = np.array([[1, 2], [2, 2]], np.float64)
    x = jnp.asarray(randn(5, 2, 3, dtype=np.float64))
    check_grads(lambda x: call("CTCLoss", x, label)[0], (x,), order=1, modes=["rev"])


def test_empty_and_impossible_labels():
    data = randn(3, 2, 4)
    label = np.array([[0, 0, 0], [1, 1, 1]], np.float32)  # three repeats need five steps
    (loss,) = call("CTCLoss", data, label)
    np.testing.assert_allclose(loss, [-float(jax.nn.log_softmax(data[:, 0])[:, 0].sum()), 0], rtol=1e-5)
    dx = np.asarray(grads("CTCLoss", data, label)[0])
    assert np.isfinite(dx).all()
    assert dx[:, 0].any()
    assert not dx[:, 1].any()


def test_rules():
    assert shapes("CTCLoss", [(5, 2, 4), (2, 3)])[1] == [(2,)]
    assert dtypes("CTCLoss", ["float32", "int32"])[0] == ["float32", "int32"]
    assert "more than data has steps: 5" in complaint("CTCLoss", [(5, 2, 4), (2, 6)])
    assert "label must have 2 axes" in complaint("CTCLoss", [(5, 2, 4), (2,)])
    with pytest.raises(MXNetError, match="blank_label='none' must be one of 'first', 'last'"):
        call("CTCLoss", randn(5, 2, 4), randn(2, 3), blank_label="none")
