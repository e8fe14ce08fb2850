# SPDX-License-Identifier: Apache-2.0
"""From a call such as ``mx.sym.FullyConnected(x, num_hidden=10)`` to a node: names, attribute texts, made variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Entry, Graph, Node, own_attrs
from mxlite_compiler.legacy import HIDDEN, INIT_ATTRS
from mxlite_compiler.op import Op
from mxlite_compiler.params import TYPE_FLAGS, to_text

from ..attribute import current_scope, stored_name
from ..base import MXNetError
from ..name import current_manager
from .source import caller


def attribute_text(key: str, value: Any) -> str:
    """The text that MXNet stores for parameter `key`; a dtype becomes its numpy name, with None meaning float64."""
    if key == "dtype" and not (isinstance(value, str) and value in TYPE_FLAGS):
        return np.dtype(value).name
    if isinstance(value, tuple | list):
        return str(type(value)(v.item() if isinstance(v, np.generic) else v for v in value))
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return str(tuple(value.tolist()))
    return to_text(value)


def make_node(
    op: Op,
    hint: str,
    positional: Sequence[Entry],
    keyword: Mapping[str, Entry],
    attrs: Mapping[str, Any],
    name: str | None = None,
    attr: Mapping[str, str] | None = None,
) -> Node:
    """A node that calls `op`. Inputs that are not given become variables named after the node.

    Args:
        op: the operator.
        hint: the lower-cased name it was called by, for the automatic name.
        positional: inputs in the operator's order.
        keyword: inputs by name.
        attrs: parameters and user attributes, values or texts.
        name: the node's name; None for an automatic one.
        attr: further user attributes.

    Raises:
        MXNetError: an input or a parameter is unknown, missing or illegal.
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"{op.name}: name must be a string, got {name!r}")
    given_texts = {k: attribute_text(k, v) for k, v in attrs.items()}
    given_texts.update({k: str(v) for k, v in current_scope().get(attr).items()})
    texts: dict[str, str] = {}
    for key, value in given_texts.items():  # of lr_mult and __lr_mult__ the first one counts
        texts.setdefault(stored_name(key), value)
    if op.variadic and not op_is_open(op):
        if positional and keyword:
            raise TypeError(f"{op.name}: give the inputs either by position or by keyword, not both")
        texts.setdefault(op.variadic, str(op.counted(len(positional) + len(keyword))))
    _refuse_input_options(op, texts)
    node_name = current_manager().get(name, hint)
    params = op.bind(own_attrs(op, texts), node_name)
    names = op.inputs(params)
    if op.variadic and not names:
        raise MXNetError(explain("needs at least one input", op=op.name, node=node_name))
    given = _assign(op, node_name, names, positional, keyword)
    changed = set(op.aux_states(params))
    origin = caller()
    inputs = []
    for n in names:
        entry = given.get(n) or Entry(Node(None, f"{node_name}_{n}", texts, origin=origin))
        if n in changed and not entry.node.is_variable:
            raise MXNetError(
                explain(
                    f"{n} is an auxiliary state, which the operator writes, so a variable; got {entry.name!r}",
                    op=op.name,
                    node=node_name,
                )
            )
        init = INIT_ATTRS.get((op.name, n))
        if init is not None and entry.node.is_variable:
            entry.node.attrs.setdefault("__init__", init)
        inputs.append(entry)
    return Node(op, node_name, texts, inputs, origin=origin)


def op_is_open(op: Op) -> bool:
    """Whether the operator takes any parameter (Custom), and its inputs are not counted by one."""
    return getattr(op, "open_params", False)


def _refuse_input_options(op: Op, texts: Mapping[str, str]) -> None:
    for key, value in texts.items():
        for hidden in HIDDEN:
            if key.endswith("_" + hidden):
                which = key[: -len(hidden) - 1]
                raise MXNetError(
                    explain(f"{key} is no parameter", op=op.name,
                            hint=f"give the option to the variable: {which}=mx.sym.Variable(..., {hidden}={value})")
                )  # fmt: skip


def _assign(
    op: Op, node: str, names: Sequence[str], positional: Sequence[Entry], keyword: Mapping[str, Entry]
) -> dict[str, Entry]:
    if len(positional) > len(names):
        raise MXNetError(
            explain(f"takes {len(names)} inputs ({', '.join(names)}), got {len(positional)}", op=op.name, node=node)
        )
    given = dict(zip(names, positional, strict=False))
    for key, entry in keyword.items():
        if key not in names:
            problem, legal = f"no input {key!r}{nearest(key, names)}", f"inputs are: {', '.join(names)}"
            raise MXNetError(explain(problem, op=op.name, node=node, hint=legal))
        if key in given:
            raise TypeError(f"{op.name}: input {key!r} is given twice")
        given[key] = entry
    return given


def graph_copy(graph: Graph, replaced: Mapping[str, Entry], rename: str | None = None) -> tuple[Entry, ...]:
    """The outputs of a copy of `graph`, which shares no node with it.

    Args:
        replaced: what stands in the copy for the variables of those names.
        rename: a new name for the node of the first output; `replaced` finds it under that.
    """
    first = graph.entries[0].node
    new: dict[Entry, Entry] = {}
    for node in graph.nodes:
        copied = node.with_inputs([new[e] for e in node.inputs])
        if rename and node is first:
            copied.name = rename
        for entry in node.entries(hidden=True):
            kept = Entry(copied, entry.index)
            new[entry] = replaced.get(copied.name, kept) if copied.is_variable else kept
    return tuple(new[e] for e in graph.entries)


def single(entries: Iterable[Entry], what: str) -> Entry:
    """The one output of a symbol that is used as an input. Raises MXNetError when there are several."""
    entries = tuple(entries)
    if len(entries) != 1:
        names = ", ".join(e.name for e in entries)
        raise MXNetError(
            explain(
                f"{what} has {len(entries)} outputs ({names}), one is needed", hint="choose one by index: symbol[0]"
            )
        )
    return entries[0]
