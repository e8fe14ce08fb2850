# SPDX-License-Identifier: Apache-2.0
"""Runs an exported network where mxlite is not installed: needs jax, numpy and flatbuffers, nothing else.

    python examples/serve.py net.mxhlo inputs.npz outputs.npz

Copy `load` into your server: an .mxhlo file is a zip archive of a StableHLO module, its parameters and a description.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import jax.export
import numpy as np


def load(path: str) -> tuple[Callable[[Mapping[str, Any]], dict[str, jax.Array]], dict[str, Any]]:
    """A compiled function ``{input name: array} -> {output name: array}``, and the description of the network."""
    with zipfile.ZipFile(path) as archive:
        meta = json.loads(archive.read("meta.json"))
        module = jax.export.deserialize(bytearray(archive.read("module.bin")))
        stored = np.load(io.BytesIO(archive.read("params.npz")))
        params = {name: jax.device_put(stored[name].view(dtype)) for name, dtype in meta["params"].items()}
    program = jax.jit(module.call)
    dtypes = {spec["name"]: spec["dtype"] for spec in meta["inputs"]}
    names = [spec["name"] for spec in meta["outputs"]]

    def run(inputs: Mapping[str, Any]) -> dict[str, jax.Array]:
        arrays = {name: np.asarray(inputs[name], dtype) for name, dtype in dtypes.items()}
        return dict(zip(names, program(params, arrays), strict=True))

    return run, meta


def main(network: str, inputs: str, outputs: str) -> None:
    run, meta = load(network)
    with np.load(inputs) as arrays:
        results = run(arrays)
    np.savez(outputs, **{name: np.asarray(value) for name, value in results.items()})  # type: ignore[arg-type]
    for kind in ("inputs", "outputs"):
        for spec in meta[kind]:
            print(f"{kind[:-1]:6} {spec['name']}: {spec['dtype']}{spec['shape']}")
    print("mxlite is imported:", any(name.partition(".")[0] in ("mxlite", "mxlite_compiler") for name in sys.modules))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: serve.py NET.mxhlo INPUTS.npz OUTPUTS.npz")
    main(*sys.argv[1:])
