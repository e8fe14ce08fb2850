# SPDX-License-Identifier: Apache-2.0
"""``mxlite plot net-symbol.json --shape data=1,1,28,28 -o net.svg``: a picture of a network."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mxlite_compiler._atomic import atomic_write

from ..base import MXNetError
from ..symbol.symbol import load
from ..viz.network import network_of
from ..viz.svg import to_svg
from .arguments import fixed_shape


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("plot", help="a picture of a network, as SVG or as DOT text")
    p.add_argument("symbol", metavar="NET-symbol.json", help="the network")
    p.add_argument(
        "--shape", action="append", type=fixed_shape, default=[], metavar="NAME=SIZE,...", help="shape of an input"
    )
    p.add_argument("--weights", action="store_true", help="show weights, too")
    p.add_argument("--all", action="store_true", help="draw blocks that repeat as often as they come")
    p.add_argument(
        "-o", "--output", metavar="FILE", help="FILE.svg or FILE.dot; by default the network's name with .svg"
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the picture. MXNetError when the file, a shape, or the kind of picture is wrong."""
    symbol = load(args.symbol)
    path = args.output or os.path.basename(args.symbol).removesuffix(".json").removesuffix("-symbol") + ".svg"
    if not path.endswith((".svg", ".dot", ".gv")):
        raise MXNetError(f"{path}: a picture is written as .svg, or as .dot for graphviz")
    try:
        network = network_of(symbol, os.path.basename(path), dict(args.shape) or None, hide_weights=not args.weights)
    except ValueError as e:
        raise MXNetError(f"{args.symbol}: {e}: --shape NAME=SIZE,...") from None
    text = to_svg(network, fold=False if args.all else None) if path.endswith(".svg") else network.dot()
    try:
        atomic_write(path, text.encode())
    except OSError as e:
        raise MXNetError(f"{path} cannot be written: {e.strerror}") from None
    print(path)
