# SPDX-License-Identifier: Apache-2.0
"""A graph bound to arrays: forward and backward of one Symbol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mxlite_compiler.compile import program
from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Graph
from mxlite_compiler.infer import infer_dtypes, infer_shapes
from mxlite_compiler.params import Shape
from mxlite_compiler.program import Program, check_heads
from mxlite_compiler.shapes import known

from .. import random
from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray, array, zeros
from ..ndarray.cell import Cell, Upload
from ..symbol import Symbol
from .step import Step


class Executor:
    """A Symbol with the arrays it reads and writes; made by `Symbol.bind` and `Symbol.simple_bind`.

    Attributes:
        arg_dict: argument name to NDArray.
        grad_dict: argument name to its gradient NDArray; None where none was given, or `simple_bind` met grad_req null.
        aux_dict: auxiliary state name to NDArray.
        outputs: the outputs of the latest forward; the same NDArrays every time, as in MXNet.
    """

    def __init__(
        self,
        symbol: Symbol,
        ctx: Context,
        args: Mapping[str, NDArray],
        grads: Mapping[str, NDArray],
        grad_req: Mapping[str, str],
        aux: Mapping[str, NDArray],
    ):
        self._symbol, self.context = symbol, ctx
        self.graph: Graph = symbol.graph
        self.arg_dict, self.aux_dict = dict(args), dict(aux)
        self.grad_dict: dict[str, NDArray | None] = {name: grads.get(name) for name in self.arg_dict}
        self.grad_req = {name: req if self.grad_dict[name] is not None else "null" for name, req in grad_req.items()}
        written = {n: g for n, g in self.grad_dict.items() if g is not None and self.grad_req[n] != "null"}
        graded = list(written)
        # Integers have no tangents in JAX; MXNet fills their gradients with zeros.
        wrt = [name for name in graded if jnp.issubdtype(self.arg_dict[name].dtype, jnp.inexact)]
        self.integer_grads = tuple(name for name in graded if name not in wrt)
        self.adding = frozenset(name for name in wrt if self.grad_req[name] == "add")
        self.program = program(self.graph, wrt, symbol.name or "graph")
        self.fusable = self.program.fusable
        self.draws = any(n.op is not None and n.op.random for n in self.graph.nodes)
        self._names = list(self.arg_dict), list(self.aux_dict)
        self.outputs = self._allocate_outputs()
        self.read_cells: tuple[Cell, ...] = _cells([*self.arg_dict.values(), *self.aux_dict.values()])
        self.grad_cells: tuple[Cell, ...] = _cells(written.values())
        #: What a training forward fills: outputs, auxiliary states, gammas that it resets.
        self.written_cells: tuple[Cell, ...] = tuple(o._cell for o in self.outputs) + _cells(self._written())
        # One array under two names, or a part of one, cannot be donated.
        bound = [*self.arg_dict.values(), *self.aux_dict.values(), *written.values()]
        self.donates = self.fusable and len(_cells(bound)) == len(bound) and all(nd._view is None for nd in bound)
        self._step: Step | None = None
        self._monitor: tuple[Callable[[str, NDArray], None], bool] | None = None
        self._internals: Any = None

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
        return [_blank(s, d, self.context) for s, d in zip(shapes.outputs, dtypes.outputs, strict=True)]

    # The arrays as MXNet lists them.

    @property
    def arg_arrays(self) -> list[NDArray]:
        """The arguments in the order of `Symbol.list_arguments`."""
        return list(self.arg_dict.values())

    @property
    def grad_arrays(self) -> list[NDArray | None]:
        """The gradients in the order of `Symbol.list_arguments`, None where there is none."""
        return list(self.grad_dict.values())

    @property
    def aux_arrays(self) -> list[NDArray]:
        """The auxiliary states in the order of `Symbol.list_auxiliary_states`."""
        return list(self.aux_dict.values())

    @property
    def output_dict(self) -> dict[str, NDArray]:
        """The outputs by name. Raises ValueError when two outputs have one name."""
        names = self.graph.output_names
        if len(set(names)) != len(names):
            raise ValueError(f"outputs share a name: {names}; use outputs instead")
        return dict(zip(names, self.outputs, strict=True))

    # What a Step needs.

    def read(self) -> tuple[dict[str, jax.Array], dict[str, jax.Array], dict[str, jax.Array]]:
        """The present arrays: arguments, auxiliary states, gradients that are added to."""
        old = {name: self._read(self.grad_dict[name]) for name in self.adding}  # type: ignore[arg-type]
        return (
            {k: self._read(v) for k, v in self.arg_dict.items()},
            {k: self._read(v) for k, v in self.aux_dict.items()},
            old,
        )

    def _read(self, nd: NDArray) -> Any:
        # A compiled program gives fresh buffers only, so reading for it ends no ownership; Python code may keep them.
        return nd._cell.feed() if nd._view is None and self.fusable else nd._data

    def fill(
        self,
        outputs: Sequence[jax.Array],
        written: Mapping[str, jax.Array],
        grads: Mapping[str, jax.Array] | None = None,
    ) -> None:
        """Put results into the bound arrays."""
        self._fill_outputs(outputs)
        for cell in self.written_cells[len(self.outputs) :]:
            cell.pending = None
        for name, x in written.items():
            self._fill(self.arg_dict[name] if name in self.arg_dict else self.aux_dict[name], x)
        if grads is not None:
            self.fill_gradients(grads)

    def _fill_outputs(self, outputs: Sequence[jax.Array]) -> None:
        for nd, x in zip(self.outputs, outputs, strict=True):
            nd._cell.fill(x)
            if self._open:
                nd._cell.shape = x.shape

    def _fill(self, nd: NDArray, x: jax.Array) -> None:
        if nd._view is None:
            nd._cell.fill(x, owned=self.fusable)
        else:
            nd._set(x)

    def fill_gradients(self, grads: Mapping[str, jax.Array]) -> None:
        """Put gradients into the bound arrays; integers get zeros."""
        for cell in self.grad_cells:
            cell.pending = None
        for name, x in grads.items():
            self._fill(self.grad_dict[name], x)  # type: ignore[arg-type]
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
            ValueError: a shape differs from the bound one.
        """
        for name, value in kwargs.items():
            self._load_one(name, value)
        self.settle()
        if self._monitor is not None:
            self._run_monitor(is_train)
        if is_train:
            self._step = Step(self)
            if self._open:
                self._step.flush()
        else:
            args, aux, _ = self.read()
            key = random.draw_key(self.context) if self.draws else None
            self._step = None
            self._fill_outputs(self.program.predict(args, aux, key))
        return self.outputs

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
            cell = self.arg_dict[name]._cell
            if cell.captured is not None and cell.captured is self._step:
                self.settle()
            source = value._cell
            if type(source.pending) is Upload and value._view is None and source.dtype == cell.dtype:
                cell.write_host(source.pending.host)
            else:
                cell.write(_on(value._data, cell))

    def _load_one(self, name: str, value: Any) -> None:
        if name not in self.arg_dict:
            raise TypeError(
                f"Unknown argument {name}{nearest(name, self.arg_dict)}; the arguments are {', '.join(self.arg_dict)}"
            )
        bound = self.arg_dict[name]
        value = value if isinstance(value, NDArray) else array(value, dtype=bound.dtype, ctx=self.context)
        if value.shape != bound.shape:
            raise ValueError(
                f"Shape not match! Argument {name}, need: {bound.shape}, received: {value.shape}; "
                "use Executor.reshape to bind other shapes"
            )
        if value is not bound:
            bound[:] = value

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
        check_heads(self.graph, heads)
        if self._step is None:
            # As MXNet does after forward(is_train=False): gradients of a training pass over the present arrays.
            held = [(nd._cell, nd._cell._array) for nd in self.outputs]
            self._step = Step(self)
            self._step.backward(heads)
            self._step.flush()
            for cell, value in held:
                if value is not None:
                    cell.fill(value)
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
        return tuple(g._data for g in out_grads)

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
        """A new executor for other input shapes that shares every array whose shape stays.

        Args:
            partial_shaping: allow arrays that `kwargs` does not name to change shape.
            allow_up_sizing: allow arrays to grow, as larger ones are allocated.
            **kwargs: new shapes by argument name.

        Raises:
            MXNetError: an array would change or grow and that was not allowed.
        """
        shapes = infer_shapes(self.graph, {k: tuple(v) for k, v in kwargs.items()})
        args: dict[str, NDArray] = {}
        grads: dict[str, NDArray] = {}
        for kind, bound, found in (("arg", self.arg_dict, shapes.arguments), ("aux", self.aux_dict, shapes.aux)):
            for (name, nd), shape in zip(bound.items(), found, strict=True):
                if shape is None or not known(shape):
                    raise MXNetError(f"reshape cannot decide the shape of {name}; give it as a keyword")
                if shape == nd.shape:
                    args[name] = nd
                    if kind == "arg" and self.grad_dict[name] is not None:
                        grads[name] = self.grad_dict[name]  # type: ignore[assignment]
                    continue
                if not partial_shaping and name not in kwargs:
                    raise MXNetError(
                        f"reshape would change {kind} {name}: {nd.shape} to {shape}; allow it with partial_shaping=True"
                    )
                if not allow_up_sizing and np.prod(shape) > np.prod(nd.shape):
                    raise MXNetError(
                        f"reshape would grow {kind} {name}: {nd.shape} to {shape}; allow it with allow_up_sizing=True"
                    )
                args[name] = zeros(shape, ctx=self.context, dtype=nd.dtype)
                if kind == "arg" and self.grad_dict[name] is not None:
                    grads[name] = zeros(shape, ctx=self.context, dtype=nd.dtype)
        return Executor(
            self._symbol,
            self.context,
            {k: args[k] for k in self.arg_dict},
            grads,
            self.grad_req,
            {k: args[k] for k in self.aux_dict},
        )

    def set_monitor_callback(self, callback: Callable[[str, NDArray], None], monitor_all: bool = False) -> None:
        """Call ``callback(name, array)`` for every node output on each forward; inputs too with `monitor_all`."""
        self._monitor = (callback, monitor_all)

    def _run_monitor(self, is_train: bool) -> None:
        # A graph of its own with every value as an output: slower, and only while somebody watches.
        callback, everything = self._monitor  # type: ignore[misc]
        if self._internals is None:
            self._internals = self.graph.internals()
        run = program(self._internals)
        args, aux, _ = self.read()
        key = random.draw_key(self.context) if self.draws else None
        values = run.train(args, aux, key)[0] if is_train else run.predict(args, aux, key)
        for entry, value in zip(self._internals.entries, values, strict=True):
            if everything or not entry.node.is_variable:
                callback(entry.name, NDArray._wrap(jnp.array(value), self.context))

    def debug_str(self) -> str:
        """The graph as text and, where it is one program, the memory XLA plans for inference."""
        if not isinstance(self.program, Program):
            return self.graph.dump()
        args, aux, _ = self.read()
        compiled = self.program.predict.lower(
            args, aux, random.draw_key(self.context) if self.draws else None
        ).compile()
        return f"{self.graph.dump()}\n{compiled.memory_analysis()}"


def _cells(arrays: Any) -> tuple[Cell, ...]:
    return tuple({id(nd._cell): nd._cell for nd in arrays}.values())


def _on(x: jax.Array, cell: Cell) -> jax.Array:
    """`x` on the device and in the dtype of `cell`."""
    if x.dtype != cell.dtype:
        x = x.astype(cell.dtype)
    device = cell.ctx.jax_device
    return x if x.devices() == {device} else jax.device_put(x, device)


class _Blank:
    """Fills an output that somebody looks at before any forward, with zeros."""

    cell: Cell

    def flush(self) -> None:
        """Fill the cell, unless a forward has."""
        if self.cell.pending is self:
            self.cell.fill(jnp.zeros(self.cell.shape, self.cell.dtype))


def _blank(shape: Shape | None, dtype: str | None, ctx: Context) -> NDArray:
    """An output of the inferred shape and dtype without content."""
    step = _Blank()
    step.cell = Cell.deferred(
        shape if shape is not None and known(shape) else (), np.dtype(dtype or "float32"), ctx, step
    )
    return NDArray._of_cell(step.cell)
