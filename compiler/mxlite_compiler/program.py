# SPDX-License-Identifier: Apache-2.0
"""Compiled programs: jit, donation, caches, and counters of what was traced and launched."""

from __future__ import annotations

import dataclasses
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from itertools import starmap
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .errors import Message, MXNetError, explain
from .graph import Entry, Graph, Node
from .lower import Arrays, lower


@dataclasses.dataclass
class Counters:
    """How many programs were traced (compiled) and launched since the last `reset`."""

    traces: int = 0
    launches: int = 0

    def reset(self) -> None:
        """Start counting anew."""
        self.traces = self.launches = 0


#: Counts every launch that goes through this module. Tests assert on it.
COUNTERS = Counters()

#: Past this many traces of one graph a warning names the shapes: something changes with every call.
RETRACE_WARNING = 16


class Shardings(NamedTuple):
    """Where the results of a program over a mesh of devices lie. Its arguments lie where they are.

    Attributes:
        outputs: one an output of the graph; None lets XLA decide.
        gradients: one a differentiated argument, in the order of `Program.wrt`.
        replicated: that of written variables.
    """

    outputs: tuple[jax.sharding.Sharding | None, ...]
    gradients: tuple[jax.sharding.Sharding, ...]
    replicated: jax.sharding.Sharding


class Compiled:
    """`jax.jit` of `function` that counts its traces and launches.

    Args:
        function: the pure function to compile.
        name: what profiles and warnings call it.
        donate: positions of the arguments whose buffers the outputs may reuse.
        device: where to run when no argument that the program reads says it.
        out: the sharding of each result, as a tree of which parts may be None: XLA decides. Stands above `device`.
    """

    def __init__(
        self, function: Callable[..., Any], name: str, donate: Sequence[int] = (), device: Any = None, out: Any = None
    ):
        self.name, self.traces, self.launches = name, 0, 0

        def traced(*args: Any) -> Any:
            self.traces += 1
            COUNTERS.traces += 1
            if self.traces == RETRACE_WARNING:
                shapes = [getattr(x, "shape", ()) for x in jax.tree.leaves(args)][:8]
                warnings.warn(
                    f"program {name!r} was compiled {self.traces} times; the shapes now begin with {shapes}. "
                    "Keep shapes constant, or pad to a few sizes.",
                    stacklevel=2,
                )
            return function(*args)

        traced.__name__ = name
        if out is None and device is not None:
            out = jax.sharding.SingleDeviceSharding(device)
        options: dict[str, Any] = {} if out is None else {"out_shardings": out}
        self._jitted = jax.jit(traced, donate_argnums=tuple(donate), keep_unused=bool(donate), **options)

    def __call__(self, *args: Any) -> Any:
        box: list[Any] = []
        self.launch(box, *args)
        return box[0]

    def launch(self, box: list[Any], *args: Any) -> None:
        """Run, and put the result into `box` before anything else can happen.

        What was donated is gone when the launch returns, and that is when Python raises the KeyboardInterrupt of a
        Ctrl-C: no statement that takes the result would be reached.
        """
        self.launches += 1
        COUNTERS.launches += 1
        try:
            box.extend(starmap(self._jitted, (args,)))
        except jax.errors.JaxRuntimeError as e:
            raise MXNetError(refused(e, f"program {self.name!r}", _largest(args))) from e

    def lower(self, *args: Any) -> jax.stages.Lowered:
        """The program for these arguments as `jax.stages.Lowered`, to read its HLO or its memory plan."""
        return self._jitted.lower(*args)


def refused(error: Exception, op: str, given: Iterable[tuple[str, Any]], hint: str = "") -> Message:
    """The message for what XLA or a device refused to do."""
    if "RESOURCE_EXHAUSTED" in str(error):
        hint = "smaller batches, or a dtype of fewer bits, take less memory"
    return explain(str(error).partition("\n")[0], op=op, given=given, hint=hint)


def _largest(args: Any, count: int = 4) -> list[tuple[str, Any]]:
    """The largest arrays of a call, by the path that leads to them."""
    leaves = [(path, x) for path, x in jax.tree_util.tree_leaves_with_path(args) if getattr(x, "shape", None)]
    leaves.sort(key=lambda leaf: -leaf[1].nbytes)
    names = [next((str(key.key) for key in reversed(path) if hasattr(key, "key")), "array") for path, _ in leaves]
    return [(name, f"{x.shape} {x.dtype}") for name, (_, x) in zip(names[:count], leaves, strict=False)]


class Program:
    """The compiled forms of one graph.

    Args:
        graph: what to compute; no host nodes.
        wrt: names of the arguments to differentiate.
        name: for profiles and messages.
        device: where to run what no argument on a device decides; JAX's default device for None.
        draws: the numbers of the random nodes, where the graph is a piece of a larger one; see `lower`.
        shardings: where the results lie, for a program over a mesh.
    """

    #: Whether the whole graph can be traced into a larger program.
    fusable = True

    def __init__(
        self,
        graph: Graph,
        wrt: Sequence[str] = (),
        name: str = "graph",
        device: Any = None,
        draws: Sequence[int] | None = None,
        shardings: Shardings | None = None,
    ):
        self.graph, self.wrt, self.device, self.shardings = graph, tuple(wrt), device, shardings
        outs, written, grads = self.out = _trees(shardings, self.wrt)
        # In MXNet a loss sends its gradient whatever comes back to it, through BlockGrad, too.
        losses = _inner_losses(graph) if self.wrt else []
        self._all = lower(Graph((*graph.entries, *losses)), draws) if losses else None
        self._run = lower(graph, draws)
        made = partial(Compiled, device=device)
        #: (args, aux, key) -> outputs
        self.predict = made(lambda args, aux, key: self._run(args, aux, key)[0], f"{name}_predict", out=outs)
        #: (args, aux, key) -> outputs, written; training without gradients
        self.train = made(partial(self._run, train=True), f"{name}_train", out=shardings and (outs, written))
        #: (args, aux, key) -> outputs, written, residuals for `backward`
        self.forward = made(self._forward, f"{name}_forward", out=shardings and (outs, written, None))
        #: (residuals, head gradients) -> {name: gradient}
        self.backward = made(self._backward, f"{name}_backward", out=grads)
        #: (args, aux, key, heads) -> outputs, written, {name: gradient} in one launch
        self.forward_backward = made(self.value_and_grad, f"{name}_forward_backward", out=shardings and self.out)

    def _vjp(self, args: Arrays, aux: Arrays, key: Any, train: bool = True) -> tuple[Any, Any, Any]:
        rest = {k: v for k, v in args.items() if k not in self.wrt}

        def of(params: dict[str, jax.Array]) -> Any:
            if self._all is None:
                return self._run({**rest, **params}, aux, key, train=train)
            found, written = self._all({**rest, **params}, aux, key, train=train)
            count = len(self.graph.entries)
            return _tie(found[:count], found[count:]), written

        return jax.vjp(of, {k: args[k] for k in self.wrt}, has_aux=True)

    def _forward(self, args: Arrays, aux: Arrays, key: Any) -> tuple[Any, Any, Any]:
        outputs, vjp, written = self._vjp(args, aux, key)
        return outputs, written, vjp

    def _backward(self, vjp: Any, heads: tuple[jax.Array, ...]) -> dict[str, jax.Array]:
        return vjp(heads)[0]

    def value_and_grad(
        self, args: Arrays, aux: Arrays, key: Any, heads: tuple[jax.Array, ...] | None = None
    ) -> tuple[tuple[jax.Array, ...], dict[str, jax.Array], dict[str, jax.Array]]:
        """Outputs, written variables and gradients, to be traced into a larger program.

        Args:
            args, aux, key: as for the lowered function.
            heads: head gradients, one an output; None is legal when every output is a loss and stands for ones.
        """
        outputs, written, vjp = self._forward(args, aux, key)
        if heads is None:
            heads = tuple(jnp.ones_like(o) for o in outputs)
        return outputs, written, self._backward(vjp, match_heads(outputs, heads))


def _trees(shardings: Shardings | None, wrt: Sequence[str]) -> tuple[Any, Any, Any]:
    """The shardings of outputs, written variables and gradients, in the form of what a program returns."""
    if shardings is None:
        return None, None, None
    return shardings.outputs, shardings.replicated, dict(zip(wrt, shardings.gradients, strict=True))


def match_heads(outputs: Sequence[jax.Array], heads: Sequence[jax.Array]) -> tuple[Any, ...]:
    """The head gradients in the dtypes that JAX wants: the output's own, float0 for integer outputs."""
    return tuple(
        h.astype(o.dtype) if jnp.issubdtype(o.dtype, jnp.inexact) else np.zeros(o.shape, jax.dtypes.float0)
        for o, h in zip(outputs, heads, strict=True)
    )


def check_heads(graph: Graph, heads: Sequence[Any] | None, wrt: Sequence[str] | None = None) -> None:
    """Raise MXNetError when backward needs head gradients that were not given, or their number is wrong.

    Args:
        graph: the graph.
        heads: the head gradients, None for none.
        wrt: the arguments to differentiate; None for all. An output that none of their gradients depends on needs none.
    """
    if heads is None:
        asking = _asking(graph, graph.argument_names if wrt is None else wrt)
        needy = [e.name for e in graph.entries if e.node in asking]
        if needy:
            raise MXNetError(
                explain(
                    f"backward needs head gradients: output {', '.join(needy)} is not a loss",
                    hint="pass out_grads, one array an output, or end the graph in a loss such as SoftmaxOutput",
                )
            )
    elif len(heads) != len(graph.entries):
        raise MXNetError(
            f"backward takes {len(graph.entries)} head gradients ({', '.join(graph.output_names)}), got {len(heads)}"
        )


#: Operators whose gradient is zero whatever follows them, so that MXNet does not ask for the gradient of their outputs.
NO_GRADIENT = frozenset(
    """
    BlockGrad zeros_like ones_like round floor ceil rint fix trunc argmax argmin argsort one_hot shape_array size_array
    logical_not _equal_scalar _not_equal_scalar _greater_scalar _greater_equal_scalar _lesser_scalar
    _lesser_equal_scalar broadcast_equal broadcast_not_equal broadcast_greater broadcast_greater_equal broadcast_lesser
    broadcast_lesser_equal broadcast_logical_and broadcast_logical_or broadcast_logical_xor
    """.split()
)


def _asking(graph: Graph, wrt: Sequence[str]) -> set[Node]:
    """The nodes whose outputs' gradients the gradients of `wrt` depend on."""
    found: set[Node] = set()
    for node in graph.nodes:
        if node.op is None:
            asks = node.name in wrt
        else:
            stops = node.op.is_loss(node.params) or node.op.name in NO_GRADIENT
            asks = not stops and any(e.node in found for e in node.inputs)
        if asks:
            found.add(node)
    return found


def _inner_losses(graph: Graph) -> list[Entry]:
    """The losses of a graph that are no outputs."""
    outputs = {e.node for e in graph.entries}
    losses = (n for n in graph.nodes if n.op is not None and n not in outputs and n.op.is_loss(n.params))
    return [Entry(n) for n in losses if n.op.name not in NO_GRADIENT]  # type: ignore[union-attr]


def _tie(outputs: Sequence[jax.Array], losses: Sequence[jax.Array]) -> tuple[jax.Array, ...]:
    """`outputs`, of which the first that has a gradient asks all losses for theirs."""
    at = next((i for i, o in enumerate(outputs) if jnp.issubdtype(o.dtype, jnp.inexact)), None)
    return tuple(_tied(o, tuple(losses)) if i == at else o for i, o in enumerate(outputs))


@jax.custom_vjp
def _tied(output: Any, losses: Any) -> Any:
    """`output`; differentiated, it asks every loss for its gradient."""
    return output


_tied.defvjp(
    lambda output, losses: (output, losses),
    lambda losses, g: (g, jax.tree.map(jnp.zeros_like, losses)),
)


class ProgramCache:
    """A bounded, least-recently-used map from a hashable key to what `make` builds for it."""

    def __init__(self, size: int = 256):
        self.size = size
        self._items: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The item under `key`, made on the first request."""
        if key not in self._items:
            self._items[key] = make()
            if len(self._items) > self.size:
                self._items.popitem(last=False)
        else:
            self._items.move_to_end(key)
        return self._items[key]

    def clear(self) -> None:
        """Forget every item."""
        self._items.clear()

    def __len__(self) -> int:
        return len(self._items)


#: Programs by (graph, differentiated arguments); executors of one graph share their compilations.
PROGRAMS = ProgramCache()
