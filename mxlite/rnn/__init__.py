# SPDX-License-Identifier: Apache-2.0
"""Recurrent networks of Symbols (`mx.rnn`): cells, sentences in buckets, checkpoints.

A cell makes the graph of one step, or with `unroll` that of a whole sequence. `FusedRNNCell` is one operator for all
layers and steps; `unfuse` gives cells that compute the same, and `unpack_weights` the parameters of either, by gate.
"""

from __future__ import annotations

from .base import BaseRNNCell as BaseRNNCell
from .base import CellError as CellError
from .base import MissingWeight as MissingWeight
from .base import RNNParams as RNNParams
from .cells import GRUCell as GRUCell
from .cells import LSTMCell as LSTMCell
from .cells import RNNCell as RNNCell
from .conv import BaseConvRNNCell as BaseConvRNNCell
from .conv import ConvGRUCell as ConvGRUCell
from .conv import ConvLSTMCell as ConvLSTMCell
from .conv import ConvRNNCell as ConvRNNCell
from .dropout import DropoutCell as DropoutCell
from .fused import FusedRNNCell as FusedRNNCell
from .io import BucketSentenceIter as BucketSentenceIter
from .io import encode_sentences as encode_sentences
from .modifiers import ModifierCell as ModifierCell
from .modifiers import ResidualCell as ResidualCell
from .modifiers import ZoneoutCell as ZoneoutCell
from .rnn import do_rnn_checkpoint as do_rnn_checkpoint
from .rnn import load_rnn_checkpoint as load_rnn_checkpoint
from .rnn import rnn_unroll as rnn_unroll
from .rnn import save_rnn_checkpoint as save_rnn_checkpoint
from .stacked import BidirectionalCell as BidirectionalCell
from .stacked import SequentialRNNCell as SequentialRNNCell

from . import rnn_cell as rnn_cell  # isort: skip
