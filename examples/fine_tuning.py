# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning: what a network has learnt from many pictures of some digits helps it to learn others from a few.

    python examples/fine_tuning.py

LeNet learns the digits 0 to 4, and is saved. Then it shall read 5 to 9, of which it is shown four pictures each, for
five epochs. From the checkpoint come the layers up to ``flatten0_output``, or up to another that is named; a new layer
for the new digits follows. It learns ten times as fast as the rest (`lr_mult`), or alone (`--freeze`, which is
`fixed_param_names`). The same network from scratch, with the same pictures and epochs, is shown beside: it needs more
of both, and with --epochs 20 it has caught up, as such digits are not hard.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import digits
import mxlite as mx
import networks


class Result(NamedTuple):
    """Accuracy on test pictures: of the old digits after pretraining, of the new ones fine-tuned and from scratch."""

    pretrained: float
    tuned: float
    scratch: float


def some(images: np.ndarray, labels: np.ndarray, first: int, each: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`each` pictures of the five digits from `first` on, or all of them; labels count from 0."""
    places = [np.flatnonzero(labels == digit)[:each] for digit in range(first, first + 5)]
    chosen = np.random.permutation(np.concatenate(places))
    return images[chosen], labels[chosen] - first


def learn(
    module: mx.mod.Module,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    epochs: int,
    lr: float,
    arg_params: dict[str, mx.nd.NDArray] | None = None,
    aux_params: dict[str, mx.nd.NDArray] | None = None,
) -> float:
    """Train; parameters that are not given are drawn. Gives the accuracy on the test pictures."""
    module.fit(
        mx.io.NDArrayIter(*train, batch_size=20, shuffle=True),
        optimizer_params={"learning_rate": lr, "momentum": 0.9},
        initializer=mx.init.Xavier(),
        arg_params=arg_params,
        aux_params=aux_params,
        allow_missing=True,  # the new layer is in no checkpoint
        num_epoch=epochs,
    )
    right = module.predict(mx.io.NDArrayIter(test[0], batch_size=20)).asnumpy().argmax(axis=1) == test[1]
    return float(right.mean())


def with_new_layer(symbol: mx.sym.Symbol, layer: str, classes: int) -> mx.sym.Symbol:
    """`symbol` up to the output `layer`, and behind it a new layer that learns ten times as fast."""
    features = symbol.get_internals()[layer]
    weight = mx.sym.Variable("new_weight", lr_mult=10)
    bias = mx.sym.Variable("new_bias", lr_mult=20)
    net = mx.sym.FullyConnected(features, weight, bias, num_hidden=classes, name="new")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def main(argv: Sequence[str] | None = None) -> Result:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--pictures", type=int, default=4, help="of each new digit")
    p.add_argument("--layer", default="flatten0_output", help="the last one that is kept")
    p.add_argument("--freeze", action="store_true", help="train the new layer only")
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--pretrain-epochs", type=int, default=10)
    p.add_argument("--lr", type=float, default=0.005)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--output", type=Path, default=Path("build/fine_tuning"), help="folder of the checkpoint")
    args = p.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)  # it tells which accelerators it does not find
    np.random.seed(args.seed)
    mx.random.seed(args.seed)
    data = digits.load()
    args.output.mkdir(parents=True, exist_ok=True)
    prefix = str(args.output / "lenet")
    start = time.perf_counter()

    old = some(data.train_images, data.train_labels, 0), some(data.test_images, data.test_labels, 0)
    with mx.name.NameManager():  # layers without a name count from 0, whatever was built before: flatten0
        module = mx.mod.Module(networks.lenet(5))
    pretrained = learn(module, *old, args.pretrain_epochs, 0.05)
    module.save_checkpoint(prefix, args.pretrain_epochs)

    new = some(data.train_images, data.train_labels, 5, args.pictures), some(data.test_images, data.test_labels, 5)
    symbol, arg_params, aux_params = mx.model.load_checkpoint(prefix, args.pretrain_epochs)
    symbol = with_new_layer(symbol, args.layer, 5)
    kept = [name for name in symbol.list_arguments() if name in arg_params]
    module = mx.mod.Module(symbol, fixed_param_names=kept if args.freeze else None)
    tuned = learn(module, *new, args.epochs, args.lr, arg_params, aux_params)
    scratch = learn(mx.mod.Module(symbol), *new, args.epochs, args.lr)

    print(f"kept: {', '.join(kept)}{' (frozen)' if args.freeze else ''}; {time.perf_counter() - start:.1f} s")
    print(f"accuracy on {len(old[1][1])} test pictures of 0 to 4: {pretrained:.4f}")
    print(f"accuracy on {len(new[1][1])} test pictures of 5 to 9, from {len(new[0][1])} pictures: ", end="")
    print(f"fine-tuned {tuned:.4f}, from scratch {scratch:.4f}")
    return Result(pretrained, tuned, scratch)


if __name__ == "__main__":
    main()
