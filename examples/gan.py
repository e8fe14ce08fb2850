# SPDX-License-Identifier: Apache-2.0
"""A GAN of two modules: one draws digits of 8x8 pixels from noise, the other tells them from scanned ones.

    python examples/gan.py                  # writes build/gan.png

The painter has no loss of its own. What it learns comes from the critic: `inputs_need_grad` gives the gradient of the
critic's loss with respect to its pictures, and `backward` of the painter takes that from there on. How good the
pictures are is asked of a third network, which has learnt to read the scans: a good set of pictures is read without
doubt, and shows every digit. The score, exp(mean KL(p(digit | picture) || p(digit))), says so in one number from 1 to
10 (Salimans et al. 2016, there with the Inception network). That of scans is shown beside, and that of the painter
before it has learnt anything.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import mxlite as mx
import networks

NOISE = 32


class Result(NamedTuple):
    """Scores of drawn pictures, of those before training, and of scans; how many digits are drawn; the picture."""

    drawn: float
    before: float
    scans: float
    digits: int
    picture: Path


def painter() -> mx.sym.Symbol:
    """``noise`` (N, 32, 1, 1) -> pictures (N, 1, 8, 8) from -1 to 1."""
    net = mx.sym.Deconvolution(mx.sym.Variable("noise"), kernel=(4, 4), num_filter=64, name="g1")
    net = mx.sym.Activation(mx.sym.BatchNorm(net, fix_gamma=False, name="g1_bn"), act_type="relu")
    net = mx.sym.Deconvolution(net, kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_filter=32, name="g2")
    net = mx.sym.Activation(mx.sym.BatchNorm(net, fix_gamma=False, name="g2_bn"), act_type="relu")
    net = mx.sym.Convolution(net, kernel=(3, 3), pad=(1, 1), num_filter=1, name="g3")
    return mx.sym.Activation(net, act_type="tanh", name="picture")


def critic() -> mx.sym.Symbol:
    """``data`` (N, 1, 8, 8) -> the chance (N, 1) that it is a scan; ``label`` (N, 1) is 1 for scans."""
    net = mx.sym.Variable("data")
    for layer, filters in enumerate((32, 64), 1):
        net = mx.sym.Convolution(net, kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_filter=filters, name=f"d{layer}")
        net = mx.sym.LeakyReLU(net, slope=0.2)
    net = mx.sym.FullyConnected(mx.sym.Dropout(mx.sym.Flatten(net), p=0.3), num_hidden=1, name="d3")
    return mx.sym.LogisticRegressionOutput(net, mx.sym.Variable("label"), name="scan")


def ready(symbol: mx.sym.Symbol, data: str, shape: tuple[int, ...], label: str | None, lr: float) -> mx.mod.Module:
    """A module that is bound and has its parameters and its optimizer."""
    module = mx.mod.Module(symbol, [data], [label] if label else None)
    # The critic's gradient with respect to its pictures is what the painter learns from.
    module.bind([(data, shape)], [(label, (shape[0], 1))] if label else None, inputs_need_grad=label is not None)
    module.init_params(mx.init.Xavier(factor_type="in", magnitude=2))
    module.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": lr, "beta1": 0.5})
    return module


def train(paint: mx.mod.Module, scans: np.ndarray, epochs: int, lr: float) -> None:
    """Train the painter. Of a batch, as long as its own, the critic sees one half drawn and one half scanned."""
    batch_size = paint.data_shapes[0].shape[0]
    half = batch_size // 2
    judge = ready(critic(), "data", (batch_size, 1, 8, 8), "label", lr)
    batches = mx.io.NDArrayIter(scans, batch_size=half, shuffle=True, last_batch_handle="discard")
    truth = mx.nd.concat(mx.nd.zeros((half, 1)), mx.nd.ones((half, 1)), dim=0)
    ones = mx.nd.ones((batch_size, 1))
    accuracy = mx.metric.CustomMetric(lambda label, pred: ((pred > 0.5) == label).mean(), "critic-accuracy")
    for epoch in range(epochs):
        batches.reset()
        accuracy.reset()
        for batch in batches:
            paint.forward(mx.io.DataBatch([mx.nd.random.normal(shape=(batch_size, NOISE, 1, 1))]), is_train=True)
            (drawn,) = paint.get_outputs()
            # The critic's step. MXNet's example sums the gradients of two passes, drawn ones and scans, by hand; as
            # the critic has no BatchNorm, one pass over both is the same.
            both = mx.nd.concat(drawn[:half], batch.data[0], dim=0)
            judge.forward(mx.io.DataBatch([both], [truth]), is_train=True)
            judge.update_metric(accuracy, [truth])
            judge.backward()
            judge.update()
            # The painter's step: which way to change the pictures so that the critic takes them for scans.
            judge.forward(mx.io.DataBatch([drawn], [ones]), is_train=True)
            judge.backward()
            paint.backward(judge.get_input_grads())
            paint.update()
        if (epoch + 1) % 10 == 0:
            logging.info("epoch %d: the critic is right about %.1f %%", epoch + 1, 100 * accuracy.get()[1])


def draw(paint: mx.mod.Module, count: int) -> np.ndarray:
    """`count` pictures (count, 1, 8, 8)."""
    found: list[np.ndarray] = []
    while sum(map(len, found)) < count:
        noise = mx.nd.random.normal(shape=paint.data_shapes[0].shape)
        paint.forward(mx.io.DataBatch([noise]), is_train=False)
        found.append(paint.get_outputs()[0].asnumpy())
    return np.concatenate(found)[:count]


def reader(scans: np.ndarray, labels: np.ndarray) -> mx.mod.Module:
    """An MLP that has learnt to read scans."""
    module = mx.mod.Module(networks.mlp())
    module.fit(
        mx.io.NDArrayIter(scans, labels, 50, shuffle=True),
        optimizer="adam",
        initializer=mx.init.Xavier(),
        num_epoch=15,
    )
    return module


def score(read: mx.mod.Module, pictures: np.ndarray) -> tuple[float, int]:
    """The score of the module's docstring, and how many digits are among the pictures (each at least 2 %)."""
    chances = read.predict(mx.io.NDArrayIter(pictures, batch_size=50)).asnumpy().astype(float) + 1e-12
    divergence = (chances * np.log(chances / chances.mean(axis=0))).sum(axis=1).mean()
    shares = np.bincount(chances.argmax(axis=1), minlength=10) / len(chances)
    return float(np.exp(divergence)), int((shares >= 0.02).sum())


def save(pictures: np.ndarray, path: Path) -> None:
    """The first 100 as a picture of ten rows."""
    cells = np.pad(pictures[:100, 0], ((0, 0), (1, 1), (1, 1))).reshape(10, 10, 10, 10)
    path.parent.mkdir(parents=True, exist_ok=True)
    plt.imsave(path, cells.transpose(0, 2, 1, 3).reshape(100, 100), cmap="gray")


def main(argv: Sequence[str] | None = None) -> Result:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--epochs", type=int, default=100)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--lr", type=float, default=0.001)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--output", type=Path, default=Path("build/gan.png"))
    args = p.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)  # it tells which accelerators it does not find
    np.random.seed(args.seed)
    mx.random.seed(args.seed)

    digits: Any = load_digits()
    scans = (digits.images[:, np.newaxis] / 8 - 1).astype(np.float32)
    learnt, others = scans[:1500], scans[1500:]
    read = reader(learnt, digits.target[:1500])
    start = time.perf_counter()
    paint = ready(painter(), "noise", (args.batch_size, NOISE, 1, 1), None, args.lr)
    before, _ = score(read, draw(paint, 1000))
    train(paint, learnt, args.epochs, args.lr)
    pictures = draw(paint, 1000)
    seconds = time.perf_counter() - start
    save(pictures, args.output)
    drawn, kinds = score(read, pictures)
    result = Result(drawn, before, score(read, others)[0], kinds, args.output)
    print(f"score of drawn pictures {drawn:.2f}, before training {before:.2f}, of scans {result.scans:.2f}")
    print(f"{kinds} of 10 digits are drawn; {args.output}; {seconds:.1f} s")
    return result


if __name__ == "__main__":
    main()
