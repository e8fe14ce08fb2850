# SPDX-License-Identifier: Apache-2.0
"""What MXNet has for sparse arrays: operators on dense content, and further names of operators of all families."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp

from ..op import OPS, add_names, op
from ..params import Shape
from ._steps import as_dtype_of, gradient
from .reduce import Axes, infer_reduction, reduced_axes

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


@op("cast_storage", "*s -> *s", alias=("_sparse_cast_storage",))
def cast_storage(data, *, stype: Literal["csr", "default", "row_sparse"]):
    """The same numbers in another storage: an eager call makes an array of it; inside of graphs all storage is dense.

    Args:
        data: array of any shape; a matrix for csr.
        stype: the storage.
    """
    return data


@op("_sparse_retain", "*s, i -> *s", dtypes="t, i -> t")
def sparse_retain(data, indices):
    """Only the rows `indices` of `data`; the others become zero.

    Args:
        data: array with at least one axis; an eager call takes a row_sparse one only.
        indices: (n,), numbers of rows; those out of range count for nothing.
    """
    kept = jnp.zeros(data.shape[:1], bool).at[indices.astype(jnp.int32)].set(True, mode="drop")
    return jnp.where(kept.reshape((-1,) + (1,) * (data.ndim - 1)), data, jnp.zeros((), data.dtype))


@op("_square_sum")
def square_sum(data, *, axis: Shape | None = None, keepdims: bool = False, exclude: bool = False):
    """The sum of squares over an axis.

    Args:
        data: array of any shape.
        axis: the axes; all by default.
        keepdims: keep the reduced axes with size 1.
        exclude: reduce over all axes but those.
    """
    axes = reduced_axes(Axes(axis, exclude=exclude), data.ndim)
    return jnp.sum(jnp.square(data), axis=axes, keepdims=keepdims)


square_sum.infer(infer_reduction)


@op(
    "_sparse_adagrad_update",
    "*s, *s, *s -> *s",
    mutates=("history",),
    dynamic=("lr", "wd", "rescale_grad"),
    floats=True,
)
def adagrad_update(
    weight,
    grad,
    history,
    *,
    lr: float,
    epsilon: float = 1e-7,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float = -1.0,
):
    """AdaGrad, Duchi et al. 2011: ``weight - lr * g / sqrt(history + epsilon)``; `history` sums the squares of g.

    Args:
        weight, grad, history: arrays of one shape; `history` is written. Of a row_sparse gradient only its rows count.
        lr: learning rate.
        epsilon: added under the root.
        wd: weight decay; MXNet takes 0 only.
        rescale_grad: factor of the gradient.
        clip_gradient: bound of the rescaled gradient; negative for none.
    """
    g = gradient(grad, rescale_grad, clip_gradient)
    history = history + jnp.square(g)
    step = g / jnp.sqrt(history + epsilon) + as_dtype_of(wd, weight) * weight
    return weight - as_dtype_of(lr, weight) * step, (history,)


def add_sparse_names() -> None:
    """Enter the names of `ALSO_SPARSE`; their operators must be registered."""
    for name in ALSO_SPARSE:
        add_names(OPS[name], f"_sparse_{name}")
