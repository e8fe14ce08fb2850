# SPDX-License-Identifier: Apache-2.0
"""``mxlite export PREFIX EPOCH --shape data=batch,1,28,28 -o net.mxhlo``: a checkpoint as a StableHLO artefact."""

from __future__ import annotations

import argparse
from typing import Any

from mxlite_compiler.export import PLATFORMS

from ..deploy import export_checkpoint
from .arguments import named_dtype, named_shape, number


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("export", help="compile a checkpoint into a file that runs with jax alone")
    p.add_argument("prefix", metavar="PREFIX", help="of PREFIX-symbol.json and PREFIX-0000.params")
    p.add_argument("epoch", metavar="EPOCH", type=number)
    p.add_argument(
        "--shape",
        action="append",
        type=named_shape,
        required=True,
        metavar="NAME=SIZE,...",
        help="shape of an input; a size that is a name, such as batch, stays open",
    )
    p.add_argument(
        "--dtype", action="append", type=named_dtype, default=[], metavar="NAME=DTYPE", help="float32 where not given"
    )
    p.add_argument(
        "--platform", action="append", choices=PLATFORMS, help="what it must run on; by default all of these"
    )
    p.add_argument("-o", "--output", metavar="NET.mxhlo", help="the file to write; PREFIX.mxhlo where not given")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the artefact and print what it takes and returns. MXNetError tells what does not work."""
    platforms = args.platform or PLATFORMS
    artefact = export_checkpoint(args.prefix, args.epoch, dict(args.shape), dict(args.dtype), platforms=platforms)
    path = args.output or f"{args.prefix}.mxhlo"
    artefact.save(path)
    print(f"wrote {path}")
    print(artefact.describe())
