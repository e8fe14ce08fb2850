# SPDX-License-Identifier: Apache-2.0
"""``mxlite predict net.mxhlo input.npz``: run an exported network on arrays from a file."""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mxlite_compiler._atomic import atomic_write
from mxlite_compiler.artefact import load_artefact

from ..base import MXNetError


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("predict", help="run an exported network")
    p.add_argument("artefact", metavar="NET.mxhlo")
    p.add_argument("input", metavar="INPUT.npz", help="arrays by input name; a .npy file where there is one input")
    p.add_argument("-o", "--output", metavar="OUT.npz", help="write the outputs there, by name; otherwise print them")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the outputs or write them. MXNetError when a file is damaged or an array does not fit."""
    artefact = load_artefact(args.artefact)
    arrays = read_arrays(args.input, artefact.input_names)
    outputs = {n: np.asarray(x) for n, x in zip(artefact.output_names, artefact(arrays), strict=True)}
    if args.output is None:
        for name, value in outputs.items():
            print(f"{name}: {value.dtype.name}[{', '.join(map(str, value.shape))}]")
            print(np.array2string(value, precision=6, suppress_small=True, threshold=200))
        return
    out = io.BytesIO()
    plain: dict[str, Any] = {n: v.astype(np.float32) if v.dtype.name == "bfloat16" else v for n, v in outputs.items()}
    np.savez(out, **plain)
    atomic_write(args.output, out.getvalue())
    shapes = ", ".join(f"{n} {tuple(v.shape)}" for n, v in outputs.items())
    print(f"wrote {args.output}: {shapes}")


def read_arrays(path: str, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """The arrays of an ``.npz`` by name; a file with one unnamed array is that of the only input.

    Raises:
        MXNetError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            content = np.load(file, allow_pickle=False)
            arrays = {"arr_0": content} if isinstance(content, np.ndarray) else dict(content)
    except OSError as e:
        raise MXNetError(f"cannot open {path!r}: {e.strerror or e}") from e
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as e:
        # What numpy cannot read it takes for a pickle, and speaks of trust.
        reason = "write it with numpy.savez" if "pickle" in str(e) else e
        raise MXNetError(f"{path!r} is no file of numpy arrays: {reason}") from None
    if list(arrays) == ["arr_0"] and len(names) == 1:
        return {names[0]: arrays["arr_0"]}
    return arrays
