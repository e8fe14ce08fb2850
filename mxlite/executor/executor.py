# SPDX-License-Identifier: Apache-2.0
"""A graph bound to arrays: forward and backward of one Symbol."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mxlite_compiler.compile import program
from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Graph
from mxlite_compiler.infer import infer_dtypes, infer_shapes
from mxlite_compiler.placement import place
from mxlite_compiler.program import Program, check_heads
from mxlite_compiler.shapes import known

from .. import random
from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray, array
from ..ndarray.cell import Cell, Upload
from ..ndarray.sparse.cell import SparseCell
from ..ndarray.sparse.fallback import log
from ..symbol import Symbol
from .blank import blank
from .layout import Batch, Layout
from .mesh import local, put
from .mesh_cell import MeshCell
from .reshape import reshaped
from .step import Step
from .storage import Seen, Storages
from .watch import Watch


class Executor:
    """A Symbol with the arrays it reads and writes; made by `Symbol.bind` and `Symbol.simple_bind`.

    The graph computes densely, whatever the storage of the arrays: a sparse argument is made dense before it is read,
    once for each content, and gradients and outputs are stored as the arrays that take them. The logger
    ``mxlite.storage`` tells of it once.

    Attributes:
        arg_dict: argument name to NDArray.
        grad_dict: argument name to its gradient NDArray; None where none was given, or `simple_bind` met grad_req null.
        aux_dict: auxiliary state name to NDArray.
        outputs: the outputs of the latest forward; the same list of the same NDArrays every time.
        arg_arrays: the arguments in the order of `Symbol.list_arguments`.
        grad_arrays: their gradients in the same order, None where there is none.
        aux_arrays: the auxiliary states in the order of `Symbol.list_auxiliary_states`.
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
        self._step: Step | None = None
        self._watch: Watch | None = None

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

    @cached_property
    def output_dict(self) -> dict[str, NDArray]:
        """The outputs by name. Raises ValueError when two outputs have one name."""
        names = self.graph.output_names
        if len(set(names)) != len(names):
            raise ValueError(f"outputs share a name: {names}; use outputs instead")
        return dict(zip(names, self.outputs, strict=True))

    # What a Step needs.

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

    def donatable(self, nd: NDArray, name: str) -> jax.Array:
        """The same in buffers that the program may reuse."""
        return nd._cell.donatable() if self.layout is None else self.layout.donatable(nd, name)

    #: Whether metrics may join a step. Those of several processes are each process's own.
    @property
    def joins_metrics(self) -> bool:
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
        return cell.peek() if self.layout is None else put(cell.peek(), self.layout.placement.replicated)

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
        self._fill_outputs(outputs)
        for cell in self.written_cells[len(self.computed) :]:
            cell.pending = None
        for name, x in written.items():
            self._fill(self.arg_dict[name] if name in self.arg_dict else self.aux_dict[name], x)
        if grads is not None:
            self.fill_gradients(grads)

    def _fill_outputs(self, outputs: Sequence[jax.Array]) -> None:
        for i, nd in self.computed:
            x = outputs[i]
            nd._cell.fill(x if self.devices is None else _on(x, nd._cell))
            if self._open:
                nd._cell.shape = x.shape

    def _fill(self, nd: NDArray, x: jax.Array) -> None:
        if self.devices is not None:
            x = _on(x, nd._cell)
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
                cell.fill(_on(x, cell), keep=self._seen.rows(name, self._read_sources))
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

    # The public calls.

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[NDArray]:
        """Compute the outputs; with `is_train` lazily, so that backward and update can join.

        Args:
            is_train: whether dropout drops, batch statistics are used, and `backward` may follow.
            **kwargs: new contents for arguments, by name; NDArray or numpy arrays of the bound shapes.

        Returns:
            `outputs`.

        Raises:
            TypeError: a name is not an argument, or an array stands in the place of `is_train`.
            ValueError: a shape differs from the bound one, or something is no array. Nothing is changed then.
        """
        if isinstance(is_train, NDArray | np.ndarray | str):
            raise TypeError(f"forward: is_train is a {type(is_train).__name__}; give arrays by name: forward(data=x)")
        for name, value in {name: self._checked(name, value) for name, value in kwargs.items()}.items():
            if value is not self.arg_dict[name]:
                self.arg_dict[name][:] = value
        self.settle()
        key = self._draw_key(is_train)
        if self._watch is not None:
            self._watch.forward(is_train, key)
        if is_train:
            self._step = Step(self, key)
            if self._open:
                self._step.flush()
        else:
            self._step = None
            self._fill_outputs(self._predict(key))
        return self.outputs

    def _draw_key(self, train: bool) -> Any:
        if not self.draws:
            return None
        return self.layout.placement.draw_key() if train and self.layout is not None else random.draw_key(self.context)

    def _predict(self, key: Any) -> Sequence[jax.Array]:
        if self._alone is None:
            args, aux, _ = self.read()
            return self.program.predict(args, aux, key)
        layout, run = self._alone
        args, aux = ({n: layout.feed(a, n) for n, a in bound.items()} for bound in (self.arg_dict, self.aux_dict))
        return run.predict(args, aux, key)

    def update_with(self, updates: Any) -> bool:
        """Run the pending step and the update as one launch; False when there is none, or it has been looked at."""
        return self._step is not None and self._step.update(updates)

    def settle(self) -> None:
        """Run what an earlier step still owes: its auxiliary states and gradients must not be lost."""
        if self._step is not None and not self._step.done:
            self._step.flush()

    def load(self, arrays: Mapping[str, NDArray]) -> None:
        """Point the named arguments at `arrays`, whose shapes the caller has checked; copies nothing on one device."""
        for name, value in arrays.items():
            bound = self.arg_dict[name]
            if bound._view is not None or bound.stype != "default" or value.stype != "default":
                # Memory that a larger executor shares, or parts that are replaced together.
                bound[:] = value
                continue
            cell = bound._cell
            if cell.captured is not None and cell.captured is self._step:
                self.settle()
            source = value._cell
            if type(source.pending) is Upload and value._view is None and source.dtype == cell.dtype:
                cell.write_host(source.pending.host)
            else:
                cell.write(_on(value._data, cell))

    def _checked(self, name: str, value: Any) -> NDArray:
        if not isinstance(value, NDArray | np.ndarray):
            raise ValueError(
                f"forward: only accept keyword argument of NDArrays and numpy.ndarray, got {name}={value!r:.80}"
            )
        if name not in self.arg_dict:
            raise TypeError(
                f"Unknown argument {name}{nearest(name, self.arg_dict)}; the arguments are {', '.join(self.arg_dict)}"
            )
        bound = self.arg_dict[name]
        if value.shape != bound.shape:
            raise ValueError(
                f"Shape not match! Argument {name}, need: {bound.shape}, received: {value.shape}; "
                "use Executor.reshape to bind other shapes"
            )
        return value if isinstance(value, NDArray) else array(value, dtype=bound.dtype, ctx=bound.context)

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:
        """Compute gradients into `grad_dict` as `grad_req` says.

        Args:
            out_grads: the head gradient of each output, as one NDArray, a list or a dict by output name; not needed
                when all outputs are losses.
            is_train: accepted as in MXNet, where it does not change the gradients either.

        Raises:
            MXNetError: a head gradient is needed and missing, or has the wrong shape.
        """
        heads = self._heads(out_grads)
        if not self.program.wrt:
            return
        check_heads(self.graph, heads, self.program.wrt)
        if self._watch is not None:
            self._watch.backward(heads)
        if self._step is None:
            # As MXNet does after forward(is_train=False): gradients of a training pass over the present arrays.
            held = [(nd._cell, nd._cell._array) for _, nd in self.computed]
            self._step = Step(self, self._draw_key(True))
            self._step.backward(heads)
            self._step.flush()
            for cell, value in held:
                cell.fill(jnp.zeros(cell.shape, cell.dtype, device=cell.ctx.jax_device) if value is None else value)
            self._step = None
            return
        self._step.backward(heads)

    def _heads(self, out_grads: Any) -> tuple[jax.Array, ...] | None:
        if out_grads is None:
            return None
        if isinstance(out_grads, NDArray):
            out_grads = [out_grads]
        elif isinstance(out_grads, dict):
            missing = [name for name in self.graph.output_names if name not in out_grads]
            if missing:
                problem = f"no head gradient for {', '.join(missing)}; given are {', '.join(out_grads) or 'none'}"
                raise MXNetError(explain(problem, op="backward"))
            out_grads = [out_grads[name] for name in self.graph.output_names]
        if not isinstance(out_grads, list | tuple) or not all(isinstance(g, NDArray) for g in out_grads):
            raise TypeError("inputs must be NDArray: out_grads takes an NDArray, or a list or dict of them")
        # MXNet ignores surplus head gradients.
        out_grads = list(out_grads)[: len(self.outputs)]
        for name, out, g in zip(self.graph.output_names, self.outputs, out_grads, strict=False):
            if g.shape != out.shape:
                raise MXNetError(
                    explain(f"head gradient of {name} has shape {g.shape}, the output {out.shape}", op="backward")
                )
        given = zip(out_grads, self.outputs, strict=False)
        contents = ((self.content(g), out) for g, out in given)
        heads = [x if x.devices() == {out.context.jax_device} else _on(x, out._cell) for x, out in contents]
        # Of an output that is listed twice, MXNet differentiates the last one.
        last = {e: i for i, e in enumerate(self.graph.entries)}
        heads = [h if last[self.graph.entries[i]] == i else jnp.zeros_like(h) for i, h in enumerate(heads)]
        return tuple(heads if self.layout is None else itertools.starmap(self.layout.head, enumerate(heads)))

    def copy_params_from(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None = None,
        allow_extra_params: bool = False,
    ) -> None:
        """Copy parameters into the bound arrays, converted to their dtype.

        Raises:
            ValueError: a name is not bound and `allow_extra_params` is False.
            MXNetError: a shape differs. Nothing is copied then.
        """
        pairs = []
        for kind, given, bound in (
            ("arguments", arg_params, self.arg_dict),
            ("auxiliary states", aux_params or {}, self.aux_dict),
        ):
            if not isinstance(given, Mapping):
                raise TypeError(f"copy_params_from takes dicts of NDArrays by name, got {type(given).__name__}")
            for name, value in given.items():
                if name not in bound:
                    if not allow_extra_params:
                        raise ValueError(
                            f'Find name "{name}" that is not in the {kind}{nearest(name, bound)}; they are: '
                            f"{', '.join(bound) or 'none'}; allow_extra_params=True skips others"
                        )
                    continue
                if value.shape != bound[name].shape:
                    problem = f"parameter {name} has shape {value.shape}, bound is {bound[name].shape}"
                    raise MXNetError(explain(problem, op="copy_params_from"))
                pairs.append((bound[name], value))
        for target, value in pairs:
            target[:] = value

    def reshape(
        self, partial_shaping: bool = False, allow_up_sizing: bool = False, **kwargs: Sequence[int]
    ) -> Executor:
        """A new executor for other input shapes that shares the memory of every array that does not grow.

        Args:
            partial_shaping: allow arrays that `kwargs` does not name to change shape.
            allow_up_sizing: allow arrays to grow; new ones are allocated then.
            **kwargs: new shapes by argument name.

        Raises:
            MXNetError: a shape cannot be decided, or an array would change or grow and that was not allowed.
        """
        args, grads, aux = reshaped(self, kwargs, partial_shaping, allow_up_sizing)
        return Executor(self._symbol, self.context, args, grads, self.grad_req, aux, self._group2ctx, self._batch)

    def moved(self, batch: Batch | None) -> Executor:
        """An executor on the same arrays that other devices compute; a monitor goes on."""
        self.settle()
        grads = {n: g for n, g in self.grad_dict.items() if g is not None}
        new = Executor(self._symbol, self.context, self.arg_dict, grads, self.grad_req, self.aux_dict, None, batch)
        if self._watch is not None:
            new.set_monitor_callback(self._watch.callback, self._watch.inputs)
        return new

    def set_monitor_callback(self, callback: Callable[[str, NDArray], None], monitor_all: bool = False) -> None:
        """Call ``callback(name, array)`` for every value of each forward and backward; see `Watch`.

        Args:
            callback: takes the name, such as ``fc1_output``, and a copy of the array.
            monitor_all: show what operators read, too: ``fc1_data``, ``fc1_weight``.
        """
        if not callable(callback):
            raise TypeError(f"the callback of a monitor takes a name and an array, got {type(callback).__name__}")
        self._watch = Watch(self, callback, monitor_all)

    def get_optimized_symbol(self) -> Symbol:
        """The symbol that runs. XLA optimizes the compiled program, not the graph, so it is the bound one."""
        return self._symbol

    def debug_str(self) -> str:
        """The graph as text, the device of each part, and the memory that XLA plans for inference on each."""
        lines = [self.graph.dump()]
        if isinstance(self.program, Program):
            args, aux, _ = self.read()
            key = np.zeros(2, np.uint32) if self.draws else None
            plan = self.program.predict.lower(args, aux, key).compile().memory_analysis()
            for what in ("argument", "output", "temp"):
                lines.append(f"{what}: {getattr(plan, f'{what}_size_in_bytes', 0)} bytes")
            total = sum(getattr(plan, f"{what}_size_in_bytes", 0) for what in ("argument", "output", "temp"))
            lines.append(f"Total {total >> 20} MB allocated on {self.context}")
        else:
            lines += [f"stage {i}: {stage}" for i, stage in enumerate(self.program.stages)]
        return "\n".join(lines)


def _cells(arrays: Any) -> tuple[Cell, ...]:
    return tuple({id(nd._cell): nd._cell for nd in arrays}.values())


def _on(x: jax.Array, cell: Cell | SparseCell) -> jax.Array:
    """`x` on the device and in the dtype of `cell`."""
    if x.dtype != cell.dtype:
        x = x.astype(cell.dtype)
    device = cell.ctx.jax_device
    return x if x.devices() == {device} else jax.device_put(x, device)
