# SPDX-License-Identifier: Apache-2.0
"""Gradients of which only some rows are not zero, inside backward programs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Shape = tuple[int, ...]


@jax.tree_util.register_pytree_node_class
class RowGradient:
    """A gradient of some rows of an array, inside a backward program: row ``indices[i]`` gets ``values[i]``; rows that
    come again add up, and places out of range count for nothing."""

    def __init__(self, values: Any, indices: Any, shape: Shape):
        self.values, self.indices, self.shape = values, indices, shape

    def tree_flatten(self) -> tuple[tuple[Any, Any], Shape]:
        """The arrays, and what is static."""
        return (self.values, self.indices), self.shape

    @classmethod
    def tree_unflatten(cls, shape: Shape, arrays: tuple[Any, Any]) -> RowGradient:
        """The inverse of `tree_flatten`."""
        return cls(*arrays, shape)

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self.values.dtype

    def __add__(self, other: Any) -> Any:
        if isinstance(other, RowGradient):
            indices = jnp.concatenate([self.indices, other.indices.astype(self.indices.dtype)])
            return RowGradient(jnp.concatenate([self.values, other.values]), indices, self.shape)
        return other.at[self.indices].add(self.values, mode="drop")

    __radd__ = __add__

    def dense(self) -> jax.Array:
        """The whole gradient. Traceable."""
        return self + jnp.zeros(self.shape, self.values.dtype)


def whole(gradient: Any) -> Any:
    """A gradient as a dense array; None stays None. Traceable."""
    return gradient.dense() if isinstance(gradient, RowGradient) else gradient
