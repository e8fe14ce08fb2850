# SPDX-License-Identifier: Apache-2.0
"""The arrays that a graph is bound to, as its programs read and fill them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mxlite_compiler.compile import program
from mxlite_compiler.graph import Graph
from mxlite_compiler.infer import infer_dtypes, infer_shapes
from mxlite_compiler.placement import place
from mxlite_compiler.program import Program
from mxlite_compiler.shapes import known

from .. import random
from ..context import Context
from ..ndarray import NDArray
from ..ndarray.cell import Cell
from ..ndarray.sparse.cell import SparseCell
from ..ndarray.sparse.fallback import log
from ..symbol import Symbol
from .blank import blank
from .layout import Batch, Layout
from .mesh import local, put
from .mesh_cell import MeshCell
from .storage import Seen, Storages


class Bound:
    """The half of `Executor` that knows arrays, devices and programs; what a `Step` needs.

    Args:
        symbol: the network.
        ctx: its device, or the first of them.
        args, grads, aux: arrays by name.
        grad_req: by argument.
        group2ctx: devices by group.
        batch: devices that compute each batch together.
    """

    def __init__(
        self,
        symbol: Symbol,
        ctx: Context,
        args: Mapping[str, NDArray],
        grads: Mapping[str, NDArray],
        grad_req: Mapping[str, str],
        aux: Mapping[str, NDArray],
        group2ctx: Mapping[str, Context] | None = None,
        batch: Batch | None = None,
    ):
        self._symbol, self.context, self._group2ctx = symbol, ctx, dict(group2ctx or {})
        self.graph: Graph = symbol.graph
        self.arg_dict, self.aux_dict = dict(args), dict(aux)
        self.grad_dict: dict[str, NDArray | None] = {name: grads.get(name) for name in self.arg_dict}
        self.arg_arrays, self.aux_arrays = list(self.arg_dict.values()), list(self.aux_dict.values())
        self.grad_arrays = list(self.grad_dict.values())
        self.grad_req = {name: req if self.grad_dict[name] is not None else "null" for name, req in grad_req.items()}
        written = {n: g for n, g in self.grad_dict.items() if g is not None and self.grad_req[n] != "null"}
        graded = list(written)
        # Integers have no tangents in JAX; MXNet fills their gradients with zeros.
        wrt = [name for name in graded if jnp.issubdtype(self.arg_dict[name].dtype, jnp.inexact)]
        self.integer_grads = tuple(name for name in graded if name not in wrt)
        self.adding = frozenset(name for name in wrt if self.grad_req[name] == "add")
        self._place()
        bound = {**self.arg_dict, **self.aux_dict}
        self._batch = batch
        #: How the arrays lie on several devices that compute the batch together; None on one device.
        self.layout = Layout(self.graph, bound, batch) if batch is not None else None
        if self.layout is not None:
            self.layout.adopt([*bound.values(), *(g for g in self.grad_dict.values() if g is not None)])
        self._storages = Storages(self.graph, {k: v.stype for k, v in bound.items()})
        by_row = [name for name in wrt if written[name].stype == "row_sparse" and name not in self.adding]
        self._seen = Seen(self.graph, self._storages, by_row)
        #: What a step has read of the arguments that name the rows of gradients.
        self._read_sources: dict[str, Any] = {}
        sparse = [v.stype for v in bound.values() if v.stype != "default"]
        if sparse:
            log(f"an executor of {symbol.name or 'a group'}", sparse, "default")
        shardings = self.layout.shardings(wrt) if self.layout is not None else None
        self.program = program(self.graph, wrt, symbol.name or "graph", self.device, self.devices, shardings)
        self._alone: tuple[Layout, Program] | None = None
        if self.layout is not None and self.layout.placement.workers > 1:
            # Each process predicts when it likes.
            alone = self.layout.alone(self.graph, bound)
            run = program(self.graph, wrt, symbol.name or "graph", shardings=alone.shardings(wrt))
            self._alone = alone, run  # type: ignore[assignment]
        self.fusable = self.program.fusable
        self.draws = any(n.op is not None and n.op.random for n in self.graph.nodes)
        self.outputs = self._allocate_outputs()
        self.read_cells: tuple[Cell, ...] = _cells([*self.arg_dict.values(), *self.aux_dict.values()])
        self.grad_cells: tuple[Cell, ...] = _cells(written.values())
        self.computed = tuple((i, self.outputs[i]) for i, e in enumerate(self.graph.entries) if not e.node.is_variable)
        #: What a training forward fills: outputs, auxiliary states, gammas that it resets.
        self.written_cells: tuple[Cell, ...] = tuple(o._cell for _, o in self.computed) + _cells(self._written())
        # One array under two names, or a part of one, cannot be donated.
        taken = [*bound.values(), *written.values()]
        whole = all(nd._view is None and nd.stype == "default" for nd in taken)
        self.donates = self.fusable and len(_cells(taken)) == len(taken) and whole

    def _place(self) -> None:
        """Decide the device of the whole graph, or of each node where `group2ctx` puts them on several."""
        self.device, self.devices = self.context.jax_device, None
        self._contexts = dict.fromkeys(self.graph.nodes, self.context)
        if self._group2ctx:
            self._contexts = place(self.graph, self._group2ctx, self.context)
            bound = {**self.arg_dict, **self.aux_dict}
            self._contexts.update((n, bound[n.name].context) for n in self.graph.nodes if n.is_variable)
            devices = {n: ctx.jax_device for n, ctx in self._contexts.items()}
            if len(set(devices.values())) > 1:
                self.devices = devices
            else:
                self.device = next(iter(devices.values()), self.device)

    def _written(self) -> list[NDArray]:
        """The bound arrays that the operators of the graph write in training."""
        names = {
            e.node.name: None
            for node in self.graph.nodes
            if node.op is not None and (mutated := node.op.mutates(node.params))
            for n, e in zip(node.op.inputs(node.params), node.inputs, strict=True)
            if n in mutated and e.node.is_variable
        }
        return [self.arg_dict[n] if n in self.arg_dict else self.aux_dict[n] for n in names]

    def _allocate_outputs(self) -> list[NDArray]:
        """Outputs with the shapes and dtypes that inference gives, so that looking at those does not wait.

        A shape that depends on values (boolean_mask) is not known before every forward; then forward waits.
        """
        shapes = infer_shapes(self.graph, {k: v.shape for k, v in {**self.arg_dict, **self.aux_dict}.items()})
        dtypes = infer_dtypes(
            self.graph, {k: np.dtype(v.dtype).name for k, v in {**self.arg_dict, **self.aux_dict}.items()}
        )
        self._open = not all(map(known, shapes.outputs))
        bound = {**self.arg_dict, **self.aux_dict}
        cells = Cell if self.layout is None else MeshCell
        return [
            # An output that is a variable is the memory of that variable, in MXNet, too.
            bound[e.node.name]
            if e.node.is_variable
            else blank(shape, dtype, self._contexts[e.node], self._storages.of(e), cells)
            for e, shape, dtype in zip(self.graph.entries, shapes.outputs, dtypes.outputs, strict=True)
        ]

    def draw_key(self, train: bool) -> Any:
        """The random key of a pass, None where nothing is random; processes that train together share it."""
        if not self.draws:
            return None
        return self.layout.placement.draw_key() if train and self.layout is not None else random.draw_key(self.context)

    def predict(self, key: Any) -> Sequence[jax.Array]:
        """The outputs of inference over the present arrays."""
        if self._alone is None:
            args, aux, _ = self.read()
            return self.program.predict(args, aux, key)
        layout, run = self._alone
        args, aux = ({n: layout.feed(a, n) for n, a in bound.items()} for bound in (self.arg_dict, self.aux_dict))
        return run.predict(args, aux, key)

    def read(self) -> tuple[dict[str, jax.Array], dict[str, jax.Array], dict[str, jax.Array]]:
        """The present arrays: arguments, auxiliary states, gradients that are added to."""
        old = {name: self.feed(self.grad_dict[name], name) for name in self.adding}  # type: ignore[arg-type]
        self._read_sources = {n: self._source(n) for used in self._seen.sources.values() for n in used}
        return (
            {k: self.feed(v, k) for k, v in self.arg_dict.items()},
            {k: self.feed(v, k) for k, v in self.aux_dict.items()},
            old,
        )

    def _source(self, name: str) -> Any:
        nd = self.arg_dict[name]
        return nd._cell.stored if isinstance(nd._cell, SparseCell) else self.feed(nd, name)

    def content(self, nd: NDArray) -> jax.Array:
        """The whole content of an array in any storage."""
        return nd._data if nd.stype == "default" else nd._cell.peek()

    def feed(self, nd: NDArray, name: str) -> Any:
        """The content of the array bound as `name`, or of its gradient, as an argument of a program."""
        if self.layout is not None:
            return self.layout.feed(nd, name)
        if nd.stype != "default":
            return nd._cell.peek()
        # A compiled program gives fresh buffers only, so reading for it ends no ownership; Python code may keep them.
        return nd._cell.feed() if nd._view is None and self.fusable else nd._data

    def donatable(self, arrays: Mapping[str, Any], names: Iterable[str]) -> dict[str, jax.Array]:
        """The contents of those of `arrays` that are bound as `names`, in buffers that the program may reuse."""
        layout = self.layout
        if layout is None:
            return {n: arrays[n]._cell.donatable() for n in names}
        return {n: layout.donatable(arrays[n], n) for n in names}

    @property
    def joins_metrics(self) -> bool:
        """Whether metrics may join a step: those of several processes are each process's own."""
        return self.layout is None or self.layout.placement.workers == 1

    def launching(self) -> None:
        """A program of the training step is about to be launched."""
        if self.layout is not None:
            self.layout.launching()

    def label(self, nd: NDArray) -> Any:
        """A label that a metric reads, as an argument of a program; one still pending is settled first."""
        if self.layout is not None:
            return self.layout.label(nd, self.arg_dict)
        return nd._cell.feed() if nd._view is None else nd._data

    def metric_state(self, cell: Cell) -> jax.Array:
        """What a metric has accumulated, as an argument of a program."""
        if self.layout is None:
            return cell.peek()
        replicated = self.layout.placement.replicated
        return cell.spread(replicated) if isinstance(cell, MeshCell) else put(cell.peek(), replicated)

    def fill_metric_state(self, cell: Cell, x: jax.Array) -> None:
        """Put what a program has accumulated into the cell of the metric."""
        plain = self.layout is not None and not isinstance(cell, MeshCell)
        cell.fill(local(x, cell.ctx.jax_device) if plain else x)

    def results(self) -> tuple[jax.Array, ...]:
        """The outputs as a program gave them."""
        if self.layout is None:
            return tuple(map(self.content, self.outputs))
        return tuple(self.layout.result(i, nd) for i, nd in enumerate(self.outputs))

    def fill(
        self,
        outputs: Sequence[jax.Array],
        written: Mapping[str, jax.Array],
        grads: Mapping[str, jax.Array] | None = None,
    ) -> None:
        """Put results into the bound arrays."""
        self.fill_outputs(outputs)
        for cell in self.written_cells[len(self.computed) :]:
            cell.pending = None
        for name, x in written.items():
            self._fill(self.arg_dict[name] if name in self.arg_dict else self.aux_dict[name], x)
        if grads is not None:
            self.fill_gradients(grads)

    def fill_outputs(self, outputs: Sequence[jax.Array]) -> None:
        for i, nd in self.computed:
            x = outputs[i]
            nd._cell.fill(x if self.devices is None else on_device_of(x, nd._cell))
            if self._open:
                nd._cell.shape = x.shape

    def _fill(self, nd: NDArray, x: jax.Array) -> None:
        if self.devices is not None:
            x = on_device_of(x, nd._cell)
        if nd._view is None:
            nd._cell.fill(x, owned=self.fusable)
        else:
            nd._set(x if self.layout is None else local(x, nd.context.jax_device))

    def fill_gradients(self, grads: Mapping[str, jax.Array]) -> None:
        """Put gradients into the bound arrays; integers get zeros."""
        for cell in self.grad_cells:
            cell.pending = None
        for name, x in grads.items():
            nd: NDArray = self.grad_dict[name]  # type: ignore[assignment]
            cell: Any = nd._cell
            if isinstance(cell, SparseCell):
                cell.fill(on_device_of(x, cell), keep=self._seen.rows(name, self._read_sources))
            else:
                self._fill(nd, x)
        for name in self.integer_grads:
            if self.grad_req[name] == "write":
                g: NDArray = self.grad_dict[name]  # type: ignore[assignment]
                self._fill(g, jnp.zeros(g.shape, g.dtype))

    def add_gradients(self, grads: Mapping[str, jax.Array], old: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """`grads`, added to `old` where `grad_req` is add; one array under several names gathers all of them."""
        totals: dict[int, jax.Array] = {}
        found = dict(grads)
        for name in grads:
            if name in old:
                array = id(self.grad_dict[name])
                found[name] = totals[array] = totals.get(array, old[name]) + grads[name]
        return found


def _cells(arrays: Any) -> tuple[Cell, ...]:
    return tuple({id(nd._cell): nd._cell for nd in arrays}.values())


def on_device_of(x: jax.Array, cell: Cell | SparseCell) -> jax.Array:
    """`x` on the device and in the dtype of `cell`."""
    if x.dtype != cell.dtype:
        x = x.astype(cell.dtype)
    device = cell.ctx.jax_device
    return x if x.devices() == {device} else jax.device_put(x, device)
