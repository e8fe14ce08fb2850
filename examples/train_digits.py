# SPDX-License-Identifier: Apache-2.0
"""Trains an MLP, LeNet or a ResNet on real handwritten digits; writes a checkpoint and the learning curves.

python examples/train_digits.py --network lenet --epochs 20
python examples/train_digits.py --network resnet --device gpu --batch-size 128
python examples/train_digits.py --resume 20 --epochs 30      # goes on with lenet-0020.params
python examples/train_digits.py --amp float16                # mixed precision; the checkpoint is float32
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import digits
import mxlite as mx
import networks

RATES = {"mlp": 0.1, "lenet": 0.1, "resnet": 0.1}
# Divides the 360 test pictures: a last batch that is filled up would count some of them twice.
TEST_BATCH = 90


class Result(NamedTuple):
    """What `train` leaves."""

    module: mx.mod.Module
    prefix: Path
    accuracy: float
    seconds: float
    curve: Path


def device(text: str) -> list[mx.Context]:
    """``cpu``, ``gpu``, ``gpu:1`` or several with commas."""
    contexts = []
    for part in text.split(","):
        kind, _, number = part.partition(":")
        if kind not in ("cpu", "gpu", "tpu") or not (number or "0").isdecimal():
            raise argparse.ArgumentTypeError(f"{part!r} is no device; say cpu, gpu, gpu:1, or gpu:0,gpu:1")
        contexts.append(mx.Context(kind, int(number or 0)))
    return contexts


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--network", choices=sorted(networks.NETWORKS), default="lenet")
    p.add_argument("--epochs", "--num-epochs", type=int, default=20)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--lr", type=float, help="learning rate (default: one that suits the network)")
    p.add_argument("--device", type=device, default=[mx.cpu()], help="cpu, gpu, gpu:1, or several with commas")
    p.add_argument("--output", type=Path, default=Path("build/digits"), help="folder for what is written")
    p.add_argument("--resume", type=int, default=0, metavar="EPOCH", help="go on from a checkpoint in that folder")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--amp", choices=("float16", "bfloat16"), help="compute in 16 bits, with weights of float32")
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    return p


def test_batches(data: digits.Digits) -> mx.io.NDArrayIter:
    return mx.io.NDArrayIter(data.test_images, data.test_labels, TEST_BATCH)


def train(args: argparse.Namespace, data: digits.Digits) -> Result:
    """Train `args.network` for `args.epochs` epochs and write checkpoint and curves into `args.output`."""
    args.output.mkdir(parents=True, exist_ok=True)
    prefix = args.output / args.network
    np.random.seed(args.seed)  # the iterator shuffles and shifts with numpy
    mx.random.seed(args.seed)  # the initializer draws with mxlite
    batches = digits.ShiftedDigits(data.train_images, data.train_labels, args.batch_size)

    arg_params = aux_params = None
    symbol = networks.get_symbol(args.network)
    if args.resume:
        symbol, arg_params, aux_params = mx.model.load_checkpoint(str(prefix), args.resume)
    module = mx.mod.Module(symbol, context=args.device)
    if args.amp:
        mx.contrib.amp.convert_module(module, args.amp)

    updates = len(batches) * args.epochs
    lr = RATES[args.network] if args.lr is None else args.lr
    falls = sorted({max(1, updates * percent // 100) for percent in (60, 85)})
    schedule = mx.lr_scheduler.MultiFactorScheduler(falls, factor=0.1, base_lr=lr)
    curve = prefix.with_name(f"{args.network}-curves.png")
    curves = mx.callback.PlotCurves(curve, title=f"{args.network} on handwritten digits")
    start = time.perf_counter()
    module.fit(
        batches,
        eval_data=test_batches(data),
        eval_metric=["acc", "ce"],
        optimizer="sgd",
        optimizer_params={
            "learning_rate": lr,
            "momentum": 0.9,
            "wd": 1e-4,
            "lr_scheduler": schedule,
            "begin_num_update": len(batches) * args.resume,
        },
        initializer=mx.init.Xavier(),
        arg_params=arg_params,
        aux_params=aux_params,
        batch_end_callback=curves,
        epoch_end_callback=curves,
        eval_end_callback=curves,
        begin_epoch=args.resume,
        num_epoch=args.epochs,
        progress=not args.quiet,
    )
    seconds = time.perf_counter() - start
    module.save_checkpoint(str(prefix), args.epochs)
    accuracy = dict(module.score(test_batches(data), "acc"))["accuracy"]
    return Result(module, prefix, accuracy, seconds, curve)


def main(argv: list[str] | None = None) -> Result:
    p = parser()
    args = p.parse_args(argv)
    if not 0 <= args.resume < args.epochs:
        p.error(f"--epochs {args.epochs} counts from the very first epoch and must be above --resume {args.resume}")
    if args.batch_size < 1:
        p.error(f"--batch-size {args.batch_size} must be positive")
    if args.lr is not None and not 0 <= args.lr < math.inf:
        p.error(f"--lr {args.lr} must be a finite number that is not negative")
    logging.basicConfig(level=logging.INFO if args.quiet else logging.WARNING, format="%(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)  # it tells which accelerators it does not find
    data = digits.load()
    if args.batch_size > len(data.train_images):
        p.error(f"--batch-size {args.batch_size} is more than the {len(data.train_images)} training pictures")
    try:
        result = train(args, data)
    except (mx.MXNetError, OSError) as e:  # a device or a checkpoint that is not there, a folder not to be written
        p.error(str(e))
    print(f"{args.network}: test accuracy {result.accuracy:.4f} after {args.epochs} epochs, {result.seconds:.1f} s")
    print(f"checkpoint: {result.prefix}-symbol.json, {result.prefix}-{args.epochs:04d}.params")
    print(f"curves:     {result.curve}")
    return result


if __name__ == "__main__":
    main()
