# SPDX-License-Identifier: Apache-2.0
"""The networks of MXNet 1.9.1, exported with a dynamic batch: the numbers MXNet computed, and any other batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite_compiler  # noqa: F401  (registers the operators)
from mxlite.serialize import read_list
from mxlite_compiler.artefact import load_artefact
from mxlite_compiler.export import export_graph
from mxlite_compiler.json import graph_from_json
from tests.archives import read_npz

pytest.importorskip("flatbuffers")
NETS = Path(__file__).parents[1] / "golden" / "nets"
#: Which axis of the inputs is the batch.
BATCH_AXIS = {"mlp": 0, "lenet": 0, "resnet18v2": 0, "inception_bn": 0, "lstm_lm_unrolled": 0, "grouped_outputs": 0,
              "attributes": 0}  # fmt: skip


def read_net(name: str) -> tuple[Any, dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    graph = graph_from_json((NETS / f"{name}-symbol.json").read_text(), name)
    arrays, names = read_list((NETS / f"{name}-0000.params").read_bytes(), name)
    params = {n: a.values for n, a in zip(names, arrays, strict=True)}
    data = {n: v for n, v in read_npz(NETS / f"{name}.inputs.npz").items() if "label" not in n}
    return graph, params, data, read_npz(NETS / f"{name}.outputs.npz")


@pytest.mark.parametrize("name", BATCH_AXIS)
def test_exported_with_any_batch(name: str, tmp_path: Path):
    graph, params, data, expected = read_net(name)
    data = {n: v for n, v in data.items() if f"arg:{n}" not in params}
    axis = BATCH_AXIS[name]
    shapes = {n: tuple("batch" if i == axis else d for i, d in enumerate(v.shape)) for n, v in data.items()}
    platforms = ("cpu", "cuda", "tpu") if name == "lenet" else ("cpu",)  # each costs time
    dtypes = {n: v.dtype.name for n, v in data.items()}
    export_graph(graph, params, shapes, dtypes, platforms=platforms).save(tmp_path / "net.mxhlo")
    net = load_artefact(tmp_path / "net.mxhlo")
    assert net.platforms == platforms and net.output_names == graph.output_names
    outputs = dict(zip(net.output_names, map(np.asarray, net(data)), strict=True))
    for output, value in outputs.items():
        np.testing.assert_allclose(value, expected[f"predict/{output}"], rtol=1e-4, atol=1e-5)
    twice = net({n: np.concatenate([v, v], axis) for n, v in data.items()})
    size = data[next(iter(data))].shape[axis]
    for output, value in zip(net.output_names, map(np.asarray, twice), strict=True):
        if len(value) == 2 * len(outputs[output]):
            first = value[: len(value) // 2]
            np.testing.assert_allclose(first, outputs[output], rtol=1e-4, atol=1e-5)
        else:
            assert value.shape[0] != 2 * size  # a sum over the batch
