# SPDX-License-Identifier: Apache-2.0
"""Sparse arrays at the borders of a graph: which arrays MXNet stores how, and which rows of a gradient it stores.

A graph computes densely inside of XLA, whatever is bound to it. What is bound keeps its storage: a sparse argument is
made dense before it is read, once for each content, and what comes out is stored as the array that takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from mxlite_compiler.graph import Entry, Graph, Node

from ..base import MXNetError, nearest
from ..ndarray.sparse.kernels import UNARY
from ..ndarray.sparse.storage import Rows, Stored, rows_at
from ..symbol.variable import STORAGE_TYPES

DENSE = "default"
SPARSE = ("csr", "row_sparse")

#: Operators whose gradient is stored as the head gradient is.
_LINEAR = frozenset("_copy negative _mul_scalar _div_scalar cast_storage elemwise_add elemwise_sub add_n".split())
#: Operators without a gradient: zeros, stored as the input.
_BLOCKING = frozenset("BlockGrad zeros_like".split())
_UNARY = frozenset(UNARY) | {"zeros_like"}


def declared(graph: Graph, given: Mapping[str, str] | None) -> dict[str, str]:
    """The storage of each argument and state: of `given`, else what its Variable says, else dense.

    Raises MXNetError for a storage that there is not.
    """
    numbers = {str(number): stype for stype, number in STORAGE_TYPES.items()}
    stypes = {}
    for node in (*graph.arguments, *graph.aux):
        stype = (given or {}).get(node.name) or numbers.get(node.attrs.get("__storage_type__", ""), DENSE)
        if stype not in (DENSE, *SPARSE):
            legal = DENSE, *SPARSE
            raise MXNetError(
                f"the storage of {node.name} is {stype!r}{nearest(str(stype), legal)}; legal are {', '.join(legal)}"
            )
        stypes[node.name] = stype
    return stypes


class Storages:
    """How MXNet stores the values of a graph and the gradients of its arguments.

    Args:
        graph: the graph.
        stypes: the storage of arguments and states by name; dense where there is none.

    Attributes:
        entries: storage by entry; what is not in it is dense.
    """

    def __init__(self, graph: Graph, stypes: Mapping[str, str]):
        self.graph, self.entries = graph, {}
        for node in graph.nodes:
            if node.op is None:
                stype = stypes.get(node.name, DENSE)
            else:
                stype = _output(node, [self.of(e) for e in node.inputs])
            if stype != DENSE:
                self.entries[Entry(node)] = stype

    def of(self, entry: Entry) -> str:
        """The storage of an entry."""
        return self.entries.get(entry, DENSE)

    def gradients(self) -> dict[str, str]:
        """The storage of the gradient of every argument."""
        parts: dict[Entry, list[str]] = {}
        for e in self.graph.entries:
            parts.setdefault(e, []).append(self.of(e))
        for node in reversed(self.graph.nodes):
            if node.op is not None:
                heads = _total(parts.get(Entry(node), []))
                found = _input_gradients(node, [self.of(e) for e in node.inputs], heads)
                for e, stype in zip(node.inputs, found, strict=True):
                    parts.setdefault(e, []).append(stype)
        return {n.name: _total(parts.get(Entry(n), [])) for n in self.graph.arguments}


def _total(parts: Sequence[str]) -> str:
    """How the sum of gradients is stored: MXNet adds row_sparse ones to such a one, others in a dense array."""
    if len(parts) == 1:
        return parts[0]
    return "row_sparse" if parts and all(s == "row_sparse" for s in parts) else DENSE


def _output(node: Node, ins: Sequence[str]) -> str:
    """The storage of the first output of an operator."""
    name = node.op.name  # type: ignore[union-attr]
    if name == "cast_storage":
        return node.params.stype
    if all(s == DENSE for s in ins):
        return DENSE
    if name in _UNARY:
        return ins[0]
    rule = _OUTPUTS.get(name)
    return rule(node.params, ins) if rule is not None else DENSE


def _same(params: Any, ins: Sequence[str]) -> str:
    return ins[0] if len(set(ins)) == 1 else DENSE


def _times(params: Any, ins: Sequence[str]) -> str:
    sparse = {s for s in ins if s != DENSE}
    return sparse.pop() if len(sparse) == 1 else DENSE


def _dot(params: Any, ins: Sequence[str]) -> str:
    if ins[0] == "csr" and ins[1] != "csr" and params.transpose_a and not params.transpose_b:
        return "row_sparse"
    return "csr" if ins[0] == DENSE and ins[1] == "csr" and not params.transpose_a else DENSE


def _only(stype: str, ok: Callable[[Any], bool] = lambda params: True) -> Callable[[Any, Sequence[str]], str]:
    """For operators that keep one storage, where all inputs have it."""
    return lambda params, ins: stype if set(ins) == {stype} and ok(params) else DENSE


#: The storage of the output of operators with a sparse input, from parameters and storages.
_OUTPUTS: dict[str, Callable[[Any, Sequence[str]], str]] = {
    "elemwise_add": _same,
    "elemwise_sub": _same,
    "elemwise_mul": _times,
    "broadcast_mul": lambda params, ins: "csr" if list(ins) == ["csr", DENSE] else DENSE,
    "dot": _dot,
    "slice": _only("csr"),
    "Concat": _only("csr", lambda params: params.dim == 0),
    "add_n": _only("row_sparse"),
    "_sparse_retain": lambda params, ins: "row_sparse" if ins[0] == "row_sparse" else DENSE,
}


def _input_gradients(node: Node, ins: Sequence[str], head: str) -> Sequence[str]:
    """The storages of the gradients that an operator sends to its inputs."""
    name = node.op.name  # type: ignore[union-attr]
    if name in _LINEAR:
        return [head] * len(ins)
    if name in _BLOCKING:
        return ins
    if name in _UNARY:
        return [head if head == ins[0] else DENSE]
    if _by_row(node, ins):
        return [DENSE, "row_sparse"]
    return [DENSE] * len(ins)


def _by_row(node: Node, ins: Sequence[str]) -> bool:
    """Whether the gradient of the second input has the rows that the first one names."""
    if node.op.name == "dot":  # type: ignore[union-attr]
        return ins[0] == "csr" and not node.params.transpose_a and not node.params.transpose_b
    return node.op.name == "Embedding" and node.params.sparse_grad  # type: ignore[union-attr]


class Seen:
    """Which rows of the gradients of a graph MXNet stores: those that ids and columns of the batch name.

    Args:
        graph, storages: the graph.
        names: arguments whose gradients are row_sparse.

    Attributes:
        sources: by argument, the arguments that hold the ids or columns. Gradients that reach their argument in another
            way are not in it: of these the rows are stored that are not zero.
    """

    def __init__(self, graph: Graph, storages: Storages, names: Sequence[str]):
        uses: dict[str, list[str | None]] = {name: [] for name in names}
        for node in graph.nodes:
            for i, e in enumerate(node.inputs):
                if e.node.op is None and e.node.name in uses:
                    direct = i == 1 and node.inputs[0].node.op is None
                    named = direct and _by_row(node, [storages.of(x) for x in node.inputs])
                    uses[e.node.name].append(node.inputs[0].node.name if named else None)
        for e in graph.entries:
            if e.node.name in uses and e.node.op is None:
                uses[e.node.name].append(None)
        self.sources = {n: [u for u in used if u] for n, used in uses.items() if used and all(used)}

    def rows(self, name: str, read: Mapping[str, Stored | Any]) -> Callable[[jax.Array], Stored] | None:
        """How to store the gradient of `name`, after a step has read these contents of the sources."""
        sources = self.sources.get(name)
        return partial(_named, [read[s] for s in sources]) if sources else None


def _named(sources: Sequence[Any], gradient: jax.Array) -> Rows:
    found = [s.indices if isinstance(s, Stored) else np.asarray(s).astype(np.int64).ravel() for s in sources]
    # An id out of range stands for the first or the last row, as in the operator.
    return rows_at(gradient, np.unique(np.clip(np.concatenate(found), 0, gradient.shape[0] - 1)))
