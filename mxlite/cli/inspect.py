# SPDX-License-Identifier: Apache-2.0
"""``mxlite inspect net.mxhlo``: what an exported network takes and returns."""

from __future__ import annotations

import argparse
from typing import Any

from mxlite_compiler.artefact import load_artefact


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("inspect", help="inputs, outputs and platforms of an exported network")
    p.add_argument("artefact", metavar="NET.mxhlo")
    p.add_argument("--text", action="store_true", help="print its StableHLO module, too")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the description. MXNetError when the file is damaged."""
    artefact = load_artefact(args.artefact)
    print(artefact.describe())
    if args.text:
        print(artefact.text())
