# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.sparse` and `mx.sym.sparse` on dense arrays: every name is there; `tests/sparse` has the sparse ones."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.op import OPS
from mxlite_compiler.ops.sparse import ALSO_SPARSE

nd: Any = mx.nd  # what is wrong on purpose is no matter of types here
X = np.array([[1.5, -2.0], [0.0, 4.0]], np.float32)


@pytest.mark.parametrize("name", [*ALSO_SPARSE, "cast_storage"])
def test_every_name_is_there(name: str):
    assert getattr(mx.nd.sparse, name).__doc__
    assert getattr(mx.sym.sparse, name).__name__ == name
    assert OPS[f"_sparse_{name}"] is OPS[name]


def test_both_front_ends_compute():
    x = mx.sym.Variable("x")
    for name in ("abs", "square", "relu", "_contrib_sign_ste"):
        want = mx.nd.sparse.__dict__[name](mx.nd.array(X)).asnumpy()
        net = getattr(mx.sym.sparse, name)(x)
        np.testing.assert_array_equal(net.eval(x=mx.nd.array(X))[0].asnumpy(), want)
    assert mx.nd.sparse.add(mx.nd.array(X), 1).asnumpy()[0, 0] == 2.5
    assert mx.nd.sparse.zeros("default", (2, 3)).shape == (2, 3)


def test_a_file_with_such_a_name_loads_and_is_written_with_the_plain_one():
    net = mx.sym.sparse.abs(mx.sym.Variable("a"))
    assert net.name.startswith("abs")
    old = net.tojson().replace('"op": "abs"', '"op": "_sparse_abs"')
    assert old != net.tojson()
    assert mx.sym.load_json(old).tojson() == net.tojson()


def test_cast_storage():
    x = mx.nd.array(X)
    np.testing.assert_array_equal(mx.nd.cast_storage(x, stype="default").asnumpy(), X)
    assert mx.sym.cast_storage(mx.sym.Variable("a"), stype="default").infer_shape(a=(2, 3))[1] == [(2, 3)]


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (lambda x: nd.cast_storage(x, stype=cast(Any, "bad")), "must be one of 'csr', 'default', 'row_sparse'"),
        (lambda x: nd.cast_storage(x), "required parameter stype is missing"),
    ],
)
def test_mistakes(run: Any, says: str):
    with pytest.raises(mx.MXNetError, match=says):
        run(mx.nd.array(X))
