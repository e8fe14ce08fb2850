# SPDX-License-Identifier: Apache-2.0
"""The cells under the name of MXNet's module (`mx.rnn.rnn_cell`)."""

from __future__ import annotations

from .base import BaseRNNCell as BaseRNNCell
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
from .modifiers import ModifierCell as ModifierCell
from .modifiers import ResidualCell as ResidualCell
from .modifiers import ZoneoutCell as ZoneoutCell
from .stacked import BidirectionalCell as BidirectionalCell
from .stacked import SequentialRNNCell as SequentialRNNCell
