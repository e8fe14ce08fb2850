# SPDX-License-Identifier: Apache-2.0
"""A word model: an LSTM over sentences of several lengths learns Python's manual, and writes sentences of its own.

    python examples/bucketing_lm.py                       # the reference manual that `help()` shows
    python examples/bucketing_lm.py --fused               # the same LSTM as one operator
    python examples/bucketing_lm.py --text some_file.txt

Every length has a network of its own, and all share their weights. What is learnt shows in the perplexity of sentences
that were held out: the unigram model, which knows how frequent every word is and nothing of its neighbours, is what the
LSTM must beat. To write, the weights go into a network of one step; those of a fused LSTM are unpacked first.
"""

from __future__ import annotations

import argparse
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any, NamedTuple

import numpy as np

import mxlite as mx

NOTHING = 0  # the number of no word, which fills sentences up
RARE = "<rare>"


class Result(NamedTuple):
    """What `main` measured on held-out sentences, and three sentences that the network wrote."""

    perplexity: float
    unigram: float
    written: list[str]


def sentences(text: str, words: int, longest: int) -> list[list[str]]:
    """The sentences of 4 to `longest` words, in lower case; all but the `words` most frequent become ``<rare>``."""
    found = [re.findall(r"[a-z]+|[.,;:]", part.lower()) for part in re.split(r"(?<=\.)\s+|\n\n+", text)]
    known = {word for word, _ in Counter(word for sentence in found for word in sentence).most_common(words)}
    return [[w if w in known else RARE for w in sentence] for sentence in found if 3 < len(sentence) <= longest]


def lstm(hidden: int, layers: int) -> mx.rnn.SequentialRNNCell:
    """Layers of LSTM, one step a time."""
    stack = mx.rnn.SequentialRNNCell()
    for layer in range(layers):
        stack.add(mx.rnn.LSTMCell(hidden, prefix=f"lstm_l{layer}_"))
    return stack


def scores(outputs: mx.sym.Symbol, hidden: int, words: int) -> mx.sym.Symbol:
    """Outputs of the LSTM (T, N, hidden) -> a score for every word (T * N, words)."""
    return mx.sym.FullyConnected(mx.sym.Reshape(outputs, shape=(-1, hidden)), num_hidden=words, name="decoder")


def embed(hidden: int, words: int) -> mx.sym.Symbol:
    """``data`` (T, N) -> (T, N, hidden)."""
    return mx.sym.Embedding(mx.sym.Variable("data"), input_dim=words, output_dim=hidden, name="embed")


def networks(cell: Any, hidden: int, words: int) -> Callable[[int], tuple[mx.sym.Symbol, list[str], list[str]]]:
    """Gives the network of a length: ``data`` and ``softmax_label`` (length, N) -> chances (length * N, words)."""

    def sym_gen(length: int) -> tuple[mx.sym.Symbol, list[str], list[str]]:
        cell.reset()
        outputs, _ = cell.unroll(length, inputs=embed(hidden, words), layout="TNC", merge_outputs=True)
        label = mx.sym.Reshape(mx.sym.Variable("softmax_label"), shape=(-1,))
        out = mx.sym.SoftmaxOutput(
            scores(outputs, hidden, words), label, use_ignore=True, ignore_label=NOTHING, name="softmax"
        )
        return out, ["data"], ["softmax_label"]

    return sym_gen


def labels(batches: mx.rnn.BucketSentenceIter) -> np.ndarray:
    """All words (n,) that are to be foretold in an epoch."""
    found = np.concatenate([batch.label[0].asnumpy().ravel() for batch in batches]).astype(int)
    batches.reset()
    return found[found != NOTHING]


def unigram_perplexity(train: np.ndarray, test: np.ndarray, words: int) -> float:
    """Of `test` for a model that gives each word its frequency in `train`, one added to every count."""
    counts = np.bincount(train, minlength=words) + 1
    return float(np.exp(-np.log(counts[test] / counts.sum()).mean()))


def write(
    params: dict[str, mx.nd.NDArray], hidden: int, layers: int, vocabulary: dict[str, int], start: str, length: int
) -> str:
    """A sentence that begins with `start`, each next word drawn by its chance, at most `length` words in all."""
    stack, words = lstm(hidden, layers), len(vocabulary)
    before = stack.begin_state(func=mx.sym.Variable)
    outputs, after = stack.unroll(1, inputs=embed(hidden, words), begin_state=before, layout="TNC", merge_outputs=True)
    names = [state.name for state in before]
    chances = mx.sym.softmax(scores(outputs, hidden, words))
    module = mx.mod.Module(mx.sym.Group([chances, *after]), ["data", *names], None)
    module.bind([("data", (1, 1)), *((name, (1, hidden)) for name in names)], for_training=False)
    module.set_params(params, {})
    states = [mx.nd.zeros((1, hidden)) for _ in names]
    spelled = {number: word for word, number in vocabulary.items()}
    sentence = [start]
    while sentence[-1] != "." and len(sentence) < length:
        word = mx.nd.array([[vocabulary[sentence[-1]]]])
        module.forward(mx.io.DataBatch([word, *states]), is_train=False)
        first, *states = module.get_outputs()
        likely = first.asnumpy()[0].astype(float) ** 1.5  # a bit bolder than learnt
        likely[[NOTHING, vocabulary[RARE]]] = 0
        sentence.append(spelled[np.random.choice(words, p=likely / likely.sum())])
    return " ".join(sentence)


def main(argv: Iterable[str] | None = None) -> Result:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--text", type=Path, help="a file to learn (default: Python's reference manual)")
    p.add_argument("--buckets", type=int, nargs="+", default=[8, 16, 24, 32], help="lengths; longer sentences are left")
    p.add_argument("--sentences", type=int, help="learn only so many")
    p.add_argument("--words", type=int, default=1000, help="of the vocabulary, the most frequent ones")
    p.add_argument("--fused", action="store_true", help="train FusedRNNCell")
    p.add_argument("--epochs", type=int, default=8)
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--layers", type=int, default=1)
    p.add_argument("--batch-size", type=int, default=32)
    p.add_argument("--lr", type=float, default=0.003)
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args(None if argv is None else list(argv))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)  # it tells which accelerators it does not find
    random.seed(args.seed)  # the iterator shuffles with random and numpy
    np.random.seed(args.seed)
    mx.random.seed(args.seed)

    text = args.text.read_text(encoding="utf-8") if args.text else "\n\n".join(topics[key] for key in sorted(topics))
    found = sentences(text, args.words, max(args.buckets))
    random.shuffle(found)
    encoded, vocabulary = mx.rnn.encode_sentences(
        found[: args.sentences], invalid_label=NOTHING, invalid_key="<nothing>", start_label=NOTHING + 1
    )
    cut, words = len(encoded) // 10, len(vocabulary)
    test = mx.rnn.BucketSentenceIter(encoded[:cut], args.batch_size, args.buckets, invalid_label=NOTHING, layout="TN")
    train = mx.rnn.BucketSentenceIter(encoded[cut:], args.batch_size, args.buckets, invalid_label=NOTHING, layout="TN")
    unigram = unigram_perplexity(labels(train), labels(test), words)

    if args.fused:
        cell: Any = mx.rnn.FusedRNNCell(args.hidden, args.layers, mode="lstm", prefix="lstm_")
    else:
        cell = lstm(args.hidden, args.layers)
    module = mx.mod.BucketingModule(networks(cell, args.hidden, words), train.default_bucket_key)
    start = time.perf_counter()
    module.fit(
        train,
        eval_data=test,
        eval_metric=mx.metric.Perplexity(NOTHING),
        optimizer="adam",
        optimizer_params={"learning_rate": args.lr, "clip_gradient": 1.0},
        initializer=mx.init.Xavier(),
        batch_end_callback=mx.callback.Speedometer(args.batch_size, 50),
        num_epoch=args.epochs,
    )
    seconds = time.perf_counter() - start
    perplexity = dict(module.score(test, mx.metric.Perplexity(NOTHING)))["perplexity"]
    params = lstm(args.hidden, args.layers).pack_weights(cell.unpack_weights(module.get_params()[0]))
    written = [write(params, args.hidden, args.layers, vocabulary, word, 30) for word in ("the", "a", "if")]
    print(f"{len(encoded)} sentences, {words} words, {seconds:.1f} s")
    print(f"perplexity of held-out sentences: {perplexity:.1f}; of the unigram model: {unigram:.1f}; it writes:")
    print(*written, sep="\n")
    return Result(perplexity, unigram, written)


if __name__ == "__main__":
    main()
