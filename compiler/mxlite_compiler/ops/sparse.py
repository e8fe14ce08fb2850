# SPDX-License-Identifier: Apache-2.0
"""The names under which MXNet offers operators for sparse arrays: here they mean the same operators on dense arrays."""

from __future__ import annotations

from typing import Any, Literal

from ..errors import Mismatch
from ..op import OPS, add_names, op
from ..shapes import Shapes, join_shapes

#: ``_sparse_NAME`` is a further name of the operator NAME; `mx.nd.sparse` and `mx.sym.sparse` call it NAME again.
ALSO_SPARSE = """
Embedding FullyConnected LinearRegressionOutput LogisticRegressionOutput MAERegressionOutput
ElementWiseSum add_n concat dot make_loss slice stop_gradient where zeros_like clip mean norm sum
broadcast_add broadcast_plus broadcast_sub broadcast_minus broadcast_mul broadcast_div
elemwise_add elemwise_sub elemwise_mul elemwise_div _contrib_round_ste _contrib_sign_ste
abs negative sign relu sigmoid square sqrt rsqrt cbrt exp expm1 log log10 log1p log2 gamma gammaln
ceil fix floor rint round trunc degrees radians sin cos tan arcsin arccos arctan
sinh cosh tanh arcsinh arccosh arctanh adam_update ftrl_update sgd_update sgd_mom_update
""".split()


@op("cast_storage", alias=("_sparse_cast_storage",))
def cast_storage(data, *, stype: Literal["csr", "default", "row_sparse"]):
    """`data` itself: all arrays are dense here.

    Args:
        data: array of any shape.
        stype: the storage; only "default", which is the dense one.
    """
    return data


@cast_storage.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if p.stype != "default":
        raise Mismatch(f"stype={p.stype!r} is not in mxlite: arrays are dense here; use stype='default'")
    both = join_shapes(ins[0], outs[0], "the output")
    return [both], [both]


def add_sparse_names() -> None:
    """Enter the names of `ALSO_SPARSE`; their operators must be registered."""
    for name in ALSO_SPARSE:
        add_names(OPS[name], f"_sparse_{name}")
