# SPDX-License-Identifier: Apache-2.0
"""State files: MXNet's are read, ours are MXNet's, damaged or hostile ones are clear errors."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite import lr_scheduler, optimizer
from mxlite.optimizer import states
from tests.archives import read_npz

FILES = Path(__file__).parents[1] / "golden/states"
SETTINGS = json.loads((FILES / "states.json").read_text())
SETTINGS = {name: entry for name, entry in SETTINGS.items() if "optimizer" in entry and "keys" in entry}


def flat(state):
    if state is None:
        return []
    return [x for part in state for x in flat(part)] if isinstance(state, tuple) else [state.asnumpy()]


def updater(name):
    entry = SETTINGS[name]
    names = {int(i): n for i, n in entry["index_to_name"].items()}
    made = optimizer.create(entry["optimizer"], rescale_grad=0.25, param_idx2name=names, **entry["params"])
    return optimizer.get_updater(made)


@pytest.mark.parametrize("name", SETTINGS)
def test_reads_mxnet(name):
    expected = read_npz(FILES / f"{name}.expected.npz")
    update = updater(name)
    update.set_states((FILES / f"{name}.states").read_bytes())
    assert sorted(update.states) == [int(key) for key in SETTINGS[name]["keys"]]
    for index, state in update.states.items():
        for part, values in enumerate(flat(state)):
            np.testing.assert_array_equal(values, expected[f"state/{index}/{part}"])


@pytest.mark.parametrize("name", SETTINGS)
def test_round_trip(name):
    update = updater(name)
    update.set_states((FILES / f"{name}.states").read_bytes())
    again = updater(name)
    again.set_states(update.get_states())
    assert update.states.keys() == again.states.keys()
    for index, state in update.states.items():
        for one, other in zip(flat(state), flat(again.states[index]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_reads_an_optimizer():
    update = optimizer.get_updater(optimizer.Adam())
    update.set_states((FILES / "updater_with_optimizer.states").read_bytes())
    assert type(update.optimizer) is optimizer.SGD
    assert update.optimizer.momentum == 0.9
    assert update.optimizer.num_update == 1
    assert update.aggregate_updates
    np.testing.assert_allclose(update.states[0].asnumpy(), np.full((2, 2), -0.01), rtol=1e-6)
    weight = mx.nd.zeros((2, 2))
    update(0, mx.nd.ones((2, 2)), weight)
    assert update.optimizer.num_update == 2
    np.testing.assert_allclose(weight.asnumpy(), np.full((2, 2), -0.019), rtol=1e-6)


def trained(**params):
    made = optimizer.create(params.pop("name", "adam"), param_idx2name={0: "a_weight"}, **params)
    update = optimizer.get_updater(made)
    weight = mx.nd.ones((2, 3))
    update(0, mx.nd.ones((2, 3)), weight)
    return update, weight


def test_optimizer_with_scheduler_goes_on():
    update, weight = trained(lr_scheduler=lr_scheduler.FactorScheduler(1, 0.5, base_lr=0.1), learning_rate=0.1)
    other = optimizer.get_updater(optimizer.SGD())
    other.set_states(update.get_states(dump_optimizer=True))
    copy = weight.copy()
    for u, w in ((update, weight), (other, copy)):
        u(0, mx.nd.ones((2, 3)), w)
    np.testing.assert_array_equal(weight.asnumpy(), copy.asnumpy())
    assert other.optimizer.learning_rate == 0.05


def test_multi_precision_states():
    made = optimizer.SGD(momentum=0.9, multi_precision=True)
    update = optimizer.get_updater(made)
    weight = mx.nd.ones((2,), dtype="float16")
    update(0, mx.nd.ones((2,), dtype="float16"), weight)
    other = optimizer.get_updater(optimizer.SGD(momentum=0.9, multi_precision=True))
    other.set_states(update.get_states())
    momentum, wide = other.states[0]
    assert momentum.dtype == wide.dtype == np.float32
    np.testing.assert_array_equal(wide.asnumpy(), update.states[0][1].asnumpy())


class Counted(optimizer.Optimizer):
    """A user's optimizer whose states are numpy."""

    def create_state(self, index, weight):
        return np.zeros((2, 2)), np.float64(3), [1, "x"]

    def update(self, index, weight, grad, state):
        state[0][:] += 1


def test_user_states():
    update = optimizer.get_updater(Counted())
    update(0, mx.nd.ones((2,)), mx.nd.ones((2,)))
    other = optimizer.get_updater(optimizer.SGD())
    other.set_states(update.get_states(dump_optimizer=True))
    array, number, items = other.states[0]
    assert isinstance(other.optimizer, Counted)
    assert array.tolist() == [[1, 1], [1, 1]]
    assert (number, items) == (3.0, [1, "x"])


def refused(data, words):
    """`data` is one clear error of both classes, and the states stay as they were."""
    update, _ = trained()
    before = update.states[0]
    with pytest.raises(mx.MXNetError, match=words):
        update.set_states(data)
    assert update.states[0] is before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no pickle"),
        (b"garbage", "no pickle"),
        (pickle.dumps([1, 2]), "expected a dict of states, found list"),
        (pickle.dumps(({}, 3)), "expected an optimizer, found int"),
        (pickle.dumps({0: None}) + b"x", "1 bytes are left"),
        (pickle.dumps(print), r"builtins\.print"),
        (pickle.dumps(os.system), r"posix\.system"),
        (pickle.dumps({0: io.BytesIO(b"x")}), r"_io\.BytesIO"),
        (b"cos\nsystem\n(S'true'\ntR.", r"os\.system"),
        (b"\x80\x04cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "bytes made of int"),
        (b"\x80\x04}r\xff\xff\xff\x7f.", "memo index"),
        (b"\x80\x02}(K\x00cmxnet.optimizer.optimizer\nNothing\nu.", "Nothing"),
        (b"\x80\x02}(](K\x01eK\x00u.", "unhashable"),
        (b"Pname\n.", "PERSID"),
    ],
)
def test_hostile(data, words):
    refused(data, words)


def test_errors_are_unpickling_errors_too():
    with pytest.raises(pickle.UnpicklingError):
        optimizer.get_updater(optimizer.SGD()).set_states(b"garbage")


def test_a_pickle_cannot_change_classes():
    """BUILD with a pair of dictionaries sets attributes of whatever stands before it."""
    for name in (b"mxnet.lr_scheduler\nFactorScheduler", b"mxnet.ndarray.ndarray\nNDArray", b"builtins\nbytearray"):
        data = b"\x80\x02}(K\x00c" + name + b"\nN}(X\x06\x00\x00\x00harmedK\x01u\x86bu."
        with suppress(mx.MXNetError):
            optimizer.get_updater(optimizer.SGD()).set_states(data)
        assert not hasattr(lr_scheduler.FactorScheduler, "harmed")
        assert not hasattr(states._Array, "harmed")
        assert not hasattr(states._bytes, "harmed")


def test_every_truncation_is_an_error():
    data = (FILES / "updater_with_optimizer.states").read_bytes()
    update, _ = trained()
    for cut in range(0, len(data), 7):
        with pytest.raises(mx.MXNetError):
            update.set_states(data[:cut])


def test_every_damaged_byte_is_an_error_or_harmless():
    data = (FILES / "sgd_momentum.states").read_bytes()
    rng = np.random.default_rng(0)
    update, _ = trained()
    for at in rng.integers(0, len(data), 150):
        damaged = bytearray(data)
        damaged[at] ^= int(rng.integers(1, 256))
        try:
            update.set_states(bytes(damaged))
        except mx.MXNetError:
            continue
        assert isinstance(update.states, dict)


@pytest.mark.oracle
@pytest.mark.skipif("MXLITE_ORACLE" not in os.environ, reason="needs the real MXNet")
def test_mxnet_reads_ours(tmp_path):
    kinds = {
        "adam": {"learning_rate": 0.1},
        "sgd": {"momentum": 0.9, "lr_scheduler": lr_scheduler.FactorScheduler(1, 0.5, base_lr=0.1)},
        "rmsprop": {"centered": True},
        "ftml": {},
        "nadam": {},
    }
    expected = {}
    for name, params in kinds.items():
        update, weight = trained(name=name, **params)
        (tmp_path / f"{name}.states").write_bytes(update.get_states(dump_optimizer=True))
        np.save(tmp_path / f"{name}.npy", weight.asnumpy())
        update(0, mx.nd.ones((2, 3)), weight)
        expected[name] = weight.asnumpy()
    script = tmp_path / "read.py"
    script.write_text(
        "import sys, mxnet as mx, numpy as np\n"
        "for name in sys.argv[2:]:\n"
        "    u = mx.optimizer.get_updater(mx.optimizer.create(name))\n"
        "    u.set_states(open(f'{sys.argv[1]}/{name}.states', 'rb').read())\n"
        "    w = mx.nd.array(np.load(f'{sys.argv[1]}/{name}.npy'))\n"
        "    u(0, mx.nd.ones((2, 3)), w)\n"
        "    np.save(f'{sys.argv[1]}/{name}.after.npy', w.asnumpy())\n"
    )
    command = [os.environ["MXLITE_ORACLE"], str(script), str(tmp_path), *kinds]
    subprocess.run(command, check=True, capture_output=True)
    for name, want in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.after.npy"), want, rtol=1e-6, err_msg=name)
