# SPDX-License-Identifier: Apache-2.0
"""Small trainings with all that can get lost in a kill: dropout, momenta, schedulers, shuffled rows, threads."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import mxlite as mx

EPOCHS = 5


def _seed() -> None:
    mx.random.seed(1)
    np.random.seed(2)
    random.seed(3)


def _data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.RandomState(0).rand(rows, 6).astype("float32")
    return x, x[:, :3].argmax(axis=1).astype("float32")


def classifier() -> Any:
    """Dropout draws, batch normalization has auxiliary states."""
    hidden = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=8, name="fc1")
    hidden = mx.sym.Dropout(mx.sym.BatchNorm(hidden, name="bn"), p=0.3, name="drop")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")


def plain(checkpoint: Any = None, epochs: int = EPOCHS, context: Any = None, **kwargs: Any) -> Any:
    """As little as there is to compile: one layer on a few shuffled rows."""
    _seed()
    train = mx.io.NDArrayIter(*_data(24), 8, shuffle=True)
    scores = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc1")
    made = mx.mod.Module(mx.sym.SoftmaxOutput(scores, name="softmax"), context=context)
    options = {"optimizer": "nadam", "optimizer_params": {"learning_rate": 0.02}}
    made.fit(train, num_epoch=epochs, checkpoint=checkpoint, **{**options, **kwargs})
    return made


def module(checkpoint: Any = None, epochs: int = EPOCHS, **kwargs: Any) -> Any:
    """A `Module` on shuffled rows that roll over, with a falling rate and a validation."""
    _seed()
    train = mx.io.NDArrayIter(*_data(323), 8, shuffle=True, last_batch_handle="roll_over")
    valid = mx.io.NDArrayIter(*_data(37), 8, shuffle=True)
    made = mx.mod.Module(classifier())
    falling = mx.lr_scheduler.FactorScheduler(step=30, factor=0.9)
    options = {"optimizer": "nadam", "optimizer_params": {"learning_rate": 0.02, "lr_scheduler": falling, "wd": 1e-3}}
    made.fit(train, valid, num_epoch=epochs, checkpoint=checkpoint, **{**options, **kwargs})
    return made


def bucketing(checkpoint: Any = None, epochs: int = EPOCHS, **kwargs: Any) -> Any:
    """A `BucketingModule` on sentences, whose optimizer draws."""
    _seed()
    lengths = np.random.RandomState(0).randint(2, 5, 60)
    train = mx.rnn.BucketSentenceIter([[int(i % 7) for i in range(n)] for n in lengths], 4, [3, 4], invalid_label=0)

    def symbol(length: int) -> Any:
        embedded = mx.sym.Embedding(mx.sym.var("data"), input_dim=7, output_dim=5, name="embed")
        scores = mx.sym.FullyConnected(mx.sym.reshape(embedded, (-1, 5)), num_hidden=7, name="out")
        label = mx.sym.reshape(mx.sym.var("softmax_label"), (-1,))
        return mx.sym.SoftmaxOutput(scores, label, name="softmax"), ("data",), ("softmax_label",)

    made = mx.mod.BucketingModule(symbol, train.default_bucket_key)
    options = {"optimizer": "sgld", "optimizer_params": {"learning_rate": 1e-3}}
    made.fit(train, num_epoch=epochs, checkpoint=checkpoint, **{**options, **kwargs})
    return made


def sequential(checkpoint: Any = None, epochs: int = EPOCHS, **kwargs: Any) -> Any:
    """A `SequentialModule` of two, on batches that a thread fetches, with an optimizer that sums over batches."""
    _seed()
    rows = mx.io.NDArrayIter(*_data(80), 8, shuffle=True)
    train = mx.io.ResizeIter(mx.io.PrefetchingIter(rows), 13, reset_internal=False)
    hidden = mx.sym.Dropout(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=8, name="fc1"), p=0.2)
    last = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc2")
    made = mx.mod.SequentialModule()
    made.add(mx.mod.Module(hidden, label_names=None))
    made.add(mx.mod.Module(mx.sym.SoftmaxOutput(last, name="softmax")), take_labels=True, auto_wiring=True)
    options = {"optimizer": "lbsgd", "optimizer_params": {"learning_rate": 0.1, "momentum": 0.9, "batch_scale": 3}}
    made.fit(train, num_epoch=epochs, checkpoint=checkpoint, **{**options, **kwargs})
    return made


TRAININGS: dict[str, Callable[..., Any]] = {
    "plain": plain,
    "module": module,
    "bucketing": bucketing,
    "sequential": sequential,
}


def quietly(name: str, *args: Any, **kwargs: Any) -> Any:
    """Run a training without its log lines."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return TRAININGS[name](*args, **kwargs)
    finally:
        logging.disable(logging.NOTSET)


def weights(made: Any) -> dict[str, bytes]:
    """All parameters and auxiliary states, as bytes."""
    args, aux = made.get_params()
    return {name: value.asnumpy().tobytes() for name, value in {**args, **aux}.items()}
