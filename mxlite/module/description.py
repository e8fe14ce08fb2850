# SPDX-License-Identifier: Apache-2.0
"""What a module is told of its inputs: names, shapes, batches; in the forms that scripts use, and checked."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.shapes import known

from ..base import MXNetError
from ..context import Context, current_context
from ..io import DataDesc
from ..ndarray import NDArray, array
from ..symbol import Symbol

#: Names that end so are parameters, not inputs.
PARAMETER_ENDINGS = ("_weight", "_bias", "_gamma", "_beta")


class LabelError(ValueError, KeyError):
    """A label that the symbol does not take; MXNet raises a KeyError with nothing but the name."""

    __str__ = Exception.__str__  # KeyError's own shows the message as a quoted literal


def as_list(x: Any) -> list[Any]:
    """What a batch holds as `data` or `label`: a list, one array, or None."""
    return [] if x is None else list(x) if isinstance(x, list | tuple) else [x]


def as_ndarray(x: Any) -> NDArray:
    """`x`, or a numpy array in its own dtype, as NDArray."""
    return x if isinstance(x, NDArray) else array(np.asarray(x), dtype=np.asarray(x).dtype)


def shape_key(data: list[DataDesc], labels: list[DataDesc]) -> tuple[Any, ...]:
    """What distinguishes two bindings of one symbol."""
    return tuple((d.name, tuple(d.shape), np.dtype(d.dtype).name) for d in [*data, *labels])


def descriptions(shapes: Any) -> list[DataDesc]:
    """Descriptions from `DataDesc` objects or (name, shape) pairs in any iterable, a spent-once zip included."""
    found = [shapes] if isinstance(shapes, DataDesc) else shapes if hasattr(shapes, "__iter__") else [shapes]
    if isinstance(shapes, Mapping):
        found = list(shapes.items())
    return [d if isinstance(d, DataDesc) else _description(d) for d in (found if shapes is not None else ())]


def _description(given: Any) -> DataDesc:
    if not isinstance(given, tuple | list) or not 2 <= len(given) <= 4 or not isinstance(given[0], str):
        raise TypeError(
            f"shapes are a list of (name, shape) pairs such as [('data', (32, 784))], or an iterator's provide_data; "
            f"got {given!r:.80} ({type(given).__name__})"
        )
    return DataDesc(*given)


def check_contexts(context: Any) -> list[Context]:
    """The devices of a module as a list. TypeError when something else stands there."""
    given: list[Any] = [context] if isinstance(context, Context | str) else list(context or [current_context()])
    for c in given:
        if not isinstance(c, Context):
            raise TypeError(f"context must be mx.cpu(), mx.gpu() or a list of them, got {c!r:.80} ({type(c).__name__})")
    return given


def check_initializer(initializer: Any) -> None:
    """TypeError when an initializer cannot be called with a description and an array."""
    if isinstance(initializer, type):
        raise TypeError(f"initializer is the class {initializer.__name__}; write {initializer.__name__}()")
    if initializer is not None and not callable(initializer):
        raise TypeError(f"initializer must be one such as mx.init.Xavier(), got {initializer!r:.80}")


def check_batch(batch: Any) -> None:
    """TypeError when a batch has no data."""
    if not hasattr(batch, "data") or isinstance(batch, NDArray | np.ndarray):
        raise TypeError(f"forward takes a batch, such as mx.io.DataBatch([x], [y]), got {type(batch).__name__}")


def check_names(arguments: list[str], kind: str, names: list[str], strict: bool) -> None:
    """ValueError (a warning unless `strict`) when a name is no argument of the symbol."""
    for name in names:
        if name not in arguments:
            if len(name) == 1 and "".join(names) in arguments:
                raise ValueError(f"{kind}_names is a text; write a list: {kind}_names=['{''.join(names)}']")
            # Parameters can be fixed; data, labels and states are what is no parameter.
            candidates = [a for a in arguments if a.endswith(PARAMETER_ENDINGS) == (kind == "fixed_param")]
            message = (
                f"You created Module with Module(..., {kind}_names={names}) but input with name '{name}' is not in "
                f"symbol.list_arguments(). Did you mean one of: {', '.join(candidates)}"
            )
            if strict:
                raise ValueError(message)
            warnings.warn(message, stacklevel=4)


def check_labels(arguments: list[str], labels: list[DataDesc]) -> None:
    """LabelError when a label is no argument of the symbol: it would reach nothing, and training would learn zeros."""
    for d in labels:
        if d.name not in arguments:
            inputs = [a for a in arguments if not a.endswith(PARAMETER_ENDINGS)]
            raise LabelError(
                f"label_shapes name {d.name!r}, which is no argument of the symbol{nearest(d.name, arguments)}; "
                f"its inputs are: {', '.join(inputs)}"
            )


def check_descriptions(names: list[str], found: list[DataDesc], kind: str, strict: bool) -> None:
    """ValueError (a warning unless `strict`) when `found` describes other inputs than `names`, or not wholly."""
    given = [d.name for d in found]
    if sorted(given) != sorted(names):
        message = f"Data provided by {kind}_shapes don't match names specified by {kind}_names ({given} vs. {names})"
        if strict:
            raise ValueError(message)
        warnings.warn(message, stacklevel=4)
    for d in found:
        if d.shape and not known(tuple(d.shape)):
            raise ValueError(f"the shape of {d.name} must be known to bind, got {d.shape}")


def check_parameters(symbol: Symbol, held: Mapping[str, Sequence[int]], inputs: list[DataDesc]) -> None:
    """Raise MXNetError when parameters, of the shapes in `held`, would need other ones for these inputs."""
    names = symbol.list_arguments()
    shapes, _, _ = symbol.infer_shape_partial(**{d.name: d.shape for d in inputs if d.name in names})
    for name, shape in zip(names, shapes or (), strict=False):
        old = tuple(held.get(name, ()))
        if name in held and known(tuple(shape)) and tuple(shape) != old:
            given = " and ".join(f"{d.name} has shape {tuple(d.shape)}" for d in inputs)
            problem = f"parameter {name} would change from {old} to {tuple(shape)}, because {given}"
            hint = "only sizes that no parameter depends on may change, such as the batch size; bind a new Module"
            raise MXNetError(explain(problem, hint=f"{hint} for data of this shape"))
