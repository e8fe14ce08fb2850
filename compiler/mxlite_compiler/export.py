# SPDX-License-Identifier: Apache-2.0
"""Graph and parameters -> a portable StableHLO artefact with a dynamic batch."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from .artefact import Artefact, Dim, Spec
from .errors import MXNetError, explain, nearest
from .graph import Entry, Graph, Node
from .infer import infer_dtypes, infer_shapes
from .lower import lower

#: What an artefact is lowered for when the caller does not say.
PLATFORMS = ("cpu", "cuda", "tpu")

#: The input that a network which draws random numbers in prediction gets beside its own.
KEY = "rng_key"

#: What the names of the labels that zeros stand for end with.
LABEL = ":label"


def export_graph(
    graph: Graph,
    params: Mapping[str, Any],
    shapes: Mapping[str, Sequence[Dim]],
    dtypes: Mapping[str, str] | None = None,
    *,
    platforms: Sequence[str] = PLATFORMS,
) -> Artefact:
    """Compile the prediction of `graph` for several platforms into one artefact.

    Labels of loss operators need no shape: prediction does not read them.

    Args:
        graph: the network.
        params: arguments and auxiliary states by name, anything `numpy.asarray` takes; those the graph has not are
            left out. The prefixes ``arg:`` and ``aux:`` of checkpoints are allowed.
        shapes: the shape of every input. A size given as a name, ``("batch", 1, 28, 28)``, stays open; the same name
            is the same size everywhere.
        dtypes: dtypes of inputs; what is neither given nor inferred is float32.
        platforms: some of cpu, cuda, tpu. One that a kernel cannot be lowered for is left out with a warning.

    Raises:
        MXNetError: an input has no shape or a parameter is missing, shapes do not fit, a size must be a number, a
            node runs Python, or no platform is left.
    """
    params = {_plain(name): np.asarray(value) for name, value in params.items()}
    full, graph = graph, _without_labels(graph, shapes)
    variables = {node.name for node in (*graph.arguments, *graph.aux)}
    unknown = [name for name in shapes if name not in variables]
    if unknown:
        near = nearest(unknown[0], variables)
        hint = f"inputs are: {_free(full, params)}"
        raise MXNetError(explain(f"the network has no input {unknown[0]!r}{near}", hint=hint))
    params = {n: v for n, v in params.items() if n in variables and n not in shapes}
    inputs, labels = _input_specs(graph, params, shapes, dtypes or {})
    run = _function(graph, labels)
    arrays = {n: jax.ShapeDtypeStruct(v.shape, v.dtype) for n, v in params.items()}
    random = any(n.op is not None and n.op.random for n in graph.nodes)
    try:
        exported = _lower(run, arrays, inputs, platforms)
    except MXNetError:
        if not random:
            raise
        # Dropout draws nothing in prediction. What does draw complains about the missing key, and gets one.
        inputs[KEY] = jax.ShapeDtypeStruct((2,), np.uint32)
        exported = _lower(run, arrays, inputs, platforms)
    # Never read, but held by the checkpoint: the gamma of a BatchNorm that fixes it, for example.
    return Artefact(
        exported,
        params,
        tuple(_spec(name, s) for name, s in inputs.items()),
        tuple(_spec(name, s) for name, s in zip(graph.output_names, exported.out_avals, strict=True)),
    )


def _plain(name: str) -> str:
    return name[4:] if name.startswith(("arg:", "aux:")) else name


def _free(graph: Graph, params: Mapping[str, Any]) -> str:
    return ", ".join(n.name for n in graph.arguments if n.name not in params) or "none"


def _spec(name: str, array: Any) -> Spec:
    return Spec(name, tuple(d if isinstance(d, int) else str(d) for d in array.shape), array.dtype.name)


def _input_specs(
    graph: Graph, params: Mapping[str, np.ndarray], shapes: Mapping[str, Sequence[Dim]], dtypes: Mapping[str, str]
) -> tuple[dict[str, jax.ShapeDtypeStruct], dict[str, jax.ShapeDtypeStruct]]:
    """The specs of the inputs, and of the labels that zeros stand for."""
    scope = jax.export.SymbolicScope()
    given: dict[str, Any] = {name: _symbolic(name, shape, scope) for name, shape in shapes.items()}
    given.update({name: value.shape for name, value in params.items()})
    known_dtypes = {**{n: v.dtype.name for n, v in params.items()}, **dtypes}
    with _SizesOpen():
        found = infer_shapes(graph, given)
    found_dtypes = infer_dtypes(graph, known_dtypes)
    inputs, labels, missing = {}, {}, []
    variables = [*zip(graph.arguments, found.arguments, found_dtypes.arguments, strict=True)]
    variables += zip(graph.aux, found.aux, found_dtypes.aux, strict=True)
    for node, shape, dtype in variables:
        name = node.name
        if name in params:
            continue
        spec = None if shape is None or not all(shape) else jax.ShapeDtypeStruct(shape, jnp.dtype(dtype or "float32"))
        if name in shapes and spec is not None:
            inputs[name] = spec
        elif name.endswith(LABEL) and spec is not None:
            labels[name] = spec
        else:
            missing.append(name)
    # Where an input has no shape, no label has one either.
    missing = [n for n in missing if not n.endswith(LABEL)] or [n.removesuffix(LABEL) for n in missing]
    if missing:
        raise MXNetError(
            explain(
                f"no parameter and no shape given for {', '.join(map(repr, missing))}",
                hint="give its shape if it is an input; otherwise the parameters are not those of this network",
            )
        )
    return {name: inputs[name] for name in shapes}, labels


def _symbolic(name: str, shape: Sequence[Dim], scope: Any) -> tuple[Any, ...]:
    if not all(isinstance(d, str) or (isinstance(d, int | np.integer) and d > 0) for d in shape):
        raise MXNetError(f"shape {tuple(shape)} of {name!r}: a size is a positive number or a name")
    try:
        return tuple(jax.export.symbolic_shape(", ".join(map(str, shape)), scope=scope)) if shape else ()
    except ValueError as e:
        raise MXNetError(f"shape {tuple(shape)} of {name!r}: {e}") from None


def _without_labels(graph: Graph, given: Container[str]) -> Graph:
    """`graph` with a variable of its own as the label of every loss operator: prediction does not read it.

    What makes the label, such as a Reshape, then goes, and the shape of the new one follows from the data.
    """

    def rule(node: Node, inputs: tuple[Entry, ...]) -> Node | None:
        if node.op is None or not node.op.loss or "label" not in (names := node.op.inputs(node.params)):
            return None
        at = names.index("label")
        if inputs[at].node.name in given:
            return None
        return node.with_inputs([*inputs[:at], Entry(Node(None, f"{node.name}{LABEL}")), *inputs[at + 1 :]])

    return graph.rewrite(rule)


def _function(graph: Graph, labels: Mapping[str, jax.ShapeDtypeStruct]) -> Any:
    f = lower(graph)

    def mxlite(params: dict[str, jax.Array], inputs: dict[str, jax.Array]) -> tuple[jax.Array, ...]:
        inputs = dict(inputs)
        key = inputs.pop(KEY, None)
        zeros = {name: jnp.zeros(s.shape, s.dtype) for name, s in labels.items()}
        outputs, _ = f({**params, **inputs, **zeros}, {}, key, train=False)
        return tuple(outputs)

    return mxlite


def _lower(run: Any, params: Any, inputs: Any, platforms: Sequence[str]) -> jax.export.Exported:
    names = [{"gpu": "cuda"}.get(p, p) for p in platforms]

    def attempt(chosen: Sequence[str]) -> jax.export.Exported:
        with _SizesOpen(), _no_source_lines():
            return jax.export.export(jax.jit(run), platforms=chosen)(params, inputs)

    try:
        return attempt(names)
    except MXNetError:
        raise
    except (NotImplementedError, ValueError) as e:
        reason = e
    able = [name for name in names if len(names) > 1 and _can(attempt, name)]
    if not able:
        raise MXNetError(f"the network cannot be exported for {', '.join(names)}: {reason}") from reason
    left = ", ".join(n for n in names if n not in able)
    warnings.warn(f"exported for {', '.join(able)} only, not for {left}: {reason}", stacklevel=3)
    return attempt(able)


def _can(attempt: Any, platform: str) -> bool:
    try:
        attempt([platform])
    except (NotImplementedError, ValueError):
        return False
    return True


@contextlib.contextmanager
def _no_source_lines() -> Iterator[None]:
    """Keep paths and lines of this machine's Python files out of the module; names of nodes stay."""
    config: Any = jax.config
    limit = config.jax_traceback_in_locations_limit
    config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    finally:
        config.update("jax_traceback_in_locations_limit", limit)


class _SizesOpen:
    """Tells an operator's need for a number, where a size is open, as an error of the user's kind."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        cause = error
        while cause is not None and not isinstance(cause, jax.errors.InconclusiveDimensionOperation):
            cause = cause.__cause__
        if cause is not None:
            first = str(cause).split("\n", 1)[0]
            raise MXNetError(
                explain(f"an open size does not work here: {first}", hint="give a number for that size in `shapes`")
            ) from error
