# SPDX-License-Identifier: Apache-2.0
"""A character model: an LSTM unrolled over time learns a text that comes with every Python, then writes on its own.

    python examples/lstm_text.py                                # the Zen of Python
    python examples/lstm_text.py --text licence --epochs 3      # Python's licence
    python examples/lstm_text.py --text some_file.txt

The cell is built from FullyConnected, SliceChannel and Activation; all steps share one set of weights. To write, the
same weights go into a network of a single step whose states are fed back.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

import mxlite as mx


class Sizes(NamedTuple):
    """Of a network: letters in the alphabet, width of the embedding and of a layer, number of layers."""

    letters: int
    embed: int
    hidden: int
    layers: int


def read(name: str) -> str:
    """The text ``this``, ``licence``, or that of a file."""
    if name == "this":
        with contextlib.redirect_stdout(io.StringIO()):  # importing it prints it
            import this
        return codecs.decode(this.s, "rot13") + "\n"
    path = Path(os.__file__).with_name("LICENSE.txt") if name == "licence" else Path(name)
    return path.read_text(encoding="utf-8")


def state_names(sizes: Sizes) -> list[str]:
    """The inputs that hold the states before the first step, each of shape (N, hidden)."""
    return [f"layer{i}_{kind}" for i in range(sizes.layers) for kind in ("c", "h")]


def unroll(steps: int, sizes: Sizes) -> tuple[list[mx.sym.Symbol], list[mx.sym.Symbol]]:
    """`steps` steps over ``data`` (N, steps): the scores (N, letters) of each, and the states after the last."""
    embedded = mx.sym.Embedding(
        mx.sym.Variable("data"), input_dim=sizes.letters, output_dim=sizes.embed, name="embedding"
    )  # (N, steps, embed)
    inputs = mx.sym.SliceChannel(embedded, num_outputs=steps, axis=1, squeeze_axis=True, name="letters")
    states = [mx.sym.Variable(name) for name in state_names(sizes)]
    shared = {
        name: mx.sym.Variable(name)
        for layer in range(sizes.layers)
        for name in (f"layer{layer}_{way}_{what}" for way in ("i2h", "h2h") for what in ("weight", "bias"))
    }
    weight, bias = mx.sym.Variable("decoder_weight"), mx.sym.Variable("decoder_bias")
    scores = []
    for step in range(steps):
        below = inputs[step]
        for layer in range(sizes.layers):
            c, h = states[2 * layer : 2 * layer + 2]
            c, h = cell(below, c, h, shared, sizes.hidden, f"layer{layer}", f"t{step}_layer{layer}")
            states[2 * layer : 2 * layer + 2] = [c, h]
            below = h
        scores.append(mx.sym.FullyConnected(below, weight, bias, num_hidden=sizes.letters, name=f"t{step}_decoder"))
    return scores, states


def cell(
    x: mx.sym.Symbol,
    c: mx.sym.Symbol,
    h: mx.sym.Symbol,
    shared: dict[str, mx.sym.Symbol],
    hidden: int,
    layer: str,
    name: str,
) -> tuple[mx.sym.Symbol, mx.sym.Symbol]:
    """One step of one LSTM layer: input (N, any), states (N, hidden) -> new states."""

    def linear(data: mx.sym.Symbol, way: str) -> mx.sym.Symbol:
        weight, bias = shared[f"{layer}_{way}_weight"], shared[f"{layer}_{way}_bias"]
        return mx.sym.FullyConnected(data, weight=weight, bias=bias, num_hidden=4 * hidden, name=f"{name}_{way}")

    gates = mx.sym.SliceChannel(linear(x, "i2h") + linear(h, "h2h"), num_outputs=4, name=f"{name}_gates")
    enter = mx.sym.Activation(gates[0], act_type="sigmoid")
    candidate = mx.sym.Activation(gates[1], act_type="tanh")
    keep = mx.sym.Activation(gates[2] + 1.0, act_type="sigmoid")  # remembers until it has learnt to forget
    leave = mx.sym.Activation(gates[3], act_type="sigmoid")
    c = keep * c + enter * candidate
    return c, leave * mx.sym.Activation(c, act_type="tanh")


def training_network(steps: int, sizes: Sizes) -> mx.sym.Symbol:
    """Softmax over (N * steps, letters), rows in the order of ``softmax_label`` (N, steps)."""
    scores, _ = unroll(steps, sizes)
    together = mx.sym.Concat(*[mx.sym.expand_dims(score, axis=1) for score in scores], dim=1)
    together = mx.sym.Reshape(together, shape=(-1, sizes.letters))
    label = mx.sym.Reshape(mx.sym.Variable("softmax_label"), shape=(-1,))
    return mx.sym.SoftmaxOutput(together, label, name="softmax")


class Windows(mx.io.DataIter):
    """Pieces of `steps` letters from every place of the text; the label is the piece one letter further on."""

    def __init__(self, codes: np.ndarray, steps: int, batch_size: int, sizes: Sizes) -> None:
        super().__init__(batch_size)
        if len(codes) < steps + batch_size:
            raise ValueError(f"a text of {len(codes)} letters is too short for {batch_size} pieces of {steps}")
        self.pieces = np.lib.stride_tricks.sliding_window_view(codes, steps + 1)
        self.zeros = mx.nd.zeros((batch_size, sizes.hidden))
        self.names = state_names(sizes)
        self.provide_data = [
            mx.io.DataDesc("data", (batch_size, steps)),
            *(mx.io.DataDesc(name, self.zeros.shape) for name in self.names),
        ]
        self.provide_label = [mx.io.DataDesc("softmax_label", (batch_size, steps))]
        self.reset()

    def reset(self) -> None:
        order = np.random.permutation(len(self.pieces))
        self._batches = iter(order[: len(order) // self.batch_size * self.batch_size].reshape(-1, self.batch_size))

    def next(self) -> mx.io.DataBatch:
        rows = self.pieces[next(self._batches)].astype(np.float32)
        data = [mx.nd.array(rows[:, :-1]), *([self.zeros] * len(self.names))]
        return mx.io.DataBatch(data, [mx.nd.array(rows[:, 1:])], pad=0)


def write(params: dict[str, mx.nd.NDArray], sizes: Sizes, alphabet: str, start: str, length: int, heat: float) -> str:
    """Let the trained weights go on after `start` for `length` letters; `heat` 0 always takes the likeliest."""
    scores, states = unroll(1, sizes)
    names = state_names(sizes)
    module = mx.mod.Module(mx.sym.Group([mx.sym.softmax(scores[0]), *states]), ["data", *names], None)
    module.bind([("data", (1, 1)), *((name, (1, sizes.hidden)) for name in names)], for_training=False)
    module.set_params(params, {})
    now = [mx.nd.zeros((1, sizes.hidden)) for _ in names]
    random = np.random.RandomState(0)
    text, chances = "", np.ones(len(alphabet))
    for place in range(len(start) + length):
        if place < len(start):
            code = alphabet.index(start[place])
        elif heat == 0:
            code = int(np.argmax(chances))
        else:
            hot = np.exp(np.log(np.maximum(chances, 1e-12)) / heat)
            code = random.choice(len(alphabet), p=hot / hot.sum())
        text += alphabet[code]
        module.forward(mx.io.DataBatch([mx.nd.array([[code]]), *now]), is_train=False)
        first, *now = module.get_outputs()
        chances = first.asnumpy()[0].astype(np.float64)
    return text


def main(argv: list[str] | None = None) -> tuple[float, str]:
    """Train and return the perplexity (1: sure of every letter) and what the network wrote."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--text", default="this", help="this, licence, or a file")
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--steps", type=int, default=24, help="letters in a training piece")
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--layers", type=int, default=1)
    p.add_argument("--batch-size", type=int, default=32)
    p.add_argument("--write", type=int, default=300, metavar="LETTERS")
    p.add_argument("--heat", type=float, default=0.3, help="0 takes the likeliest letter, 1 draws as learnt")
    args = p.parse_args(argv)

    text = read(args.text)
    alphabet = "".join(sorted(set(text)))
    sizes = Sizes(len(alphabet), 32, args.hidden, args.layers)
    np.random.seed(0)
    mx.random.seed(0)
    batches = Windows(np.array([alphabet.index(letter) for letter in text]), args.steps, args.batch_size, sizes)
    metric = mx.metric.create("ce")
    perplexities = []

    def report(epoch: int, *_: object) -> None:
        perplexities.append(math.exp(metric.get()[1]))
        print(f"epoch {epoch + 1:3d}: perplexity {perplexities[-1]:.3f}", flush=True)

    module = mx.mod.Module(training_network(args.steps, sizes), ["data", *state_names(sizes)])
    module.fit(
        batches,
        eval_metric=metric,
        optimizer="adam",
        # The loss is summed over the letters of a piece: this makes the gradient a mean over letters.
        optimizer_params={"learning_rate": 0.005, "rescale_grad": 1 / (args.batch_size * args.steps)},
        initializer=mx.init.Xavier(),
        epoch_end_callback=report,
        num_epoch=args.epochs,
    )
    written = write(module.get_params()[0], sizes, alphabet, text[:4], args.write, args.heat)
    print(f"\nperplexity {perplexities[-1]:.3f} over {len(alphabet)} letters; it writes:\n\n{written}")
    return perplexities[-1], written


if __name__ == "__main__":
    main()
