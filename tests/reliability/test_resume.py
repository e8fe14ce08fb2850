# SPDX-License-Identifier: Apache-2.0
"""A training that goes on from a checkpoint has the weights of one that was never interrupted, bit for bit."""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import optax
import pytest

import mxlite as mx
from mxlite.module import precision
from mxlite.optimizer import states
from mxlite.optimizer.loss_scaling import LossScale
from tests.reliability.trainings import TRAININGS, classifier, module, quietly, weights

OPTIMIZERS = {
    "sgd": {"momentum": 0.9, "clip_gradient": 1.0},
    "nag": {"momentum": 0.9},
    "signum": {"momentum": 0.9, "wd_lh": 1e-3},
    "adam": {"wd": 1e-3},
    "adamax": {},
    "nadam": {},
    "ftml": {},
    "adagrad": {},
    "adadelta": {},
    "ftrl": {},
    "rmsprop": {"centered": True},
    "dcasgd": {"momentum": 0.5},
    "sgld": {},
    "lamb": {},
    "lars": {"momentum": 0.9},
    "lbsgd": {"momentum": 0.9, "batch_scale": 3, "warmup_strategy": "lars"},
}


@mx.optimizer.register
class Drifting(mx.optimizer.Optimizer):
    """A user's optimizer, with a state, a count and a rate of its own, and something that no file can hold."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.steps, self.rates, self.what = 0, {"now": np.float32(0.1)}, lambda: None

    def create_state(self, index, weight):
        return mx.nd.zeros(weight.shape), mx.nd.zeros((1,))

    def update(self, index, weight, grad, state):
        self.steps += 1
        self.rates["now"] *= np.float32(0.999)
        state[0][:] = 0.5 * state[0] + grad
        weight -= float(self.rates["now"]) / self.steps**0.5 * state[0]


def both(tmp_path: Path, **kwargs) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The weights after three epochs, and those of a run that goes on from the first of them."""
    whole = weights(quietly("plain", mx.model.Checkpoint(tmp_path / "net"), 3, **kwargs))
    for epoch in (2, 3):
        (tmp_path / f"net-000{epoch}.resume.json").unlink()
    return whole, weights(quietly("plain", mx.model.Checkpoint(tmp_path / "net"), 3, **kwargs))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on(name: str, tmp_path: Path):
    whole, resumed = both(tmp_path, optimizer=name, optimizer_params={"learning_rate": 0.01, **OPTIMIZERS[name]})
    assert whole == resumed


def test_a_users_optimizer_goes_on(tmp_path: Path):
    whole, resumed = both(tmp_path, optimizer="drifting", optimizer_params={})
    assert whole == resumed


def test_an_optax_rule_goes_on(tmp_path: Path):
    rule = optax.chain(optax.add_noise(0.1, 0.5, 7), optax.adamw(optax.linear_schedule(0.05, 0.0, 12)))
    whole, resumed = both(tmp_path, optimizer=rule, optimizer_params={})
    assert whole == resumed


def test_a_scaled_loss_goes_on(tmp_path: Path):
    """In float16 the scale of the loss halves until no gradient is infinite; the first one here is too large."""
    mx.contrib.amp.init("float16")
    try:
        used = precision.current()
        assert used is not None
        precision.set_current(dataclasses.replace(used, scale=LossScale(2.0**20, 2)))
        whole, resumed = both(tmp_path, optimizer="adam", optimizer_params={"learning_rate": 0.01})
    finally:
        mx.contrib.amp.reset()
    assert whole == resumed
    scales = [states.loads((tmp_path / f"net-000{i}.states").read_bytes())[0][2][0].asscalar() for i in (1, 2, 3)]
    assert 2.0**20 > scales[0] > scales[2], scales


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda: mx.lr_scheduler.MultiFactorScheduler([3, 5, 7], 0.5, warmup_steps=2),
        lambda: mx.lr_scheduler.CosineScheduler(8, 0.1, final_lr=0.01),
        lambda: mx.lr_scheduler.PolyScheduler(8, 0.1),
    ],
)
def test_every_scheduler_goes_on(scheduler, tmp_path: Path):
    def training(checkpoint, epochs):
        options = {"lr_scheduler": scheduler(), "momentum": 0.9}
        return weights(quietly("plain", checkpoint, epochs, optimizer="sgd", optimizer_params=options))

    whole = training(None, 3)
    assert training(mx.model.Checkpoint(tmp_path / "net"), 1) != whole
    assert training(mx.model.Checkpoint(tmp_path / "net"), 3) == whole


def test_half_precision_keeps_its_wide_weights(tmp_path: Path):
    def training(checkpoint, epochs):
        mx.random.seed(0)
        np.random.seed(0)
        x = np.random.rand(24, 6)
        half = [mx.nd.array(values, dtype="float16") for values in (x, x[:, :3].argmax(1))]
        train = mx.io.NDArrayIter(half[0], half[1], 8, shuffle=True)
        made = mx.mod.Module(classifier())
        made.fit(
            train, num_epoch=epochs, optimizer="adam", checkpoint=checkpoint,
            optimizer_params={"multi_precision": True, "learning_rate": 1e-4},
        )  # fmt: skip
        assert made.get_params()[0]["fc1_weight"].dtype == np.float16
        return weights(made)

    whole = training(None, 4)
    training(mx.model.Checkpoint(tmp_path / "net"), 2)
    assert training(mx.model.Checkpoint(tmp_path / "net"), 4) == whole


@pytest.mark.parametrize("name", TRAININGS)
def test_every_module_goes_on(name: str, tmp_path: Path):
    whole = weights(quietly(name, None, 4))
    quietly(name, mx.model.Checkpoint(tmp_path / "net"), 2)
    assert weights(quietly(name, mx.model.Checkpoint(tmp_path / "net"), 4)) == whole


DEVICES = """
import sys
import mxlite as mx
from tests.reliability.trainings import quietly, weights

devices = [mx.cpu(0), mx.cpu(1)]
whole = weights(quietly("plain", None, 3, context=devices))
quietly("plain", mx.model.Checkpoint(sys.argv[1]), 2, context=devices)
print(whole == weights(quietly("plain", mx.model.Checkpoint(sys.argv[1]), 3, context=devices)))
"""


def test_a_module_on_two_devices_goes_on(tmp_path: Path, environment: dict[str, str]):
    done = subprocess.run(
        [sys.executable, "-c", DEVICES, str(tmp_path / "net")], capture_output=True, text=True, timeout=300,
        env={**environment, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
    )  # fmt: skip
    assert done.stdout.split() == ["True"], done.stderr[-3000:]


def test_the_state_of_a_recurrent_module_goes_on(tmp_path: Path):
    """Arrays of `state_names` live through epochs when the script sets them from the outputs."""

    def training(checkpoint, epochs):
        kept = mx.sym.var("kept", shape=(4, 3))
        after = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc") + kept
        net = mx.sym.Group([mx.sym.SoftmaxOutput(after, name="softmax"), mx.sym.BlockGrad(after, name="after")])
        x = np.random.RandomState(0).rand(16, 5)
        made = mx.mod.Module(net, state_names=["kept"])
        mx.random.seed(0)

        def carry(param):
            made.set_states(states=[made.get_outputs()[1] * 0.5])

        metric = mx.metric.CustomMetric(lambda label, pred: 0.0, allow_extra_outputs=True)
        made.fit(
            mx.io.NDArrayIter(x, x[:, :3].argmax(1), 4), num_epoch=epochs, eval_metric=metric, checkpoint=checkpoint,
            batch_end_callback=carry,
        )  # fmt: skip
        return weights(made), made.get_states()[0].asnumpy()

    whole = training(None, 4)
    training(mx.model.Checkpoint(tmp_path / "net"), 2)
    resumed = training(mx.model.Checkpoint(tmp_path / "net"), 4)
    assert resumed[0] == whole[0]
    np.testing.assert_array_equal(resumed[1], whole[1])
    assert np.abs(whole[1]).max() > 0


def test_the_same_object_goes_on_after_an_interruption(tmp_path: Path):
    """In a notebook: the cell is stopped in the middle of an epoch, and run again."""
    whole = weights(quietly("module", None, 3))
    checkpoint = mx.model.Checkpoint(tmp_path / "net")

    def stop(param):
        if (param.epoch, param.nbatch) == (1, 7):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quietly("module", checkpoint, 3, batch_end_callback=stop)
    assert checkpoint.newest() == 1
    assert weights(quietly("module", checkpoint, 3)) == whole


def test_what_fit_says(tmp_path: Path, caplog):
    with caplog.at_level(logging.INFO):
        module(mx.model.Checkpoint(tmp_path / "net"), 2)
        module(mx.model.Checkpoint(tmp_path / "net"), 3, optimizer_params={"learning_rate": 0.5})
    record = str(tmp_path / "net-0002.resume.json")
    assert f'Resumed from "{record}" at epoch 2' in caplog.messages
    assert "the optimizer's lr is 0.02, as saved, not 0.5" in caplog.messages
    assert any(m.startswith("Epoch[2] Train-accuracy") for m in caplog.messages)
    assert sum(m.startswith("Epoch[0] Train-accuracy") for m in caplog.messages) == 1


def test_mxnet_finds_its_own_files(tmp_path: Path):
    """Everything but the record is what `save_checkpoint` writes; the record is text that names them."""
    made = quietly("module", mx.model.Checkpoint(tmp_path / "net"), 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "net-0001.params", "net-0001.resume.json", "net-0001.states",
        "net-0002.params", "net-0002.resume.json", "net-0002.states", "net-symbol.json",
    ]  # fmt: skip
    made.save_checkpoint(str(tmp_path / "by-hand"), 2, save_optimizer_states=True)
    for ending in ("0002.params", "0002.states", "symbol.json"):
        assert (tmp_path / f"net-{ending}").read_bytes() == (tmp_path / f"by-hand-{ending}").read_bytes()
    found = json.loads((tmp_path / "net-0002.resume.json").read_text())
    assert set(found["files"]) == {"net-0002.params", "net-0002.states"}
    assert found["state"]["optimizers"][0]["attributes"]["values"]["num_update"] == 80
    again = mx.mod.Module.load(str(tmp_path / "net"), 2, load_optimizer_states=True)
    assert again.get_params()[0]["fc1_weight"].shape == (8, 6)


def test_an_iterator_that_cannot_tell_is_told_and_reset(tmp_path: Path, caplog):
    class Own(mx.io.DataIter):
        def __init__(self):
            super().__init__(4)
            self.provide_data, self.provide_label = [("data", (4, 6))], [("softmax_label", (4,))]
            self.resets, self.left = 0, 3

        def reset(self):
            self.resets, self.left = self.resets + 1, 3

        def next(self):
            if not self.left:
                raise StopIteration
            self.left -= 1
            return mx.io.DataBatch([mx.nd.ones((4, 6)) * self.left], [mx.nd.array([0, 1, 2, 0])])

    def training(checkpoint, epochs):
        mx.random.seed(0)
        batches = Own()
        made = mx.mod.Module(classifier())
        made.fit(batches, num_epoch=epochs, checkpoint=checkpoint)
        return weights(made), batches.resets

    whole, _ = training(None, 3)
    with caplog.at_level(logging.INFO):
        training(mx.model.Checkpoint(tmp_path / "net"), 2)
    told = [m for m in caplog.messages if "cannot tell where it stands" in m]
    assert told == ["train_data cannot tell where it stands: a resumed epoch begins with its reset()"]
    assert training(mx.model.Checkpoint(tmp_path / "net"), 3) == (whole, 2)
