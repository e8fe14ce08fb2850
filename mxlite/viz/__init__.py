# SPDX-License-Identifier: Apache-2.0
"""`mx.viz`: networks as tables and as pictures."""

from __future__ import annotations

from . import notebook as notebook
from .network import plot_network as plot_network
from .summary import print_summary as print_summary
