# SPDX-License-Identifier: Apache-2.0
"""Arguments in, exit code out: 0 done, 1 the answer is no, 2 the user must change something, 130 interrupted."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from ..base import MXNetError
from . import doctor, export, im2rec, inspect, launch, ops, plot, predict, summary

_COMMANDS = (summary, plot, export, predict, inspect, ops, im2rec, launch, doctor)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(prog="mxlite", description="Apache MXNet 1.x networks on JAX and XLA.")
    top.add_argument("--traceback", action="store_true", help="show where in the program an error comes from")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, by default that of the process; returns the exit code.

    What the user got wrong is one message on the standard error output, without a traceback.
    """
    try:
        args = parser().parse_args(argv)
    except SystemExit as e:  # argparse's way to end: 0 after --help, 2 after an error
        return int(e.code or 0)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"mxlite: warning: {message}", file=sys.stderr)
        try:
            code = args.run(args)
            sys.stdout.flush()
            return code or 0
        except MXNetError as e:
            if args.traceback:
                raise
            print(f"mxlite {args.command}: error: {e}", file=sys.stderr)
            return 2
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            print(f"mxlite {args.command}: interrupted", file=sys.stderr)
            return 130
    return 0
