# SPDX-License-Identifier: Apache-2.0
"""Mixed precision: which nodes compute in 16 bits, and the casts between them and the others.

The operators are sorted by lists (`OpLists`). Those in `low` read 16 bits and give 16 bits; those in `wide` read and
give float32; those in `widest` read arrays of one dtype, the widest that is among them; all others take what comes.
Names and places of the casts are those of MXNet 1.9.1, so that files are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..errors import MXNetError
from ..graph import Entry, Graph, Node
from ..op import get_op

WIDE = "float32"

#: Operators whose outputs have names in MXNet, which the names of casts are made of; those of others have numbers.
NAMED_OUTPUTS = frozenset(
    """
    Activation BatchNorm BatchNorm_v1 BilinearSampler Concat Convolution Convolution_v1 Correlation Crop
    Custom Deconvolution Dropout FullyConnected GridGenerator GroupNorm IdentityAttachKLSparseReg InstanceNorm
    L2Normalization LRN LayerNorm LeakyReLU MakeLoss Pad Pooling Pooling_v1 RNN ROIPooling SVMOutput
    SequenceLast SequenceMask SequenceReverse SliceChannel SoftmaxActivation SoftmaxOutput SpatialTransformer
    SwapAxis UpSampling _contrib_DeformableConvolution _contrib_DeformablePSROIPooling
    _contrib_MultiBoxDetection _contrib_MultiBoxPrior _contrib_MultiBoxTarget _contrib_MultiProposal
    _contrib_PSROIPooling _contrib_Proposal _contrib_ROIAlign _contrib_RROIAlign _contrib_SyncBatchNorm
    _contrib_index_array _contrib_interleaved_matmul_encdec_qk _contrib_interleaved_matmul_encdec_valatt
    _contrib_interleaved_matmul_selfatt_qk _contrib_interleaved_matmul_selfatt_valatt _rnn_param_concat col2im
    elemwise_add im2col make_loss softmax softmin
    """.split()
)


class OpLists(NamedTuple):
    """How operators are sorted; names are those that files have.

    Attributes:
        low: operators that compute in 16 bits.
        wide: operators that compute in float32.
        conditional: ``{operator: {parameter: texts}}``: in float32 where a parameter is given as one of the texts.
        widest: operators whose inputs are cast to the widest dtype among them.
    """

    low: frozenset[str]
    wide: frozenset[str]
    conditional: Mapping[str, Mapping[str, frozenset[str]]]
    widest: frozenset[str]

    def wants_wide(self, node: Node) -> bool:
        """Whether `node` computes in float32 by its operator or its parameters."""
        name = node.op.name if node.op is not None else ""
        asked = self.conditional.get(name, {})
        return name in self.wide or any(node.attrs.get(key) in texts for key, texts in asked.items())


def mixed_precision(
    graph: Graph, dtype: str, lists: OpLists, excluded: Iterable[str] = (), stored: Iterable[str] = ()
) -> tuple[Graph, frozenset[str]]:
    """`graph` with casts, computing partly in `dtype`; its outputs and variables are float32 as before.

    Args:
        graph: a graph of float32 variables.
        dtype: float16 or bfloat16.
        lists: which operators compute how.
        excluded: names of nodes that compute in float32 whatever the lists say.
        stored: variables that may be stored in `dtype`, instead of being cast where 16 bits are read.

    Returns:
        The new graph, and which of `stored` it takes in `dtype`.

    Source: the graphs that `mxnet.contrib.amp.convert_symbol` gives.
    """
    made = _Pass(dtype, lists, frozenset(excluded), frozenset(stored))
    return made.run(graph), frozenset(made.narrowed)


class _Pass:
    """The new entries of one run: as they are, and those known to be in 16 bits or in float32."""

    def __init__(self, dtype: str, lists: OpLists, excluded: frozenset[str], stored: frozenset[str]):
        self.dtype, self.lists, self.excluded, self.stored = dtype, lists, excluded, stored
        self.plain: dict[Entry, Entry] = {}
        self.low: dict[Entry, Entry] = {}
        self.wide: dict[Entry, Entry] = {}
        self.narrowed: set[str] = set()

    def run(self, graph: Graph) -> Graph:
        for node in graph.nodes:
            if node.op is None:
                self.plain[Entry(node)] = Entry(node)
            elif node.name in self.excluded or self.lists.wants_wide(node):
                self._add(node, [self.as_wide(e) for e in node.inputs], [WIDE] * node.num_outputs)
            elif node.op.name in self.lists.low:
                self._add_low(node)
            elif node.op.name in self.lists.widest:
                self._add_widest(node)
            else:
                self._add_other(node)
        return Graph(self._output(e) for e in graph.entries)

    def _output(self, e: Entry) -> Entry:
        """An output in float32, by a cast even of a variable: what is known of those is only that they should be."""
        return self.wide.setdefault(e, self._cast(e, WIDE)) if e.node.is_variable else self.as_wide(e)

    def _add(self, node: Node, inputs: list[Entry], outputs: Iterable[str | None]) -> None:
        """Rebuild `node` on `inputs`; `outputs` are the dtypes of what it gives, as far as known."""
        new = node if inputs == list(node.inputs) else node.with_inputs(inputs)
        for old, dtype in zip(node.entries(hidden=True), outputs, strict=True):
            entry = self.plain[old] = Entry(new, old.index)
            if dtype == self.dtype:
                self.low[old] = entry
            elif dtype == WIDE:
                self.wide[old] = entry

    def _add_low(self, node: Node) -> None:
        wanted, outputs = _inferred(node, [self.dtype, *[None] * (len(node.inputs) - 1)])
        aux = set(node.op.aux_states(node.params)) if node.op is not None else set()
        names = node.op.inputs(node.params) if node.op is not None else ()
        inputs = [
            self.as_low(e) if dtype in (None, self.dtype) and name not in aux else self.plain[e]
            for e, dtype, name in zip(node.inputs, wanted, names, strict=True)
        ]
        self._add(node, inputs, outputs)

    def _add_widest(self, node: Node) -> None:
        for found, dtype in ((self.low, self.dtype), (self.wide, WIDE)):
            if node.inputs and all(e in found for e in node.inputs):
                self._add(node, [found[e] for e in node.inputs], [dtype] * node.num_outputs)
                return
        if all(e.node.is_variable and e.node.name in self.stored for e in node.inputs):
            self.narrowed.update(e.node.name for e in node.inputs)
        count = len(node.inputs)
        cast = Node(
            get_op("amp_multicast"),
            f"{_name(node.inputs[0])}_amp_multicast" if count else node.name,
            {"num_outputs": count},
            [self.plain[e] for e in node.inputs],
            origin=node.origin,
        )
        self._add(node, list(cast.entries()), [None] * node.num_outputs)

    def _add_other(self, node: Node) -> None:
        dtypes = [self._dtype(e) for e in node.inputs]
        if not any(dtypes):
            self._add(node, [self.plain[e] for e in node.inputs], [None] * node.num_outputs)
            return
        known = [d or (WIDE if e.node.is_variable else None) for d, e in zip(dtypes, node.inputs, strict=True)]
        try:
            _, outputs = _inferred(node, known)
        except MXNetError:
            # It takes one dtype for all: a weight beside 16-bit data, where MXNet gives up; or a body with weights.
            if node.subgraphs:
                self._add(node, [self.as_wide(e) for e in node.inputs], [WIDE] * node.num_outputs)
            else:
                self._add_low(node)
            return
        self._add(node, [self.plain[e] for e in node.inputs], outputs)

    def _dtype(self, e: Entry) -> str | None:
        """The dtype of an entry as it is, where this pass knows it."""
        if self.low.get(e) == self.plain[e]:
            return self.dtype
        return WIDE if self.wide.get(e) == self.plain[e] else None

    def as_low(self, e: Entry) -> Entry:
        """`e` in 16 bits."""
        if e not in self.low:
            stored = e.node.is_variable and e.node.name in self.stored
            if stored:
                self.narrowed.add(e.node.name)
            self.low[e] = self.plain[e] if stored else self._cast(e, self.dtype)
        return self.low[e]

    def as_wide(self, e: Entry) -> Entry:
        """`e` in float32, which variables are."""
        if e.node.is_variable:
            return self.plain[e]
        if e not in self.wide:
            self.wide[e] = self._cast(e, WIDE)
        return self.wide[e]

    def _cast(self, e: Entry, dtype: str) -> Entry:
        name = f"{_name(e)}_amp_cast_{dtype}"
        return Entry(Node(get_op("amp_cast"), name, {"dtype": dtype}, [self.plain[e]], origin=e.node.origin))


def _inferred(node: Node, inputs: list[str | None]) -> tuple[list[Any], list[Any]]:
    assert node.op is not None
    ins, outs = node.op.infer_dtype(node.params, inputs, [None] * node.num_outputs, node.name)
    return list(ins), list(outs)


def _name(e: Entry) -> str:
    """What MXNet calls an entry where it names a cast."""
    if e.node.op is None:
        return e.node.name
    return e.name if e.node.op.name in NAMED_OUTPUTS else f"{e.node.name}_{e.index}"
