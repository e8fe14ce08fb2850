# SPDX-License-Identifier: Apache-2.0
"""`Symbol`: a handle on entries of a graph."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from mxlite_compiler._atomic import atomic_write
from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Entry, Graph, Node, own_attrs
from mxlite_compiler.json import graph_from_json, graph_to_json
from mxlite_compiler.legacy import HIDDEN

from ..attribute import stored_name
from ..base import MXNetError
from . import inference
from .arithmetic import Arithmetic
from .compose import graph_copy, single
from .debug import debug_text
from .execution import Binder as Binder
from .execution import Executable
from .source import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._methods import Methods  # the methods that fluent.py adds, as `make stubs` writes them
else:
    Methods = object


class Symbol(Arithmetic, Executable, Methods):
    """A computation that is described, not yet run: one or several outputs of a graph of operators.

    Symbols are made by `Variable`, the functions of `mx.sym`, and arithmetic. Several symbols share the nodes they
    are made from; nodes do not change, except for user attributes.

    Args:
        entries: the outputs.

    Source: `mxnet.symbol.Symbol`.
    """

    #: Set in the same way by `mxlite.viz.notebook`: the symbol as HTML.
    _picture: ClassVar[Callable[[Symbol], str] | None] = None

    __slots__ = ("__weakref__", "_graph")

    def __init__(self, entries: Iterable[Entry]):
        self._graph = Graph(entries)

    # What it consists of.

    @property
    def graph(self) -> Graph:
        """The graph whose outputs these are."""
        return self._graph

    handle = graph

    @property
    def name(self) -> str | None:
        """The name of the node, or None for outputs of several nodes."""
        nodes = {id(e.node) for e in self._graph.entries}
        return self._graph.entries[0].node.name if len(nodes) == 1 else None

    def __repr__(self) -> str:
        name = self.name
        if name is not None:
            return f"<Symbol {name}>"
        return f"<Symbol group [{', '.join(e.node.name for e in self._graph.entries)}]>"

    def _repr_html_(self) -> str | None:
        """The picture of the network, for notebooks."""
        return None if Symbol._picture is None else Symbol._picture(self)

    def __len__(self) -> int:
        return len(self._graph.entries)

    def __iter__(self) -> Iterator[Symbol]:
        return (Symbol([e]) for e in self._graph.entries)

    def __getitem__(self, index: int | str | slice) -> Symbol:
        """An output by number or by name (``fc1_output``); several by a slice, whose ends do not count from the back.

        Raises:
            ValueError: no output, or more than one, has the name.
            IndexError: the number is too large.
            MXNetError: the number is negative.
            TypeError: the slice is empty, or `index` is none of these.
        """
        entries = self._graph.entries
        if isinstance(index, slice):
            stop = len(entries) if index.stop is None else index.stop
            numbers = range(index.start or 0, stop, 1 if index.step is None else index.step)
            if not numbers:
                raise TypeError(f"the slice {index} of {len(entries)} outputs is empty")
            return Symbol([e for i in numbers for e in self[i]._graph.entries])
        if isinstance(index, str):
            return Symbol([entries[self._position(index)]])
        if not hasattr(index, "__index__"):
            raise TypeError(f"a Symbol is indexed by a number, a name or a slice, not by {index!r}")
        number = index.__index__()
        if number >= len(entries):
            names = ", ".join(self.list_outputs()[:20])
            raise IndexError(f"{self!r} has no output {number}; it has {len(entries)}, from 0 on: {names}")
        if number < 0:
            raise MXNetError(f"{self!r}: output {number}; only numbers from 0 to {len(entries) - 1} are allowed")
        return Symbol([entries[number]])

    def _position(self, name: str) -> int:
        names = self.list_outputs()
        if names.count(name) > 1:
            raise ValueError(f'There are multiple outputs with name "{name}"; choose one by number')
        if name not in names:
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            near = nearest(f"{name}_output", names) or nearest(name, names)
            raise ValueError(f'Cannot find output that matches name "{name}"{near}; outputs are: {shown}')
        return names.index(name)

    def list_arguments(self) -> list[str]:
        """Names of the arguments, in the order of a depth-first walk over the inputs."""
        return self._graph.argument_names

    def list_outputs(self) -> list[str]:
        """Names of the outputs, such as ``fc1_output``."""
        return self._graph.output_names

    def list_auxiliary_states(self) -> list[str]:
        """Names of the auxiliary states: what operators write in training, such as moving averages."""
        return self._graph.aux_names

    def list_inputs(self) -> list[str]:
        """Names of all variables, auxiliary states included."""
        return [n.name for n in self._graph.nodes if n.is_variable]

    def get_internals(self) -> Symbol:
        """All outputs of all nodes; choose one by name to cut a network there."""
        return Symbol(self._graph.internals().entries)

    def get_children(self) -> Symbol | None:
        """The inputs of the node, or None for a variable."""
        nodes = dict.fromkeys(e.node for e in self._graph.entries)
        inputs = [e for node in nodes for e in node.inputs]
        return Symbol(inputs) if inputs else None

    def debug_str(self) -> str:
        """The graph as text, a node a paragraph."""
        return debug_text(self._graph)

    # Attributes.

    def attr(self, key: str) -> str | None:
        """The attribute `key` of the node, or None; ``lr_mult`` also finds ``__lr_mult__``, ``name`` is its name."""
        if self.name is None or key == "name":
            return self.name
        return self._one_node().attrs.get(stored_name(key))

    def list_attr(self, recursive: bool = False) -> dict[str, str]:
        """The attributes of the node; of a group, those of the first.

        Hidden ones appear under both names, ``__lr_mult__`` and ``lr_mult``.
        """
        if recursive:
            raise DeprecationWarning("list_attr(recursive=True) has been deprecated; use attr_dict()")
        return _shown(self._graph.entries[0].node)

    def attr_dict(self) -> dict[str, dict[str, str]]:
        """The attributes of all nodes that have any, by node name; nodes of one name share an entry."""
        found: dict[str, dict[str, str]] = {}
        for node in self._graph.nodes:
            if node.attrs:
                found.setdefault(node.name, {}).update(_shown(node))
        return found

    def _set_attr(self, **kwargs: str) -> None:
        """Set attributes of the node: user attributes, or parameters of its operator; `name` is its name.

        Raises:
            ValueError: a value is no text.
            MXNetError: the symbol is a group, or the operator has no such parameter.
        """
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"Set Attr only accepts string values, got {key}={value!r}")
        node = self._one_node()
        name = kwargs.pop("name", node.name)
        attrs = {**node.attrs, **{stored_name(k): v for k, v in kwargs.items()}}
        if node.op is not None:
            params = node.op.bind(own_attrs(node.op, attrs), node.name)
            node.params = node.op.with_graphs(params, node.subgraphs, node.name)
        if node.op is not None or name != node.name:
            self._graph = Graph(self._graph.entries)  # programs are cached on the graph; this one is another now
        node.attrs, node.name = attrs, name

    def _one_node(self) -> Node:
        if self.name is None:
            raise MXNetError(
                f"{self!r} has outputs of several nodes; attributes can be set on one, for example self[0]"
            )
        return self._graph.entries[0].node

    # Composition and copies.

    def __call__(self, *args: Symbol, name: str | None = None, **kwargs: Symbol) -> Symbol:
        """A copy in which variables are replaced: ``net2(data2=net1, name="joined")``.

        Args:
            name: a new name for the node of the (first) output, by which a variable is then known.
            kwargs: symbols with one output, by the name of the variable they replace.

        Raises:
            TypeError: something is no Symbol, or both kinds of arguments are given.
            MXNetError: there is no variable of that name, or the inputs are given by position.
        """
        if args and kwargs:
            raise TypeError("compose only accepts input Symbols either as positional or keyword arguments, not both")
        for given in (*args, *kwargs.values()):
            if not isinstance(given, Symbol):
                raise TypeError(f"Compose expects `Symbol` as arguments, got {given!r}")
        first = self._graph.entries[0].node
        names = [name if name and n is first else n.name for n in self._graph.nodes if n.is_variable]
        legal = f"inputs are: {', '.join(names)}" if len(self) > 1 or first.inputs else "it has no inputs to replace"
        if args:
            problem = "a composed symbol takes its inputs by keyword"
            raise MXNetError(explain(problem, op=self.name or "Group", hint=legal))
        replaced = {}
        for key, symbol in kwargs.items():
            if key not in names or not (len(self) > 1 or first.inputs):
                problem = f"no variable {key!r} to replace{nearest(key, names)}"
                raise MXNetError(explain(problem, op=self.name or "Group", hint=legal))
            replaced[key] = single(symbol._graph.entries, f"the symbol for {key!r}")
        aux = set(self.list_auxiliary_states())
        for key, entry in replaced.items():
            if key in aux and not entry.node.is_variable:
                raise MXNetError(
                    f"{key} is an auxiliary state and can only be replaced by a variable, not by {entry.name!r}"
                )
        return Symbol(graph_copy(self._graph, replaced, name))

    def __copy__(self) -> Symbol:
        """A copy that shares no node with this symbol."""
        return Symbol(graph_copy(self._graph, {}))

    def __deepcopy__(self, memo: Any) -> Symbol:
        return Symbol(graph_copy(self._graph, {}))

    def __getstate__(self) -> dict[str, str]:
        return {"handle": self.tojson(remove_amp_cast=False)}

    def __setstate__(self, state: dict[str, str]) -> None:
        self._graph = mark(graph_from_json(state["handle"]))

    def as_np_ndarray(self) -> NoReturn:
        """Not there: mxlite has the classic operators, and no `mx.np`. Raises MXNetError."""
        raise MXNetError("as_np_ndarray: there is no mx.np here; the operators of mx.sym do the same")

    # Shapes and types.

    def infer_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes of arguments, outputs and auxiliary states from those that are known, in both directions.

        Args:
            args: shapes in the order of `list_arguments`; None for unknown ones.
            kwargs: shapes by name. A size of 0 is unknown.

        Returns:
            Three lists of tuples; or (None, None, None) with a warning when they cannot all be decided.

        Raises:
            TypeError: a shape is no tuple.
            MXNetError: shapes contradict, or a name is unknown.
        """
        return inference.shapes(self._graph, args, kwargs)

    def infer_shape_partial(self, *args: Any, **kwargs: Any) -> Any:
        """As `infer_shape`, but what is unknown stays () or has zeros."""
        return inference.shapes_partial(self._graph, args, kwargs)

    def infer_type(self, *args: Any, **kwargs: Any) -> Any:
        """dtypes of arguments, outputs and auxiliary states, as numpy types, from those that are known.

        Args:
            args: dtypes in the order of `list_arguments`; None for unknown ones.
            kwargs: dtypes by name.

        Returns:
            Three lists; or (None, None, None) with a warning when they cannot all be decided.

        Raises:
            TypeError: a value is no dtype.
            MXNetError: dtypes contradict, or a name is unknown.
        """
        return inference.dtypes(self._graph, args, kwargs)

    def infer_type_partial(self, *args: Any, **kwargs: Any) -> Any:
        """As `infer_type`, but what is unknown is None."""
        return inference.dtypes_partial(self._graph, args, kwargs)

    # Files.

    def tojson(self, remove_amp_cast: bool = True) -> str:
        """The text that MXNet 1.9.1 writes for this symbol.

        Args:
            remove_amp_cast: leave out the casts that automatic mixed precision put in.
        """
        graph = without_amp_cast(self._graph) if remove_amp_cast else self._graph
        return graph_to_json(graph)

    def save(self, fname: str | os.PathLike[str], remove_amp_cast: bool = True) -> None:
        """Write `tojson` to the file `fname`, which is either the old one or the new one at any time.

        Raises:
            TypeError: `fname` is no file name.
            MXNetError: the file cannot be written.
        """
        atomic_write(_file_name(fname), self.tojson(remove_amp_cast).encode())


def _shown(node: Node) -> dict[str, str]:
    hidden = {key: node.attrs[f"__{key}__"] for key in HIDDEN if f"__{key}__" in node.attrs}
    return {**node.attrs, **hidden}


def _file_name(fname: Any) -> str:
    if not isinstance(fname, str | os.PathLike):
        raise TypeError(f"fname needs to be a string, got {fname!r}")
    return os.fspath(fname)


def without_amp_cast(graph: Graph) -> Graph:
    """`graph` without amp_cast and amp_multicast nodes."""

    if not any(n.op is not None and n.op.name in ("amp_cast", "amp_multicast") for n in graph.nodes):
        return graph
    new: dict[Entry, Entry] = {}
    for node in graph.nodes:
        inputs = tuple(new[e] for e in node.inputs)
        if node.op is not None and node.op.name in ("amp_cast", "amp_multicast"):
            new.update(zip(node.entries(), inputs, strict=True))
            continue
        kept = node if inputs == node.inputs else node.with_inputs(inputs)
        new.update({e: Entry(kept, e.index) for e in node.entries(hidden=True)})
    return Graph(new[e] for e in graph.entries)


def load_json(json_str: str) -> Symbol:
    """The symbol that a JSON text describes; any dialect that MXNet wrote since 0.8.

    Raises:
        TypeError: `json_str` is no text.
        MXNetError: the text is no symbol, or uses operators or parameters that do not exist.
    """
    if not isinstance(json_str, str | bytes):
        raise TypeError(f"json_str is required to be a string, got {type(json_str).__name__}")
    return Symbol(mark(graph_from_json(json_str)).entries)


def load(fname: str | os.PathLike[str]) -> Symbol:
    """The symbol in a file that `Symbol.save` or MXNet wrote.

    Raises:
        TypeError: `fname` is no file name.
        MXNetError: the file cannot be read, or holds no symbol; the message names the file and the place.
    """
    path = _file_name(fname)
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as e:
        raise MXNetError(f"cannot read the symbol file {path!r}: {e.strerror or e}") from e
    return Symbol(mark(graph_from_json(text, path)).entries)
