# SPDX-License-Identifier: Apache-2.0
"""boolean_mask: the operator whose result's shape depends on values.

XLA programs have fixed shapes, so a graph is cut at the node: the mask is read on the host, and what comes after runs
for as many rows as there are. Eager calls read the mask as well. Who knows the number beforehand says ``size=``; then
the node is like any other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from ..errors import Mismatch, MXNetError, explain
from ..graph import Node
from ..op import Op, register_op
from ..params import Range
from ..shapes import Shapes, join, join_shapes
from ._axes import at, axis_of

_HINT = "say how many are kept with size=, as in boolean_mask(data, mask, size=8); fewer are filled up with zeros"


def boolean_mask(data, index, *, axis: int = 0, size: Annotated[int, Range(low=0)] | None = None):
    """The slices of `data` along an axis where `index` is not 0.

    The number of them depends on the values, so `index` is waited for, and a graph is cut here into compiled parts,
    which are compiled again for each number. With `size` it is fixed: no waiting, no cut, and the graph exports.

    Args:
        data: array of any shape with at least 1 dimension.
        index: (size of the axis,) numbers; no gradient.
        axis: the axis; MXNet knows 0 only.
        size: how many slices to return; when fewer are kept, the rest is 0, and more are cut off. MXNet has no such
            parameter and cannot read the JSON of a symbol with it.

    Returns:
        `data` with as many slices along the axis as `index` has numbers that are not 0.

    Example:
        >>> mx.nd.contrib.boolean_mask(mx.nd.array([[1, 2], [3, 4], [5, 6]]), mx.nd.array([0, 1, 1]))
        [[3. 4.]
         [5. 6.]]
        <NDArray 2x2 @cpu(0)>
    """
    if size is None:
        if isinstance(index, jax.core.Tracer):
            problem = "the shape of the result depends on the values of index, which a compiled program does not know"
            raise MXNetError(explain(problem, op="_contrib_boolean_mask", hint=_HINT))
        size = int(np.count_nonzero(np.asarray(index)))
    # The number of the first row by which so many are kept; past the end where there are not so many.
    kept = jnp.cumsum(index != 0, dtype=jnp.int32)
    rows = jnp.searchsorted(kept, jnp.arange(1, size + 1, dtype=jnp.int32))
    return jnp.take(data, rows, axis, mode="fill", fill_value=0)


class BooleanMask(Op):
    """Runs on the host where it is not told the size."""

    host_hint = _HINT

    def is_host(self, p: Any) -> bool:
        return p.size is None

    def _sized(self, p: Any, index: jax.Array) -> Any:
        return dataclasses.replace(p, size=int(np.count_nonzero(np.asarray(index))))

    def host_forward(
        self, node: Node, train: bool, inputs: Sequence[jax.Array], state: dict[Any, Any]
    ) -> tuple[Sequence[jax.Array], Sequence[jax.Array]]:
        """The kept rows."""
        self.infer_shape(node.params, [x.shape for x in inputs], [None], node.name)
        return _run(self, self._sized(node.params, inputs[1]))(*inputs), ()

    def host_backward(
        self,
        node: Node,
        heads: Sequence[jax.Array],
        inputs: Sequence[jax.Array],
        outputs: Sequence[jax.Array],
        state: dict[Any, Any],
    ) -> Sequence[jax.Array | None]:
        """The head gradient at the rows that were kept, else 0."""
        return _pull(self, self._sized(node.params, inputs[1]))(*inputs, *heads), None


@lru_cache(maxsize=1024)
def _run(op: Op, p: Any) -> Any:
    return jax.jit(lambda *inputs: op.apply(p, *inputs)[0])


@lru_cache(maxsize=1024)
def _pull(op: Op, p: Any) -> Any:
    return jax.jit(lambda data, index, head: jax.vjp(lambda x: op.apply(p, x, index)[0][0], data)[1](head)[0])


BOOLEAN_MASK = register_op(BooleanMask("_contrib_boolean_mask", boolean_mask, dtypes="t, i -> t"))


@BOOLEAN_MASK.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, index = ins
    if index is not None and len(index) != 1:
        raise Mismatch(f"index must have 1 dimension, got {index}")
    if data is None:
        return ins, outs
    axis = axis_of(p.axis, len(data))
    n = join(data[axis], index[0] if index else 0, f"the size of axis {axis} of data and of index")
    # 0 is an unknown size, which it is without `size`.
    return [at(data, axis, n), (n,)], [join_shapes(at(data, axis, p.size or 0), outs[0], "the output")]
