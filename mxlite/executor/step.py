# SPDX-License-Identifier: Apache-2.0
"""The training step that is held back: forward, backward, metrics and update as one launch.

``forward(is_train=True)`` computes nothing yet: it makes a `Step` and marks outputs and auxiliary states as pending on
it. ``backward()`` and the built-in metrics join the step. `Step.update` runs everything as one donated program;
whoever looks at a pending array before that runs the part that is there, and the update becomes a second launch.
Either way the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from mxlite_compiler.program import Compiled, Program, ProgramCache, match_heads

from ..ndarray import NDArray
from ..ndarray.cell import Cell

if TYPE_CHECKING:
    from ..module.updates import Updates
    from .executor import Executor


class Metric(NamedTuple):
    """A metric that joined a step: ``fn(labels, preds)`` is added to `state` inside the program."""

    fn: Callable[[list[jax.Array], list[jax.Array]], jax.Array]
    key: Hashable
    state: Cell
    labels: tuple[NDArray, ...]
    outputs: tuple[int, ...]


#: Fused programs by (program, update rule, metrics, whether gradients add).
FUSED = ProgramCache()


class Step:
    """One deferred ``forward(is_train=True)`` of an executor, and what joined it."""

    def __init__(self, executor: Executor, key: Any):
        self.executor, self.key = executor, key
        self.done = False
        self.error: BaseException | None = None
        self.heads: tuple[jax.Array, ...] | None = None
        self.with_backward = False
        self.residuals: Any = None
        self.metrics: list[Metric] = []
        for cell in executor.read_cells:
            cell.captured = self
        for cell in executor.written_cells:
            cell.defer(self)

    def backward(self, heads: tuple[jax.Array, ...] | None) -> None:
        """Let the backward pass join; runs at once when the forward pass has already been looked at."""
        if self.with_backward and self.executor.adding:
            self.flush()  # what an earlier backward adds must not be lost
        self.heads, self.with_backward = heads, True
        if self.done:
            self._run_backward()
            return
        for cell in self.executor.grad_cells:
            # With grad_req add the program reads what the cell holds now.
            if cell.pending is not None and cell.pending is not self:
                cell.pending.flush()
            cell.defer(self)

    def attach(
        self,
        fn: Callable[..., jax.Array],
        key: Hashable,
        state: Cell,
        labels: Sequence[NDArray],
        preds: Sequence[NDArray],
    ) -> bool:
        """Let a metric join: `state` += ``fn(labels, preds)`` inside the step's program.

        Args:
            fn: a pure function of two lists of arrays that returns an array like `state`.
            key: identifies `fn`, so that programs are cached.
            state: the accumulator; pending on the step from now on.
            labels: arrays outside the step.
            preds: outputs of the step.

        Returns False, and does nothing, when the step cannot take it: it has run, `preds` are not its outputs, or
        `state` is on another device.
        """
        cells = [o._cell for o in self.executor.outputs]
        if self.done or not self.executor.fusable or any(p._view is not None or p._cell not in cells for p in preds):
            return False
        if any(label._cell.pending is self for label in labels) or state.pending is self:
            return False
        if state.ctx.jax_device != self.executor.context.jax_device:
            return False
        state.array  # noqa: B018 - settle an earlier step, whose program would write the same accumulator
        self.metrics.append(Metric(fn, key, state, tuple(labels), tuple(cells.index(p._cell) for p in preds)))
        for label in labels:
            label._cell.captured = self
        state.defer(self)
        return True

    def flush(self) -> None:
        """Run what has joined so far, because somebody looks. A failure is raised again at every look."""
        if self.error is not None:
            raise self.error
        if self.done:
            return
        with self._running():
            ex = self.executor
            args, aux, old = ex.read()
            if self.with_backward:
                outputs, written, grads = ex.program.forward_backward(args, aux, self.key, self.heads)
                ex.fill(outputs, written, ex.add_gradients(grads, old))
            elif ex.program.wrt:
                outputs, written, self.residuals = ex.program.forward(args, aux, self.key)
                ex.fill(outputs, written)
            else:
                outputs, written = ex.program.train(args, aux, self.key)
                ex.fill(outputs, written)
            self._run_metrics()

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Mark the step as done; when it fails, everything but its outputs keeps its old content.

        A Ctrl-C is no failure of the step: what it has not filled is computed when somebody looks.
        """
        self.executor.launching()
        self.done = True
        try:
            yield
        except Exception as e:
            self.error = e
            outputs = {id(nd._cell) for nd in self.executor.outputs}
            states = [m.state for m in self.metrics]
            for cell in (*self.executor.written_cells, *self.executor.grad_cells, *states):
                if cell.pending is self and id(cell) not in outputs:
                    cell.pending = None
            raise
        except BaseException:  # KeyboardInterrupt, and GeneratorExit when that comes as the block begins
            cells = (*self.executor.written_cells, *self.executor.grad_cells, *(m.state for m in self.metrics))
            self.done = all(cell.pending is not self for cell in cells)
            raise

    def _run_backward(self) -> None:
        ex = self.executor
        ex.launching()
        if self.residuals is None:
            # Forward and backward ran as one program, which keeps nothing for a second backward.
            args, aux, _ = ex.read()
            _, _, self.residuals = ex.program.forward(args, aux, self.key)
        old = {name: ex.feed(ex.grad_dict[name], name) for name in ex.adding}  # type: ignore[arg-type]
        outputs = ex.results()
        heads = self.heads if self.heads is not None else tuple(jnp.ones_like(o) for o in outputs)
        grads = ex.program.backward(self.residuals, match_heads(outputs, heads))
        ex.fill_gradients(ex.add_gradients(grads, old))

    def _run_metrics(self) -> None:
        for m in self.metrics:
            labels = [label._data for label in m.labels]
            preds = [self.executor.content(self.executor.outputs[i]) for i in m.outputs]
            m.state.fill(m.state.peek() + m.fn(labels, preds))
        self.metrics = []

    def update(self, updates: Updates) -> bool:
        """Run the whole step and the optimizer's update as one launch; False when it has been looked at already."""
        ex = self.executor
        if self.done or not self.with_backward or not ex.donates:
            return False
        hyper = updates.hyper(ex)  # may refuse a learning rate: before anything has happened
        with self._running():
            self._run_fused(updates, hyper)
        return True

    def _run_fused(self, updates: Updates, hyper: dict[str, Any]) -> None:
        ex, names = self.executor, updates.names_in(self.executor)
        # A deferred label is settled before its array is read.
        metrics = self.metrics if ex.joins_metrics else []
        labels = [[ex.label(label) for label in m.labels] for m in metrics]
        states = [ex.metric_state(m.state) for m in metrics]
        fused = FUSED.get(
            (ex.program, updates.rule, tuple((m.key, m.outputs) for m in metrics), ex.adding, updates.names, names),
            lambda: _fuse(ex, updates, [(m.fn, m.outputs) for m in metrics]),
        )
        params = ex.donatable(ex.arg_dict, names)
        aux = ex.donatable(ex.aux_dict, ex.aux_dict)
        grads = ex.donatable(ex.grad_dict, ex.program.wrt)
        args = {n: ex.feed(nd, n) for n, nd in ex.arg_dict.items() if n not in params}

        def take(outputs: Any, written: Any, grads: Any, params: Any, state: Any, states: Any) -> None:
            updates.state = state
            ex.fill(outputs, {**written, **params}, grads)
            for m, accumulated in zip(metrics, states, strict=True):
                ex.fill_metric_state(m.state, accumulated)
            if metrics:
                self.metrics = []
            self._run_metrics()

        state = updates.state_for(ex)
        box: list[Any] = []
        try:
            fused.launch(box, params, aux, grads, state, args, self.key, self.heads, hyper, states, labels)
            take(*box[0])
        except BaseException:
            if box:  # what was donated is gone: its successor must not get lost, too
                take(*box[0])
            raise


def _fuse(ex: Executor, updates: Updates, metrics: list[tuple[Callable[..., jax.Array], tuple[int, ...]]]) -> Compiled:
    program, adding, apply = cast(Program, ex.program), ex.adding, updates.rule_only(updates.names_in(ex))

    def step(params, aux, old_grads, state, args, key, heads, hyper, metric_states, labels):
        outputs, written, grads = program.value_and_grad({**args, **params}, aux, key, heads)
        grads = {k: old_grads[k] + g if k in adding else g for k, g in grads.items()}
        # A forward that writes its own parameter (fix_gamma) does so before the update.
        current = {k: written.pop(k, v) for k, v in params.items()}
        params, state = apply(grads, state, current, hyper)
        metric_states = [
            s + fn(ls, [outputs[i] for i in index]).astype(s.dtype)
            for s, ls, (fn, index) in zip(metric_states, labels, metrics, strict=True)
        ]
        # Auxiliary states are donated, so those that nobody wrote must come back as well.
        return outputs, {**aux, **written}, grads, params, state, metric_states

    out = None
    if program.shardings is not None:
        # Outputs, written, gradients; then parameters, the optimizer's state and the metrics.
        out = (*program.out, *[program.shardings.replicated] * 3)
    return Compiled(step, "train_step", donate=(0, 1, 2, 3), device=program.device, out=out)
