# SPDX-License-Identifier: Apache-2.0
"""How the arrays of one graph lie on the devices that compute a batch together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from mxlite_compiler.errors import explain
from mxlite_compiler.graph import Entry, Graph
from mxlite_compiler.infer import infer_shapes
from mxlite_compiler.program import Shardings

from ..base import MXNetError
from ..distributed.job import launching
from ..ndarray import NDArray, concatenate
from .mesh import Placement, put
from .mesh_cell import MeshCell, adopt

Shapes = Mapping[str, tuple[int, ...]]


class Batch(NamedTuple):
    """What an executor must know to split its batches.

    Attributes:
        placement: among which devices.
        axes: the batch axis of every input that is split, by name.
        states: arguments that are split, too, along the first axis of the size of the batch.
    """

    placement: Placement
    axes: Mapping[str, int]
    states: Sequence[str] = ()

    def found(self, shapes: Shapes) -> dict[str, int]:
        """The batch axis of every argument that is split."""
        axes = {n: axis for n, axis in self.axes.items() if n in shapes and axis < len(shapes[n])}
        size = next((shapes[n][axis] for n, axis in axes.items()), 0)
        return axes | {n: shapes[n].index(size) for n in self.states if size in shapes[n]}


class Layout:
    """Where each array of a graph lies: inputs and outputs split along the batch, the others on every device.

    Args:
        graph: the graph.
        arrays: arguments and auxiliary states by name; their shapes are those in this process.
        batch: devices and batch axes.

    Attributes:
        placement: the devices.
        of: the sharding of each argument and auxiliary state, and of its gradient.
        outputs: that of each output; None where XLA decides.

    Raises:
        MXNetError: there are several processes, and the graph cannot take their batches together.
    """

    def __init__(self, graph: Graph, arrays: Mapping[str, NDArray], batch: Batch):
        self.placement, self._batch = batch.placement, batch
        shapes = {n: a.shape for n, a in arrays.items()}
        axes = self._axes = batch.found(shapes)
        self.of = {n: self.placement.split(shape, axes.get(n)) for n, shape in shapes.items()}
        self._inputs = [n for n in arrays if n in axes]
        whole = self.placement.workers > 1
        self._described = ", ".join(f"{n} {shapes[n]}" for n in self._inputs)
        found = follow(graph, shapes, axes, whole)
        self._parts = [self.placement.split(f.shape, f.axis) for f in found]
        # Where the batch is not an axis of its own, a split would take XLA a detour.
        self.outputs = tuple(
            part if f.axis is None or f.exact or whole else None for f, part in zip(found, self._parts, strict=True)
        )

    def alone(self, graph: Graph, arrays: Mapping[str, NDArray]) -> Layout:
        """The layout for what this process does without the others."""
        return Layout(graph, arrays, self._batch._replace(placement=self.placement.here()))

    def launching(self) -> None:
        """Tell that a program is about to be launched. MXNetError when other processes have batches of other shapes."""
        if self.placement.workers > 1:
            self.placement.turn_to(self._described)
            launching()

    def shardings(self, wrt: Sequence[str]) -> Shardings:
        """What a program that differentiates `wrt` must know."""
        return Shardings(self.outputs, tuple(self.of[n] for n in wrt), self.placement.replicated)

    def adopt(self, arrays: Iterable[NDArray]) -> None:
        """Give the arrays cells that keep their spread form."""
        for nd in arrays:
            adopt(nd)

    def feed(self, nd: NDArray, name: str) -> jax.Array:
        """The content of the array bound as `name`, for a program that derives only fresh buffers from it."""
        cell = nd._cell
        return cell.spread(self.of[name]) if nd._view is None and isinstance(cell, MeshCell) else self._put(nd, name)

    def _put(self, nd: NDArray, name: str) -> jax.Array:
        return put(nd._data, self.of[name])

    def donatable(self, nd: NDArray, name: str) -> jax.Array:
        """The same in buffers that the program may reuse."""
        return nd._cell.donatable_spread(self.of[name])  # type: ignore[attr-defined]

    def result(self, i: int, nd: NDArray) -> jax.Array:
        """The content of output `i`."""
        return nd._cell.spread(self.outputs[i] or self.placement.replicated)  # type: ignore[attr-defined]

    def parts(self, nd: NDArray, which: str | int) -> list[NDArray]:
        """The array bound under a name, or the output of a number, as the list of what each device has."""
        sharding = self.of[which] if isinstance(which, str) else self._parts[which]
        shards = {s.device: s.data for s in nd._cell.shards(sharding)}  # type: ignore[attr-defined]
        return [NDArray._wrap(shards[c.jax_device], c) for c in self.placement.contexts]

    def merged(self, name: str, parts: Sequence[NDArray]) -> NDArray:
        """The inverse of `parts` for an argument."""
        if len(parts) == 1 or (name in self.of and self.of[name].is_fully_replicated):
            return parts[0]
        return concatenate([x.as_in_context(parts[0].context) for x in parts], axis=self._axes.get(name, 0))

    def head(self, i: int, x: jax.Array) -> jax.Array:
        """The head gradient of output `i`."""
        return put(x, self.outputs[i] or self.placement.replicated)

    def label(self, nd: NDArray, args: Mapping[str, NDArray]) -> Any:
        """A label for a metric inside the program; one that the batch has brought in already is not brought again."""
        source = nd._cell.feed() if nd._view is None else nd._data
        for name in self._inputs:
            cell = args[name]._cell
            if isinstance(cell, MeshCell) and cell.holds(source):
                return self.feed(args[name], name)
        return put(source, self.placement.replicated)


class Followed(NamedTuple):
    """How an output follows the batch: its shape, the axis that does, and whether that has the size of the batch."""

    shape: tuple[int, ...]
    axis: int | None
    exact: bool


def follow(graph: Graph, shapes: Shapes, axes: Mapping[str, int], whole: bool) -> list[Followed]:
    """How the outputs of `graph` follow the batch.

    Args:
        graph: the graph.
        shapes: of arguments and auxiliary states, by name.
        axes: the batch axis of each input that has one.
        whole: whether each sample must be found in the outputs, because processes have their own.

    Raises:
        MXNetError: it must, but cannot be.
    """
    twice = {n: _twice(s, axes[n]) if n in axes else s for n, s in shapes.items()}
    before = infer_shapes(graph, dict(shapes)).entries
    try:
        after = infer_shapes(graph, twice).entries
    except MXNetError as e:
        if whole:
            hint = "write 0 or -1 for the batch size in shapes"
            raise MXNetError(explain(f"the network takes batches of one size only:\n{e}", hint=hint)) from e
        after = before
    size = next((shapes[n][axis] for n, axis in axes.items()), 0)
    grown = {e: _axis(before.get(e) or (), after.get(e) or ()) for e in before}
    found = []
    for name, e in zip(graph.output_names, graph.entries, strict=True):
        shape, axis = before.get(e) or (), grown.get(e)
        exact = axis is not None and shape[axis] == size
        follows = shape != (after.get(e) or ())
        if whole and follows and not exact and not (axis == 0 and _by_sample(e, before, grown, size)):
            hint = "end the network in an output that has the batch as an axis, or the samples one after another"
            problem = f"output {name} of shape {shape} does not show which sample is where, as several workers need it"
            raise MXNetError(explain(problem, hint=hint))
        found.append(Followed(shape, axis, exact))
    return found


def _by_sample(entry: Entry, shapes: Mapping[Entry, Any], grown: Mapping[Entry, int | None], size: int) -> bool:
    """Whether the first axis counts samples, then what each has: the batch was the first axis when it was reshaped."""
    while entry.node.op is not None:
        source = next((e for e in entry.node.inputs if grown.get(e) is not None), None)
        if source is None:
            return False
        axis = grown[source]
        if shapes[source][axis] == size:
            return axis == 0 and entry.node.op.name in ("Reshape", "Flatten")
        if axis != 0:
            return False
        entry = source
    return False


def _twice(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], shape[axis] * 2, *shape[axis + 1 :])


def _axis(before: Sequence[int], after: Sequence[int]) -> int | None:
    """The axis that grew from one shape to the other, if it is just one that became twice as long."""
    changed = [i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    grew = len(changed) == 1 and len(before) == len(after) and after[changed[0]] == 2 * before[changed[0]]
    return changed[0] if grew else None
