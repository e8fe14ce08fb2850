# SPDX-License-Identifier: Apache-2.0
"""MXNet's symbol JSON to and from `Graph`: every dialect since 0.8 in, the text of MXNet 1.9.1 out, to the letter."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from .errors import MXNetError, nearest
from .graph import Entry, Graph, Node
from .legacy import OLDEST, VERSION, Record, upgrade
from .op import OPS

_GRAPH_FIELDS = ("nodes", "arg_nodes", "node_row_ptr", "heads", "attrs")
_NODE_FIELDS = ("op", "name", "param", "attr", "attrs", "inputs", "subgraphs", "control_deps", "backward_source_id")


def graph_from_json(text: str | bytes, source: str = "symbol JSON") -> Graph:
    """The graph that a ``-symbol.json`` file describes.

    Args:
        text: the file's content.
        source: how errors call the file.

    Raises:
        MXNetError: the text is no JSON (line and column are told), no symbol (the place is told, such as
            ``nodes[3].inputs[1]``), uses operators that are not registered (with the nearest names), or parameters
            that their operators do not have.
    """
    data = _parse(text, source)
    reader = _Reader(source)
    reader.version = reader.read_version(data)
    if reader.version > VERSION:
        writer = _version_text(reader.version)
        warnings.warn(f"{source} was written by MXNet {writer}; mxlite knows 1.9.1", stacklevel=2)
    try:
        return reader.graph(data, "")
    except RecursionError:
        raise MXNetError(f"{source}: subgraphs are nested too deeply") from None


class Use(NamedTuple):
    """A node of a file that calls an operator, registered or not: where it stands, its name, the operator's name.

    `attrs` is what the file says about it, as it stands there.
    """

    place: str
    node: str
    op: str
    attrs: Mapping[str, Any]


def used_operators(text: str | bytes, source: str = "symbol JSON") -> list[Use]:
    """The operators that a ``-symbol.json`` file uses, in its order, those in subgraphs included.

    Unlike `graph_from_json` it also reads files that cannot be loaded because operators are missing.

    Raises:
        MXNetError: the text is no JSON, or has no list of nodes with an operator and a name each.
    """
    try:
        return list(_Reader(source).uses(_parse(text, source), ""))
    except RecursionError:
        raise MXNetError(f"{source}: subgraphs are nested too deeply") from None


def _parse(text: str | bytes, source: str) -> Any:
    try:
        # MXNet writes control characters as they are, which strict JSON forbids.
        return json.loads(text, strict=False)
    except json.JSONDecodeError as e:
        around = e.doc[max(0, e.pos - 20) : e.pos + 20]
        end = " (the text ends there)" if e.pos >= len(e.doc.rstrip()) else f", near {around!r}"
        raise MXNetError(f"{source} is not JSON: {e.msg} at line {e.lineno}, column {e.colno}{end}") from None
    except UnicodeDecodeError as e:
        raise MXNetError(f"{source} is not UTF-8 text: byte {e.start} is {e.object[e.start]:#x}") from None
    except RecursionError:
        raise MXNetError(f"{source} is nested too deeply for a symbol") from None
    except ValueError as e:  # an integer of thousands of digits
        raise MXNetError(f"{source} is not JSON: {e}") from None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _version_text(version: int) -> str:
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}"


class _Reader:
    """Checks and builds; every problem is told with its place in the file."""

    def __init__(self, source: str):
        self.source, self.version = source, OLDEST

    def error(self, place: str, problem: str) -> MXNetError:
        return MXNetError(f"{self.source}: {place + ': ' if place else ''}{problem}")

    def expect(self, value: Any, kind: type, place: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            words = {dict: "an object", list: "a list", str: "a text", int: "an integer"}
            shown = json.dumps(value, default=str)
            raise self.error(place, f"expected {words[kind]}, got {shown if len(shown) < 60 else shown[:57] + '...'}")
        if kind is str and not _is_text(value):
            raise self.error(place, f"half of a surrogate pair in {ascii(value)[:60]}")
        return value

    def fields(self, value: Any, known: tuple[str, ...], required: tuple[str, ...], place: str) -> dict[str, Any]:
        found = self.expect(value, dict, place)
        for key in found:
            if key not in known:
                raise self.error(place, f"unknown field {key!r}{nearest(key, known)}; fields are: {', '.join(known)}")
        missing = [key for key in required if key not in found]
        if missing:
            raise self.error(place, f"the field {', '.join(map(repr, missing))} is missing")
        return found

    def read_version(self, data: Any) -> int:
        attrs = self.expect(data, dict, "").get("attrs")
        if attrs is None:
            return OLDEST
        entry = self.expect(attrs, dict, "attrs").get("mxnet_version", ["int", OLDEST])
        if not (isinstance(entry, list) and len(entry) == 2 and type(entry[1]) is int):
            shown = json.dumps(entry, default=str)[:60]
            raise self.error("attrs.mxnet_version", f'expected ["int", number], got {shown}')
        return entry[1]

    def graph(self, data: Any, at: str) -> Graph:
        found = self.fields(data, _GRAPH_FIELDS, ("nodes", "arg_nodes", "heads"), at.rstrip("."))
        raw = self.expect(found["nodes"], list, f"{at}nodes")
        self._check_operators(raw, at)
        records: list[Record] = []
        for i, node in enumerate(raw):
            records.append(self._record(node, records, f"{at}nodes[{i}]"))
        for i, index in enumerate(self.expect(found["arg_nodes"], list, f"{at}arg_nodes")):
            place = f"{at}arg_nodes[{i}]"
            if not 0 <= self.expect(index, int, place) < len(records) or records[index].op is not None:
                raise self.error(place, f"{index} is not the number of a variable")
        heads = self.expect(found["heads"], list, f"{at}heads")
        refs = [self._reference(head, records, f"{at}heads[{i}]") for i, head in enumerate(heads)]
        if not refs:
            raise self.error(f"{at}heads", "a symbol without outputs")
        nodes = self._nodes(records)
        entries = []
        for i, (record, index) in enumerate(refs):
            entries.append(self._entry(nodes[record], index, f"{at}heads[{i}]"))
        return Graph(entries)

    def uses(self, data: Any, at: str) -> Iterator[Use]:
        found = self.fields(data, _GRAPH_FIELDS, ("nodes",), at.rstrip("."))
        for i, value in enumerate(self.expect(found["nodes"], list, f"{at}nodes")):
            place = f"{at}nodes[{i}]"
            node = self.fields(value, _NODE_FIELDS, ("op", "name"), place)
            op, name = self.expect(node["op"], str, f"{place}.op"), self.expect(node["name"], str, f"{place}.name")
            attrs: dict[str, Any] = {}
            for key in ("param", "attrs", "attr"):
                attrs.update(self.expect(node.get(key, {}), dict, f"{place}.{key}"))
            if op != "null":
                yield Use(place, name, op, attrs)
            for k, body in enumerate(self.expect(node.get("subgraphs", []), list, f"{place}.subgraphs")):
                yield from self.uses(body, f"{place}.subgraphs[{k}].")

    def _check_operators(self, raw: list[Any], at: str) -> None:
        """Tell all operators that are missing at once: the user wants to know how far the file is from loading."""
        unknown: dict[str, str] = {}
        for i, node in enumerate(raw):
            op = node.get("op") if isinstance(node, dict) else None
            if isinstance(op, str) and op != "null" and op not in OPS:
                unknown.setdefault(op, f"{at}nodes[{i}] {str(node.get('name'))!r}")
        if unknown:
            lines = [f"{place}: operator {op!r} is not registered{nearest(op, OPS)}" for op, place in unknown.items()]
            raise MXNetError(f"{self.source}: " + "\n  ".join(lines))

    def _record(self, value: Any, records: list[Record], place: str) -> Record:
        found = self.fields(value, _NODE_FIELDS, ("op", "name", "inputs"), place)
        op_name, name = self.expect(found["op"], str, f"{place}.op"), self.expect(found["name"], str, f"{place}.name")
        attrs: dict[str, str] = {}
        for key in ("param", "attrs", "attr"):
            for k, v in self.expect(found.get(key, {}), dict, f"{place}.{key}").items():
                attrs[k] = self.expect(v, str, f"{place}.{key}.{k}")
        if found.get("control_deps"):
            raise self.error(f"{place}.control_deps", "control dependencies between nodes are not supported")
        inputs = self.expect(found["inputs"], list, f"{place}.inputs")
        record = Record(
            None if op_name == "null" else OPS[op_name],
            name,
            attrs,
            [self._reference(entry, records, f"{place}.inputs[{i}]") for i, entry in enumerate(inputs)],
            place=place,
        )
        if record.op is None and record.inputs:
            raise self.error(place, f"the variable {name!r} has inputs")
        for i, body in enumerate(self.expect(found.get("subgraphs", []), list, f"{place}.subgraphs")):
            record.subgraphs.append(self.graph(body, f"{place}.subgraphs[{i}]."))
        try:
            upgrade(record, self.version)
        except MXNetError as e:
            raise self.error(place, str(e)) from None
        return record

    def _reference(self, value: Any, records: list[Record], place: str) -> tuple[Record, int]:
        entry = self.expect(value, list, place)
        if len(entry) not in (2, 3):
            raise self.error(place, f"expected [node, output, version], got {len(entry)} numbers")
        node, output, *_ = (self.expect(n, int, place) for n in entry)
        if not 0 <= node < len(records):
            raise self.error(place, f"node {node} does not stand before it; there are {len(records)} nodes up to here")
        return records[node], output

    def _nodes(self, records: list[Record]) -> dict[Record, Node]:
        made: dict[Record, Node] = {}
        for record in self._with_added(records):
            try:
                inputs = [self._entry(made[r], i, f"{record.place}.inputs") for r, i in record.inputs]
                made[record] = Node(record.op, record.name, record.attrs, inputs, record.subgraphs)
            except MXNetError as e:
                text = str(e)
                raise e if text.startswith(self.source) else self.error(record.place, text) from None
        return made

    def _with_added(self, records: list[Record]) -> Iterable[Record]:
        """The records, each after those that an upgrade added for it."""
        in_file = set(records)
        for record in records:
            for source, _ in record.inputs:
                if source not in in_file:
                    yield source
            yield record

    def _entry(self, node: Node, index: int, place: str) -> Entry:
        if not 0 <= index < node.num_outputs:
            raise self.error(place, f"output {index} of {node.name!r}, which has {node.num_outputs}")
        return Entry(node, index)


def graph_to_json(graph: Graph) -> str:
    """The JSON text that MXNet 1.9.1 writes for `graph`.

    Entries carry the version that MXNet counts for auxiliary states: how many operators have written the variable.
    """
    return _text({**_graph_fields(graph), "attrs": {"mxnet_version": ["int", VERSION]}}, 0)


def _graph_fields(graph: Graph, body: bool = False) -> dict[str, Any]:
    number = {node: i for i, node in enumerate(graph.nodes)}
    writes: dict[Node, int] = {}
    rows, nodes = [0], []

    def entry(e: Entry) -> list[int]:
        return [number[e.node], e.index, writes.get(e.node, 0)]

    for node in graph.nodes:
        read, written = [entry(e) for e in node.inputs], _written(node)
        for position, variable in enumerate(e.node for e in node.inputs):
            if position in written:
                # A variable that a body takes from outside stands in it as a copy, whose versions nobody counts.
                writes[variable] = writes.get(variable, 0) + (not body or "__subgraph_name__" in variable.attrs)
                read[position] = entry(node.inputs[position])
        fields: dict[str, Any] = {"op": "null" if node.op is None else node.op.name, "name": node.name}
        if node.attrs:
            fields["attrs"] = dict(sorted(node.attrs.items()))
        fields["inputs"] = read
        if node.subgraphs:
            fields["subgraphs"] = [_graph_fields(g, body=True) for g in node.subgraphs]
        nodes.append(fields)
        rows.append(rows[-1] + counted_outputs(node))
    return {
        "nodes": nodes,
        "arg_nodes": [number[n] for n in graph.nodes if n.is_variable],
        "node_row_ptr": rows,
        "heads": [entry(e) for e in graph.entries],
    }


#: Outputs of MXNet's kernels that nobody can read (masks, workspaces, indices), the readable ones included. The kernels
#: here do not have them; the running total in a file counts them.
_SCRATCH: dict[str, int] = {
    "BilinearSampler": 2,
    "CTCLoss": 2,
    "Correlation": 3,
    "Dropout": 2,
    "GridGenerator": 2,
    "InstanceNorm": 3,
    "L2Normalization": 2,
    "LRN": 2,
    "ROIPooling": 2,
    "SpatialTransformer": 3,
    "_contrib_BatchNormWithReLU": 4,
    "_contrib_DeformablePSROIPooling": 2,
    "_contrib_MultiProposal": 2,
    "_contrib_Proposal": 2,
    "_contrib_box_nms": 2,
    "_linalg_det": 3,
    "_linalg_slogdet": 4,
    "sort": 2,
}


def counted_outputs(node: Node) -> int:
    """How many outputs MXNet's own kernel has for `node`, those that nobody can read included."""
    op, p = node.op, cast(Any, node.params)
    count = node.num_outputs if op is None else _SCRATCH.get(op.name, 1)
    if op is not None and op.name == "Pooling":
        count += p.pool_type == "max" and bool(p.kernel) and (p.layout is None or p.layout.startswith("NC"))
    elif op is not None and op.name == "LeakyReLU":
        count += p.act_type == "rrelu"
    elif op is not None and op.name == "topk":
        count += p.ret_typ == "value"
    return max(count, node.num_outputs)


def _written(node: Node) -> list[int]:
    """The inputs that are variables whose version the node raises: auxiliary states, and those of update operators."""
    if node.op is None:
        return []
    if node.subgraphs:
        bodies = [(b, n.inputs[i].node.name) for b in node.params.bodies for n in b.graph.nodes for i in _written(n)]
        return [i for i in (b.feeds[name] for b, name in bodies) if node.inputs[i].node.is_variable]
    names = node.op.aux_states(node.params) or ((), node.op.mutates(node.params))[not node.op.aux]
    if not names:
        return []
    inputs = zip(node.op.inputs(node.params), node.inputs, strict=True)
    return [i for i, (n, e) in enumerate(inputs) if n in names and e.node.is_variable]


def _text(value: Any, depth: int) -> str:
    """`value` in MXNet's layout: short lists and objects of one field stay on a line, a space follows each comma."""
    if isinstance(value, Mapping):
        items, brackets = [f"{_quote(k)}: {_text(v, depth + 1)}" for k, v in value.items()], "{}"
        on_lines = len(items) > 1
    elif isinstance(value, list):
        items, brackets = [_text(v, depth + 1) for v in value], "[]"
        on_lines = len(items) > 10 or any(isinstance(v, Mapping) for v in value)
    else:
        return _quote(value) if isinstance(value, str) else str(value)
    if not on_lines:
        return brackets[0] + ", ".join(items) + brackets[1]
    pad = "\n" + "  " * depth
    return brackets[0] + pad + "  " + (", " + pad + "  ").join(items) + pad + brackets[1]


_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def _quote(text: str) -> str:
    """MXNet escapes these five characters and no other."""
    return f'"{text.translate(_ESCAPES)}"'
