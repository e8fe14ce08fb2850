# SPDX-License-Identifier: Apache-2.0
"""``mxlite summary net-symbol.json --shape data=1,1,28,28``: the layers, their output shapes, their parameters."""

from __future__ import annotations

import argparse
from typing import Any

from ..base import MXNetError
from ..symbol.symbol import load
from ..viz import print_summary
from .arguments import fixed_shape


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("summary", help="layers, output shapes and parameter counts of a network")
    p.add_argument("symbol", metavar="NET-symbol.json", help="the network")
    p.add_argument(
        "--shape", action="append", type=fixed_shape, default=[], metavar="NAME=SIZE,...", help="shape of an input"
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the table. MXNetError when the file, or a shape, is wrong."""
    symbol = load(args.symbol)
    shapes = dict(args.shape)
    inputs = symbol.list_inputs()
    for name in shapes:
        if name not in inputs:
            raise MXNetError(f"the network has no input {name!r}; it has {', '.join(inputs)}")
    print_summary(symbol, shape=shapes or None)
