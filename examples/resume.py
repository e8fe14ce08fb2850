# SPDX-License-Identifier: Apache-2.0
"""A training on real digits is killed (kill -9) at a random moment, started again, and ends with the same weights.

python examples/resume.py
python examples/resume.py --epochs 20 --kills 5 --keep-files run/

The training itself is `train`, with one line more than any other: ``checkpoint=mx.model.Checkpoint(prefix)``. Each
start of it is a process of its own. Rows are shuffled, dropout draws, Adam has momenta and counts, and the rate falls:
all of that goes on where it was.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import digits
import mxlite as mx


class Result(NamedTuple):
    """What `main` shows: the epochs at which the training went on, whether all weights are the same, the accuracy."""

    resumed: list[int]
    same: bool
    accuracy: float


def network() -> mx.sym.Symbol:
    """A layer of 128 with dropout, and the scores of ten digits."""
    hidden = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable("data")), num_hidden=128, name="fc1")
    hidden = mx.sym.Dropout(mx.sym.Activation(hidden, act_type="relu", name="relu1"), p=0.3, name="drop1")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=10, name="fc2"), name="softmax")


def train(prefix: str, epochs: int) -> None:
    """Train, or go on with what was trained before, and print where it begins."""
    data = digits.load()
    for seed in (mx.random.seed, np.random.seed, random.seed):
        seed(0)
    batches = mx.io.NDArrayIter(data.train_images, data.train_labels, batch_size=64, shuffle=True)
    checkpoint = mx.model.Checkpoint(prefix, keep=2)
    print(checkpoint.newest() or 0, flush=True)
    mx.mod.Module(network()).fit(
        batches,
        num_epoch=epochs,
        initializer=mx.init.Xavier(),
        optimizer="adam",
        optimizer_params={"lr_scheduler": mx.lr_scheduler.FactorScheduler(step=50, factor=0.95, base_lr=2e-3)},
        checkpoint=checkpoint,
    )


def start(prefix: Path, epochs: int) -> subprocess.Popen[str]:
    """A process that trains."""
    command = [sys.executable, __file__, "--train", str(prefix), "--epochs", str(epochs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> int:
    """Wait for the end of a training; the epoch it began with."""
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the training failed with exit code {process.returncode}")
    return int(said)


def kill_one(prefix: Path, epochs: int, before: float) -> int:
    """Start a training, kill it at a random moment after it has saved an epoch; the epoch it began with."""
    process = start(prefix, epochs)
    began = int(process.stdout.readline()) if process.stdout else 0
    complete = set(prefix.parent.glob("*.resume.json"))
    while process.poll() is None and set(prefix.parent.glob("*.resume.json")) == complete:
        time.sleep(0.002)
    time.sleep(random.uniform(0, before))
    process.kill()
    process.communicate()
    return began


def weights(prefix: Path, epoch: int) -> dict[str, bytes]:
    """All parameters of an epoch, as bytes."""
    args, aux = mx.model.load_params(str(prefix), epoch)
    return {name: value.asnumpy().tobytes() for name, value in {**args, **aux}.items()}


def main(argv: list[str] | None = None) -> Result | None:
    """Kill and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--before", type=float, default=0.1, help="kill at most so many seconds after a checkpoint")
    parser.add_argument("--keep-files", help="a folder for the checkpoints, instead of a temporary one")
    parser.add_argument("--train", metavar="PREFIX", help="be the training")
    args = parser.parse_args(argv)
    if args.train:
        train(args.train, args.epochs)
        return None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.keep_files or temporary)
        whole, killed = folder / "whole" / "digits", folder / "killed" / "digits"
        for prefix in (whole, killed):
            prefix.parent.mkdir(parents=True, exist_ok=True)
        finish(start(whole, args.epochs))
        resumed = [kill_one(killed, args.epochs, args.before) for _ in range(args.kills)]
        resumed.append(finish(start(killed, args.epochs)))
        same = weights(whole, args.epochs) == weights(killed, args.epochs)
        module = mx.mod.Module.load(str(killed), args.epochs)
        data = digits.load()
        test = mx.io.NDArrayIter(data.test_images, data.test_labels, 40)
        module.bind(test.provide_data, test.provide_label, for_training=False)
        ((_, accuracy),) = module.score(test, "acc")
    print(f"killed {args.kills} times; it went on at epoch {', '.join(map(str, resumed[1:]))} of {args.epochs}")
    print(f"weights {'are the same, bit for bit' if same else 'DIFFER'}; accuracy on the test pictures {accuracy:.3f}")
    return Result(resumed[1:], same, accuracy)


if __name__ == "__main__":
    main()
