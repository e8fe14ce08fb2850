# SPDX-License-Identifier: Apache-2.0
"""The classic tasks of MXNet's examples, shortened: each reaches the number that says it has learnt something."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.pyplot import imread

import bucketing_lm
import fine_tuning
import gan
import matrix_factorisation
import multi_task
import mxlite as mx


@pytest.mark.parametrize("cell", [[], ["--fused"]])
def test_bucketing_lm_beats_the_unigram_model(cell: list[str]) -> None:
    options = "--buckets 6 12 --sentences 1000 --words 300 --hidden 64 --lr 0.01 --epochs 6".split()
    result = bucketing_lm.main([*options, *cell])
    assert 40 < result.unigram < 120
    assert result.perplexity < 0.8 * result.unigram
    for start, sentence in zip(("the", "a", "if"), result.written, strict=True):
        words = sentence.split()
        assert words[0] == start and 1 < len(words) <= 30 and bucketing_lm.RARE not in words


@pytest.mark.parametrize("storage", [[], ["--sparse"]])
def test_matrix_factorisation_beats_the_biases(storage: list[str]) -> None:
    options = "--scans 300 --batch-size 128 --epochs 8".split()
    result = matrix_factorisation.main([*options, *storage])
    assert result.mean == pytest.approx(6.0, abs=0.2)
    assert result.biases == pytest.approx(4.3, abs=0.2)
    assert result.factors < 3  # MXNet: 2.6 to 2.8


def test_multi_task_learns_both() -> None:
    result = multi_task.main(["--epochs", "5"])
    assert result.together["digit"] > 0.9 and result.together["odd"] > 0.93
    assert result.alone["digit"] > 0.9 and result.alone["odd"] > 0.93


def test_multi_task_metric_is_the_accuracy_of_each() -> None:
    metric = multi_task.TaskAccuracy(["digit", "odd"])
    labels = [mx.nd.array([2, 0, 1]), mx.nd.array([0, 0, 1])]
    metric.update(labels, [mx.nd.one_hot(mx.nd.array([2, 0, 0]), 3), mx.nd.one_hot(mx.nd.array([1, 0, 0]), 2)])
    assert metric.get_name_value() == [("digit-accuracy", 2 / 3), ("odd-accuracy", 1 / 3)]


def test_gan_draws_what_a_classifier_reads(tmp_path: Path) -> None:
    options = "--epochs 3 --batch-size 32 --lr 0.002 --output".split()
    result = gan.main([*options, str(tmp_path / "deeper" / "gan.png")])
    assert result.scans > 8.5 and result.before < 1.5
    assert result.drawn > 4  # MXNet: 6.4 to 7.4
    assert result.digits >= 5
    assert imread(result.picture).shape[:2] == (100, 100)


@pytest.mark.parametrize("frozen", [[], ["--freeze"]])
def test_fine_tuning_learns_faster_than_from_scratch(frozen: list[str], tmp_path: Path) -> None:
    result = fine_tuning.main(["--pretrain-epochs", "5", "--output", str(tmp_path), *frozen])
    assert result.pretrained > 0.97
    assert result.tuned > 0.75 and result.tuned > result.scratch  # MXNet: 0.82 to 0.89, from scratch 0.57 to 0.73
