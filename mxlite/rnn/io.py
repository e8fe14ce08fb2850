# SPDX-License-Identifier: Apache-2.0
"""Sentences as numbers, and in batches of one length."""

from __future__ import annotations

import bisect
import random
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..base import as_dtype, nearest
from ..context import current_context
from ..io import DataBatch, DataDesc, DataError, DataIter
from ..io.desc import IterError
from ..io.source import uploads
from ..log import ROOT


class UnknownToken(DataError, AssertionError):
    """A word that the vocabulary lacks; MXNet raises an AssertionError."""


def encode_sentences(
    sentences: Iterable[Iterable[Hashable]],
    vocab: dict[Any, int] | None = None,
    invalid_label: int = -1,
    invalid_key: Hashable = "\n",
    start_label: int = 0,
    unknown_token: Hashable | None = None,
) -> tuple[list[list[int]], dict[Any, int]]:
    """Sentences as lists of numbers.

    Args:
        sentences: lists of words.
        vocab: numbers of words; a new one is built by default.
        invalid_label: the number of no word, which fills sentences up.
        invalid_key: stands for it in the new vocabulary.
        start_label: the first number of a new word.
        unknown_token: every word that is not in the vocabulary counts as this one, which each time gets the next
            number, in `vocab`, too. So it is in MXNet.

    Returns:
        The sentences, and the vocabulary.

    Raises:
        UnknownToken: a word is not in the given `vocab`, and there is no `unknown_token`.

    Source: `mxnet.rnn.encode_sentences`.
    """
    new = vocab is None
    words: dict[Any, int] = {invalid_key: invalid_label} if vocab is None else vocab
    index = start_label
    encoded = []
    for sentence in sentences:
        numbers = []
        for word in sentence:
            if word not in words:
                if not new and unknown_token is None:
                    hint = nearest(word, [w for w in words if isinstance(w, str)]) if isinstance(word, str) else ""
                    raise UnknownToken(f"Unknown token {word}{hint}; unknown_token=... gives such words a number")
                if index == invalid_label:
                    index += 1
                if unknown_token is not None:
                    word = unknown_token
                words[word] = index
                index += 1
            numbers.append(words[word])
        encoded.append(numbers)
    return encoded, words


class BucketSentenceIter(DataIter):
    """Batches of sentences of about one length, for a language model: the label of a word is the next one.

    Each batch names its `bucket_key`, the length, for a `BucketingModule`. Sentences and batches are shuffled anew at
    every `reset`, by `random` and `numpy.random` as in MXNet; what is left of a bucket after whole batches, is left
    out.

    Args:
        sentences: lists of numbers, see `encode_sentences`.
        batch_size: sentences of a batch.
        buckets: the lengths; by default every one that has a batch. A sentence goes into the smallest that holds it.
        invalid_label: fills sentences up.
        data_name, label_name: names of the inputs.
        dtype: of the batches.
        layout: ``NT``, or ``TN`` for time first.

    Raises:
        DataError: there is no bucket.
        ValueError: the layout is neither.

    Source: `mxnet.rnn.BucketSentenceIter`.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        batch_size: int,
        buckets: Sequence[int] | None = None,
        invalid_label: int = -1,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: Any = "float32",
        layout: str = "NT",
    ) -> None:
        super().__init__(batch_size)
        if layout not in ("NT", "TN"):
            raise ValueError(f"Invalid layout {layout}: Must by NT (batch major) or TN (time major)")
        if buckets is None:
            counts = np.bincount(np.array([len(s) for s in sentences], dtype=np.int64)) if len(sentences) else ()
            buckets = [length for length, n in enumerate(counts) if n >= batch_size]
        lengths = sorted(buckets)
        if not lengths:
            raise DataError(f"no length has {batch_size} sentences, a batch; give buckets, or a smaller batch_size")
        dtype = as_dtype(dtype, "BucketSentenceIter")
        rows: list[list[np.ndarray]] = [[] for _ in lengths]
        for sentence in sentences:
            place = bisect.bisect_left(lengths, len(sentence))
            if place < len(lengths):
                row = np.full(lengths[place], invalid_label, dtype)
                row[: len(sentence)] = sentence
                rows[place].append(row)
        discarded = len(sentences) - sum(map(len, rows))
        if discarded:
            ROOT.warning("discarded %d sentences longer than the largest bucket.", discarded)
        self.buckets = [length for length, found in zip(lengths, rows, strict=True) if found]
        if not self.buckets:
            raise DataError(f"all {len(sentences)} sentences are longer than the largest bucket, {lengths[-1]}")
        self.data = [np.stack(found) for found in rows if found]
        self.batch_size, self.invalid_label = batch_size, invalid_label
        self.data_name, self.label_name, self.dtype, self.layout = data_name, label_name, dtype, layout
        self.major_axis = layout.find("N")
        self.default_bucket_key = max(self.buckets)
        self.provide_data = [self._description(data_name, self.default_bucket_key)]
        self.provide_label = [self._description(label_name, self.default_bucket_key)]
        self.idx = [
            (i, j) for i, found in enumerate(self.data) for j in range(0, len(found) - batch_size + 1, batch_size)
        ]
        self.curr_idx = 0
        #: Which sentence, counted as they were given, stands where in each bucket.
        self._orders = [np.arange(len(found)) for found in self.data]
        self.reset()

    def _description(self, name: str, length: int) -> DataDesc:
        shape = (self.batch_size, length) if self.major_axis == 0 else (length, self.batch_size)
        return DataDesc(name, shape, layout=self.layout)

    def reset(self) -> None:
        """Begin again, in another order."""
        self.curr_idx = 0
        random.shuffle(self.idx)
        orders = [order.copy() for order in self._orders]
        for order in orders:
            np.random.shuffle(order)
        self._arrange(orders)

    def _arrange(self, orders: list[np.ndarray]) -> None:
        """Put the sentences into an order, and make their labels."""
        # Batches are windows on the arrays, so the old ones are left as they are.
        self.data = [
            found[np.argsort(old)[new]] for found, old, new in zip(self.data, self._orders, orders, strict=True)
        ]
        self._orders, self._labels = orders, []
        for found in self.data:
            label = np.full_like(found, self.invalid_label)
            label[:, :-1] = found[:, 1:]
            self._labels.append(label)

    def state_dict(self) -> dict[str, Any]:
        return {"idx": list(self.idx), "curr_idx": self.curr_idx, "orders": [order.copy() for order in self._orders]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        sizes = [len(order) for order in state["orders"]]
        if sizes != [len(order) for order in self._orders]:
            raise IterError(f"the state has {sizes} sentences in its buckets, here are {list(map(len, self._orders))}")
        self._arrange([order.copy() for order in state["orders"]])
        self.idx, self.curr_idx = list(state["idx"]), state["curr_idx"]

    def next(self) -> DataBatch:
        """The next batch. StopIteration after the last."""
        if self.curr_idx == len(self.idx):
            raise StopIteration
        bucket, row = self.idx[self.curr_idx]
        self.curr_idx += 1
        rows = slice(row, row + self.batch_size)
        values = [self.data[bucket][rows], self._labels[bucket][rows]]
        if self.major_axis == 1:
            values = [np.ascontiguousarray(x.T) for x in values]
        data, label = uploads(values, current_context())
        length = self.buckets[bucket]
        return DataBatch(
            [data],
            [label],
            pad=0,
            bucket_key=length,
            provide_data=[self._description(self.data_name, length)],
            provide_label=[self._description(self.label_name, length)],
        )
