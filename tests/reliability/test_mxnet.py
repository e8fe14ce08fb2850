# SPDX-License-Identifier: Apache-2.0
"""MXNet's own way to go on gives MXNet's numbers, with files of either program.

`tests/golden/resume` was recorded by ``python tests/reliability/plain_way.py record tests/golden/resume`` with MXNet
1.9.1: the files after two epochs, and the weights after two more.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from tests.conftest import GOLDEN, Oracle
from tests.reliability import plain_way

pytestmark = pytest.mark.filterwarnings("ignore:Parameters already initialized")  # as MXNet, after Module.load

RECORDED = GOLDEN / "resume"
WEIGHTS = json.loads((RECORDED / "weights.json").read_text())
WAYS = {"states": plain_way.states, "params": plain_way.params}


def assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("optimizer", plain_way.OPTIMIZERS)
def test_on_with_the_files_of_mxnet(optimizer: str, way: str):
    made = WAYS[way](mx, str(RECORDED / optimizer), optimizer)
    assert_close(plain_way.shown(made), WEIGHTS[optimizer][way])


def test_the_states_matter():
    for optimizer, both in WEIGHTS.items():
        assert not np.allclose(both["states"]["fc2_weight"], both["params"]["fc2_weight"], rtol=1e-4), optimizer


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_own_files_are_those_of_mxnet(optimizer: str, tmp_path: Path):
    """After the same two epochs: the same names, arrays and states in them, up to the rounding of sums."""
    plain_way.train(mx, str(tmp_path / optimizer), optimizer)
    own, other = (mx.nd.load(str(folder / f"{optimizer}-0002.params")) for folder in (tmp_path, RECORDED))
    assert_close({k: v.asnumpy() for k, v in own.items()}, {k: v.asnumpy() for k, v in other.items()})
    expected = RECORDED / f"{optimizer}-symbol.json"
    assert mx.sym.load(str(tmp_path / f"{optimizer}-symbol.json")).tojson() == mx.sym.load(str(expected)).tojson()
    for way, run in WAYS.items():
        assert_close(plain_way.shown(run(mx, str(tmp_path / optimizer), optimizer)), WEIGHTS[optimizer][way])


@pytest.mark.oracle
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_mxnet_goes_on_with_what_a_checkpoint_wrote(optimizer: str, tmp_path: Path, oracle: Oracle):
    """`mx.model.Checkpoint` writes files of MXNet: it continues from them to the recorded numbers."""
    module = mx.mod.Module(plain_way.network(mx))
    args, aux = plain_way.start(mx)
    module.fit(
        plain_way.batches(mx), num_epoch=2, optimizer=optimizer, optimizer_params=plain_way.OPTIMIZERS[optimizer],
        arg_params=args, aux_params=aux, checkpoint=mx.model.Checkpoint(tmp_path / "net"),
    )  # fmt: skip
    shutil.copy(plain_way.__file__, tmp_path / "plain_way.py")
    for way in WAYS:
        found = oracle(
            f"import sys; sys.path.insert(0, '.'); import mxnet, plain_way\n"
            f"print(json.dumps(plain_way.shown(plain_way.{way}(mxnet, 'net', {optimizer!r}))))"
        )
        assert_close(found, WEIGHTS[optimizer][way])
