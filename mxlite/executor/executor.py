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

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.program import Program, check_heads

from ..base import MXNetError
from ..ndarray import NDArray, array
from ..ndarray.cell import Upload
from ..symbol import Symbol
from .bound import Bound, on_device_of
from .layout import Batch
from .reshape import reshaped
from .step import Step
from .watch import Watch


class Executor(Bound):
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

    _step: Step | None = None
    _watch: Watch | None = None

    @cached_property
    def output_dict(self) -> dict[str, NDArray]:
        """The outputs by name. Raises ValueError when two outputs have one name."""
        names = self.graph.output_names
        if len(set(names)) != len(names):
            raise ValueError(f"outputs share a name: {names}; use outputs instead")
        return dict(zip(names, self.outputs, strict=True))

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
        key = self.draw_key(is_train)
        if self._watch is not None:
            self._watch.forward(is_train, key)
        if is_train:
            self._step = Step(self, key)
            if self._open:
                self._step.flush()
        else:
            self._step = None
            self.fill_outputs(self.predict(key))
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
                cell.write(on_device_of(value._data, cell))

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
            self._step = Step(self, self.draw_key(True))
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
        heads = [x if x.devices() == {out.context.jax_device} else on_device_of(x, out._cell) for x, out in contents]
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
