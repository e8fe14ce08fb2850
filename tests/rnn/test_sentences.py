# SPDX-License-Identifier: Apache-2.0
"""Sentences in buckets, encoded words, and checkpoints of cells; recorded from MXNet 1.9.1."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from tests.rnn import cases

GOLDEN = Path(__file__).parent.parent / "golden" / "rnn" / "cells.json.gz"
RECORDED = json.loads(gzip.decompress(GOLDEN.read_bytes()))["sentences"]
R = mx.rnn


@pytest.mark.parametrize("name", list(RECORDED))
def test_sentences_equal_mxnets(name):
    """The order of the batches, too: the same seeds of `random` and `numpy.random` shuffle alike."""
    assert json.loads(json.dumps(cases.sentences(mx)[name]())) == RECORDED[name]


def test_batches_stay_as_they_are_when_the_iterator_goes_on():
    sentences = R.BucketSentenceIter([[i, i + 1, i + 2] for i in range(8)], 4)
    first = sentences.next()
    held = first.data[0]
    before = first.label[0].asnumpy()
    shown = held.asnumpy()
    for _ in range(3):
        sentences.reset()
        list(sentences)
    np.testing.assert_array_equal(held.asnumpy(), shown)
    np.testing.assert_array_equal(first.label[0].asnumpy(), before)
    np.testing.assert_array_equal(before[:, :-1], shown[:, 1:])


def test_sentences_that_are_too_long_are_told(caplog):
    found = R.BucketSentenceIter([[1], [1, 2], [1, 2, 3]], 1, buckets=[2])
    assert "discarded 1 sentences longer than the largest bucket." in caplog.text
    assert len(list(found)) == 2


MISTAKES = {
    "layout": (lambda: R.BucketSentenceIter([[1]], 1, layout="XX"), ValueError, "XX"),
    "no bucket": (lambda: R.BucketSentenceIter([[1, 2]], 2), ValueError, "smaller batch_size"),
    "no sentence": (lambda: R.BucketSentenceIter([], 2), ValueError, "smaller batch_size"),
    "all too long": (lambda: R.BucketSentenceIter([[1, 2]], 1, buckets=[1]), ValueError, "longer"),
    "unknown word": (lambda: R.encode_sentences([["hapy"]], vocab={"happy": 1}), AssertionError, "Unknown token hapy"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    call, kind, words = MISTAKES[mistake]
    with pytest.raises(kind, match=words):
        call()


def test_a_checkpoint_of_one_form_is_read_by_the_other(tmp_path):
    fused = R.FusedRNNCell(2, prefix="l_")
    network = fused.unroll(1, mx.sym.Variable("data"), layout="TNC", merge_outputs=True)[0]
    weights = {"l_parameters": mx.nd.arange(4 * 2 * (3 + 2 + 2)), "other": mx.nd.ones(2)}
    saved = R.do_rnn_checkpoint(fused, str(tmp_path / "a"), 2)
    saved(0, network, weights, {})
    assert not list(tmp_path.iterdir())
    saved(1, network, weights, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-0002.params", "a-symbol.json"]
    assert list(weights) == ["l_parameters", "other"]
    assert "l_l0_h2h_f_bias" in mx.model.load_params(str(tmp_path / "a"), 2)[0]

    _, args, aux = R.load_rnn_checkpoint([fused], str(tmp_path / "a"), 2)
    assert aux == {}
    np.testing.assert_array_equal(args["l_parameters"].asnumpy(), weights["l_parameters"].asnumpy())
    _, args, _ = R.load_rnn_checkpoint(fused.unfuse(), str(tmp_path / "a"), 2)
    assert sorted(args) == ["l_l0_h2h_bias", "l_l0_h2h_weight", "l_l0_i2h_bias", "l_l0_i2h_weight", "other"]
    np.testing.assert_array_equal(args["l_l0_i2h_weight"].asnumpy(), np.arange(24).reshape(8, 3))


def test_a_checkpoint_without_the_cells_weights_is_told(tmp_path):
    mx.model.save_checkpoint(str(tmp_path / "a"), 1, mx.sym.Variable("data"), {"x": mx.nd.ones(1)}, {})
    with pytest.raises(KeyError, match="lstm_i2h_i_weight"):
        R.load_rnn_checkpoint(R.LSTMCell(2), str(tmp_path / "a"), 1)
