# SPDX-License-Identifier: Apache-2.0
"""Converted networks are those of MXNet 1.9.1 node by node, and compute what it computes (`record.py`)."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.contrib import amp
from tests.archives import read_npz

sys.path.insert(0, str(Path(__file__).resolve().parent))

import amp_cases

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
SYMBOLS = json.loads(gzip.decompress((GOLDEN / "amp" / "symbols.json.gz").read_bytes()))
CASES = amp_cases.cases(mx)
#: The part of 1 that bfloat16 resolves.
EPS = 2.0**-8


@pytest.mark.parametrize("name", CASES)
def test_graphs(name: str) -> None:
    symbol, keywords = CASES[name]
    before = symbol.tojson()
    assert amp_cases.content(amp.convert_symbol(symbol, **keywords)) == SYMBOLS[name]
    assert symbol.tojson() == before


@pytest.mark.parametrize("name", amp_cases.NETS)
def test_networks(name: str) -> None:
    net, args, aux = mx.model.load_checkpoint(str(GOLDEN / "nets" / name), 0)
    for dtype in ("float16", "bfloat16"):
        for stored in (False, True):
            made, new_args, new_aux = amp.convert_model(net, args, aux, dtype, cast_optional_params=stored)
            *graph, low = SYMBOLS[f"{name} {dtype}{' stored' if stored else ''}"]
            assert amp_cases.content(made) == graph
            kinds = {k: np.dtype(v.dtype).name for k, v in {**new_args, **new_aux}.items()}
            assert {k for k, kind in kinds.items() if kind != "float32"} == set(low)
            assert {kinds[k] for k in low} <= {dtype}
            assert all(new_args[k] is args[k] for k in args if k not in low)


def outputs(name: str, dtype: str, stored: bool = False) -> list[np.ndarray]:
    net, args, aux = mx.model.load_checkpoint(str(GOLDEN / "nets" / name), 0)
    made, args, aux = amp.convert_model(net, args, aux, dtype, cast_optional_params=stored)
    given = read_npz(GOLDEN / "nets" / f"{name}.inputs.npz")
    feed: dict[str, Any] = {k: mx.nd.array(given[k]) for k in given if k in made.list_arguments()}
    bound = made.bind(mx.cpu(), {**args, **feed}, aux_states=aux)
    return [out.asnumpy() for out in bound.forward(is_train=False)]


@pytest.mark.parametrize("name", ["lenet", "lstm_lm_unrolled", "mlp", "shared_variables", "grouped_outputs"])
def test_bfloat16_numbers(name: str) -> None:
    recorded = read_npz(GOLDEN / "amp" / "outputs.npz")
    for stored in (False, True):
        for i, out in enumerate(outputs(name, "bfloat16", stored)):
            want = recorded[f"{name}/{i}"]
            assert out.dtype == np.float32
            # Both round after each layer; a value beside the middle of two may go either way.
            np.testing.assert_allclose(out, want, rtol=2 * EPS, atol=EPS * np.abs(want).max())


@pytest.mark.parametrize("name", ["lenet", "mlp", "lstm_lm_fused"])
def test_float16_numbers_are_near_those_of_float32(name: str) -> None:
    recorded = read_npz(GOLDEN / "nets" / f"{name}.outputs.npz")
    want = recorded[next(k for k in recorded if k.startswith("predict/"))]
    (out,) = outputs(name, "float16")
    np.testing.assert_allclose(out, want, rtol=4e-3, atol=2e-3 * np.abs(want).max())
    assert not np.array_equal(out, want)


def test_a_weight_that_must_have_the_dtype_of_its_data_is_cast() -> None:
    """MXNet 1.9.1 cannot convert it: Type inconsistent, Provided = float32, inferred type = float16."""
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    made = amp.convert_symbol(mx.sym.LeakyReLU(fc, act_type="prelu", name="act"))
    assert "act_gamma_amp_cast_float16" in made.tojson(remove_amp_cast=False)
    bound = made.simple_bind(mx.cpu(), data=(2, 4))
    assert {a.dtype for a in bound.arg_arrays} == {np.float32}
    assert bound.forward()[0].dtype == np.float32


def test_files_of_converted_networks(tmp_path: Path) -> None:
    symbol, _ = CASES["network"]
    made = amp.convert_symbol(symbol)
    made.save(str(tmp_path / "a.json"), remove_amp_cast=False)
    assert mx.sym.load(str(tmp_path / "a.json")).tojson(remove_amp_cast=False) == made.tojson(remove_amp_cast=False)
    assert json.loads(made.tojson())["nodes"] == json.loads(symbol.tojson())["nodes"]
