# SPDX-License-Identifier: Apache-2.0
"""The fused recurrent network: all layers, directions and steps of a vanilla RNN, LSTM or GRU in one operator.

The input projection of all steps is one product. What remains is a `lax.scan` over time for each layer and direction,
with one product a step. Its gradient is written by hand for one reason: the gradient of the recurrent weight is one
product over all steps after the reverse scan, where JAX would add up a matrix of the weight's size in every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from ..errors import Mismatch
from ..op import Mode, op
from ..params import Range, Shape
from ..shapes import DTypes, Shapes
from .nn import dropped, random_key
from .precision import precision
from .window import agree

#: Number of gates by mode.
GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}

#: The state that a step carries: (hidden,), or (hidden, cell) for the LSTM.
State = tuple[jax.Array, ...]

_FLOATS = ("float32", "float64", "float16", "bfloat16")


class Layer(NamedTuple):
    """The parameters of one layer and direction, cut from the packed vector; G gates of H units, P outputs."""

    i2h_weight: jax.Array  # (G * H, input)
    h2h_weight: jax.Array  # (G * H, P)
    h2r_weight: jax.Array | None  # (P, H), with projection; otherwise P is H
    i2h_bias: jax.Array  # (G * H,)
    h2h_bias: jax.Array  # (G * H,)


class Layout(NamedTuple):
    """The sizes of a network, and where its parameters lie in the packed vector."""

    mode: str
    state_size: int
    num_layers: int
    bidirectional: bool
    projection_size: int | None

    @classmethod
    def of(cls, p: Any) -> Layout:
        """The layout for the operator's parameters `p`."""
        return cls(*(getattr(p, field) for field in cls._fields))

    @property
    def directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 1 + self.bidirectional

    @property
    def hidden(self) -> int:
        """The size of a hidden state, which is what one direction puts out."""
        return self.projection_size or self.state_size

    def shapes(self, layer: int, input_size: int) -> list[Shape | None]:
        """The shapes of the fields of a `Layer`."""
        rows, inputs = GATES[self.mode] * self.state_size, self.hidden * self.directions if layer else input_size
        projection = (self.hidden, self.state_size) if self.projection_size else None
        return [(rows, inputs), (rows, self.hidden), projection, (rows,), (rows,)]

    def count(self, input_size: int) -> int:
        """The length of the packed vector."""
        shapes = [s for layer in range(self.num_layers) for s in self.shapes(layer, input_size)]
        return self.directions * sum(math.prod(s) for s in shapes if s is not None)

    def unpack(self, parameters: jax.Array, input_size: int) -> list[Layer]:
        """The parts of the vector, which holds all weights and then all biases, each by layer and direction."""
        shapes = [self.shapes(i // self.directions, input_size) for i in range(self.num_layers * self.directions)]
        fields: list[list[Any]] = [[] for _ in shapes]
        start = 0
        for kind in (slice(0, 3), slice(3, 5)):
            for parts, wanted in zip(fields, shapes, strict=True):
                for shape in wanted[kind]:
                    end = start + (0 if shape is None else math.prod(shape))
                    parts.append(None if shape is None else parameters[start:end].reshape(shape))
                    start = end
        return [Layer._make(parts) for parts in fields]


def _product(x: jax.Array, weight: jax.Array) -> jax.Array:
    """``x @ weight.T`` over the last axis of `x`."""
    return jax.lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())), precision=precision(x))


# One step of every mode, from the gates before their activation to the new state. `gates` is one array, the sum of what
# the input and the hidden state contribute; for the GRU, which does not just add them, both.

Gates = tuple[jax.Array, ...]
Cell = Callable[[Gates, State], State]


def _vanilla(activation: Callable[[jax.Array], jax.Array], gates: Gates, state: State) -> State:
    return (activation(gates[0]),)


def _lstm(clip: Callable[[jax.Array], jax.Array], gates: Gates, state: State) -> State:
    # The sigmoid of all four gates, one of them in vain: on a CPU one loop over the whole is faster than three slices.
    i, f, _, o = jnp.split(jax.nn.sigmoid(gates[0]), 4, -1)
    cell = clip(f * state[1] + i * jnp.tanh(jnp.split(gates[0], 4, -1)[2]))
    return o * jnp.tanh(cell), cell


def _gru(gates: Gates, state: State) -> State:
    x, z = gates
    reset, update, _ = jnp.split(jax.nn.sigmoid(x + z), 3, -1)
    # The reset gate multiplies the product and its bias, as in cuDNN.
    new = jnp.tanh(jnp.split(x, 3, -1)[2] + reset * jnp.split(z, 3, -1)[2])
    return (new + update * (state[0] - new),)


def _clip(low: float | None, high: float | None, nan: bool, cell: jax.Array) -> jax.Array:
    if low is None or high is None:
        return cell
    clipped = jnp.clip(cell, low, high)
    return jnp.where(jnp.isnan(cell), jnp.asarray(low, cell.dtype), clipped) if nan else clipped


def _advance(cell: Cell, valid: Any, project: Any, gates: Gates, state: State) -> State:
    """A step without the recurrent product; a sequence that has ended keeps its state."""
    new = cell(gates, state)
    if project is not None:
        new = (_product(new[0], project), *new[1:])
    return new if valid is None else tuple(jnp.where(valid, a, b) for a, b in zip(new, state, strict=True))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _recur(cell: Cell, reverse: bool, xs: Any, state: State, weight: Any, bias: Any, project: Any, valid: Any) -> Any:
    """Run `cell` over the steps.

    Args:
        cell: one step.
        reverse: from the last step to the first.
        xs: (T, N, G * H) projected inputs.
        state: the state before the first step, (N, P) and (N, H).
        weight: (G * H, P) of the recurrent product.
        bias: (G * H,) of the recurrent product for the GRU; None elsewhere, where `xs` have it.
        project: (P, H), or None.
        valid: (T, N, 1) booleans, or None when every step counts.

    Returns:
        The hidden states (T, N, P), and the state after the last step.
    """
    return _run(cell, reverse, xs, state, weight, bias, project, valid, keep=False)[0]


def _run(
    cell: Cell, reverse: bool, xs: Any, state: State, weight: Any, bias: Any, project: Any, valid: Any, keep: bool
):
    def step(state: State, now: Any) -> tuple[State, Any]:
        x, ok = now
        z = _product(state[0], weight)
        gates = (x + z,) if bias is None else (x, z + bias)
        new = _advance(cell, ok, project, gates, state)
        return new, (new[0], (gates, state) if keep else None)

    last, (hidden, kept) = jax.lax.scan(step, state, (xs, valid), reverse=reverse)
    return (hidden, last), kept


def _recur_forward(cell: Cell, reverse: bool, xs: Any, state: State, weight: Any, bias: Any, project: Any, valid: Any):
    out, (gates, before) = _run(cell, reverse, xs, state, weight, bias, project, valid, keep=True)
    return out, (gates, before, weight, bias, project, valid)


def _recur_backward(cell: Cell, reverse: bool, kept: Any, heads: Any):
    gates, before, weight, bias, project, valid = kept

    def step(carry: Any, now: Any) -> tuple[Any, Any]:
        d_state, d_project = carry
        head, gates, state, ok = now
        _, pull = jax.vjp(partial(_advance, cell, ok), project, gates, state)
        d_more, d_gates, d_before = pull((d_state[0] + head, *d_state[1:]))
        d_hidden = d_before[0] + _product(d_gates[-1], weight.T)
        return ((d_hidden, *d_before[1:]), jax.tree.map(jnp.add, d_project, d_more)), d_gates

    start = heads[1], jax.tree.map(jnp.zeros_like, project)
    (d_state, d_project), d_gates = jax.lax.scan(step, start, (heads[0], gates, before, valid), reverse=not reverse)
    d_xs, d_zs = d_gates[0], d_gates[-1]
    d_weight = jax.lax.dot_general(d_zs, before[0], (((0, 1), (0, 1)), ((), ())), precision=precision(d_zs))
    return d_xs, d_state, d_weight, None if bias is None else d_zs.sum((0, 1)), d_project, None


_recur.defvjp(_recur_forward, _recur_backward)


def _outputs(p: Any) -> tuple[str, ...]:
    if not p.state_outputs:
        return ("output",)
    return ("output", "state_output", "statecell_output") if p.mode == "lstm" else ("output", "state_output")


@op(
    "RNN",
    drop={"state_cell": lambda p: p.mode != "lstm", "sequence_length": lambda p: not p.use_sequence_length},
    outputs=_outputs,
    random=True,
)
def rnn(
    data,
    parameters,
    state,
    state_cell=None,
    sequence_length=None,
    *,
    state_size: Annotated[int, Range(low=1)],
    num_layers: Annotated[int, Range(low=1)],
    bidirectional: bool = False,
    mode: Literal["rnn_relu", "rnn_tanh", "lstm", "gru"],
    p: Annotated[float, Range(0, 1)] = 0.0,
    state_outputs: bool = False,
    projection_size: Annotated[int, Range(low=1)] | None = None,
    lstm_state_clip_min: float | None = None,
    lstm_state_clip_max: float | None = None,
    lstm_state_clip_nan: bool = False,
    use_sequence_length: bool = False,
    env: Mode,
):
    """Layers of recurrent units over whole sequences.

    `parameters` is packed as cuDNN packs it: first all weights, then all biases, each ordered by layer, then
    direction, then input-to-hidden before hidden-to-hidden (and the projection after them). The gates in a weight are
    i, f, c, o for the LSTM (Hochreiter and Schmidhuber 1997, with forget gate) and r, z, n for the GRU (Cho et al.
    2014), whose reset gate multiplies the hidden-to-hidden product together with its bias.

    Args:
        data: (time, batch, input).
        parameters: all weights and biases, one vector.
        state: (layers * directions, batch, hidden) initial hidden states; hidden is `state_size`, or
            `projection_size` where there is one.
        state_cell: (layers * directions, batch, state_size) initial cells; only for ``lstm``.
        sequence_length: (batch,) numbers of steps; with `use_sequence_length`, otherwise all are used. The output is 0
            after the end of a sequence, the final state is that of its last step, and the reverse direction starts
            there.
        state_size: number of units a layer.
        num_layers: number of layers.
        bidirectional: also run backwards; the outputs of both directions stand side by side.
        mode: ``rnn_relu``, ``rnn_tanh``, ``lstm`` or ``gru``.
        p: probability of dropping an output of a layer on its way to the next, in training.
        state_outputs: also return the final states.
        projection_size: project the hidden state of the LSTM to this size (Sak et al. 2014).
        lstm_state_clip_min: cells are clipped from below; needs `lstm_state_clip_max`.
        lstm_state_clip_max: cells are clipped from above; needs `lstm_state_clip_min`.
        lstm_state_clip_nan: clipping turns nan into `lstm_state_clip_min`.
        use_sequence_length: whether there is a `sequence_length` input. MXNet ignores the lengths on a CPU.

    Returns:
        (time, batch, directions * hidden); with `state_outputs` also the final hidden states, and cells for ``lstm``.

    Example:
        >>> x, state = mx.nd.ones((2, 1, 1)), mx.nd.zeros((1, 1, 1))  # 2 steps, 1 sequence, 1 number
        >>> parameters = mx.nd.array([1, 1, 0, 0])  # the weights of input and state, then their biases
        >>> mx.nd.RNN(x, parameters, state, mode="rnn_relu", state_size=1, num_layers=1)[:, 0, 0]
        [1. 2.]
        <NDArray 2 @cpu(0)>
    """
    layout = Layout(mode, state_size, num_layers, bidirectional, projection_size)
    clip = partial(_clip, lstm_state_clip_min, lstm_state_clip_max, lstm_state_clip_nan)
    cells: dict[str, Cell] = {
        "rnn_relu": partial(_vanilla, jax.nn.relu),
        "rnn_tanh": partial(_vanilla, jnp.tanh),
        "lstm": partial(_lstm, clip),
        "gru": _gru,
    }
    valid = None
    if sequence_length is not None:
        step = jax.lax.broadcasted_iota(jnp.int32, (*data.shape[:2], 1), 0)
        valid = step < sequence_length.astype(jnp.int32)[:, None]
    x = data
    layers = layout.unpack(parameters, data.shape[2])
    last: list[State] = []
    for first in range(0, len(layers), layout.directions):
        if first and p and env.train:
            x = dropped(x, p, jax.random.fold_in(random_key(env, "RNN"), first))
        sides = []
        for i in range(first, first + layout.directions):
            layer = layers[i]
            start = (state[i],) if state_cell is None else (state[i], state_cell[i])
            bias = layer.h2h_bias if mode == "gru" else None
            inputs = _product(x, layer.i2h_weight) + layer.i2h_bias + (0 if bias is not None else layer.h2h_bias)
            done: Any = _recur(cells[mode], i > first, inputs, start, layer.h2h_weight, bias, layer.h2r_weight, valid)
            sides.append(done[0])
            last.append(done[1])
        x = jnp.concatenate(sides, -1) if len(sides) > 1 else sides[0]
        if valid is not None:
            x = jnp.where(valid, x, 0)
    return (x, *(jnp.stack(ends) for ends in zip(*last, strict=True))) if state_outputs else x


@rnn.infer
def _(p: Any, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    layout = Layout.of(p)
    if p.mode != "lstm" and p.projection_size:
        raise Mismatch(f"projection_size={p.projection_size} is for mode=lstm, not {p.mode}")
    clips = p.lstm_state_clip_min, p.lstm_state_clip_max
    if clips != (None, None) and (p.mode != "lstm" or None in clips):
        raise Mismatch("lstm_state_clip_min and lstm_state_clip_max are given together, and for mode=lstm")
    given = dict(zip(rnn.inputs(p), ins, strict=True))
    results = dict(zip(rnn.outputs(p), outs, strict=True))
    stacked, wide = p.num_layers * layout.directions, layout.hidden * layout.directions

    data = agree("data (time, batch, input)", given["data"], (0, 0, 0))
    out = agree("the output", results["output"], (*data[:2], wide))
    batch = out[1]
    for name, shape in (*given.items(), *results.items()):
        if shape is not None and name.startswith("state") and len(shape) == 3:
            batch = batch or shape[1]
        elif shape is not None and name == "sequence_length" and len(shape) == 1:
            batch = batch or shape[0]
    data = (data[0] or out[0], batch, data[2] or _input_size(layout, given["parameters"]))
    count = layout.count(data[2]) if data[2] else 0
    hidden, cell = (stacked, batch, layout.hidden), (stacked, batch, p.state_size)
    rules: dict[str, Shape] = {
        "data": data,
        "parameters": (count,),
        "state": hidden,
        "state_cell": cell,
        "sequence_length": (batch,),
        "output": (*data[:2], wide),
        "state_output": hidden,
        "statecell_output": cell,
    }
    return [agree(n, s, rules[n]) for n, s in given.items()], [agree(n, s, rules[n]) for n, s in results.items()]


def _input_size(layout: Layout, parameters: Shape | None) -> int:
    """The size of the input that makes the packed vector so long; 0 while its length is unknown."""
    if parameters is None or len(parameters) != 1 or not parameters[0]:
        return 0
    rest = parameters[0] - layout.count(0)
    size, left = divmod(rest, layout.count(1) - layout.count(0))
    if size < 1 or left:
        raise Mismatch(f"parameters has {parameters[0]} elements, which fits no size of the input")
    return size


@rnn.infer_dtypes
def _(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    """One dtype for all, but the lengths have their own."""
    lengths = ins[len(ins) - p.use_sequence_length :]
    others = [*ins[: len(ins) - p.use_sequence_length], *outs]
    dtype = next((d for d in others if d is not None), None)
    if any(d not in (None, dtype) for d in others):
        raise Mismatch("data, parameters, states and outputs have one dtype")
    if dtype is not None and dtype not in _FLOATS:
        raise Mismatch(f"dtype {dtype} must be one of {', '.join(_FLOATS)}")
    return [dtype] * (len(ins) - len(lengths)) + [d or dtype for d in lengths], [dtype] * len(outs)
