# SPDX-License-Identifier: Apache-2.0
"""Two processes with two devices each train as one process does on the whole batches."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from tests.module import together

HERE = Path(__file__).resolve().parent
ROOTS = os.pathsep.join([str(HERE.parent.parent), str(HERE.parent.parent / "compiler")])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    command = [sys.executable, "-m", "mxlite", "launch", "-n", "2", "--devices-per-worker", "2"]
    done = subprocess.run(
        [*command, sys.executable, str(HERE / "together.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": ROOTS, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    files = [folder / f"{rank}.json" for rank in range(2)]
    assert all(f.exists() for f in files), done.stderr[-3000:]
    with np.errstate(all="ignore"):
        one = together.run(together.Worker(0, 1, [mx.cpu()]), str(folder))
    return [json.loads(f.read_text(encoding="utf-8")) for f in files], one, folder, done


@pytest.mark.parametrize("scenario", ["fitted", "by_hand", "in_python", "in_buckets"])
def test_the_weights_are_those_of_one_process(found, scenario):
    workers, one, *_ = found
    for numbers, _ in (w[scenario] for w in workers):
        assert numbers.keys() == one[scenario][0].keys()
        for name, expected in one[scenario][0].items():
            np.testing.assert_allclose(numbers[name], expected, rtol=1e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("scenario", ["fitted", "by_hand", "in_python", "in_buckets", "dropped", "noisy"])
def test_all_workers_have_the_same_weights(found, scenario):
    first, second = (w[scenario][0] for w in found[0])
    assert first == second


def test_checkpoints_are_equal(found):
    folder = found[2]
    for ending in ("-0002.params", "-0002.states"):
        assert (folder / f"of2-0{ending}").read_bytes() == (folder / f"of2-1{ending}").read_bytes()


def test_a_step_is_one_launch_and_its_metrics_another(found):
    for w in found[0]:
        facts = w["fitted"][1]
        assert facts["counts"] == [[1, 0]] * 3
        assert facts["rescale"] == 1 / 16


def test_outputs_and_gradients_are_those_of_the_own_batch(found):
    workers, one, *_ = found
    for scenario, name in (("fitted", "output"), ("by_hand", "grad")):
        rows = np.concatenate([w[scenario][1][name] for w in workers])
        np.testing.assert_allclose(rows, one[scenario][1][name], rtol=1e-5, atol=2e-6)
    assert workers[0]["by_hand"][1]["parts"] == [[4, 3], [4, 3]]


def test_metrics_are_those_of_the_own_batch(found):
    workers, one, *_ = found
    mean = np.mean([w["fitted"][1]["metric"] for w in workers], axis=0)
    np.testing.assert_allclose(mean, one["fitted"][1]["metric"], rtol=1e-5)
    assert workers[0]["fitted"][1]["metric"] != workers[1]["fitted"][1]["metric"]


def test_each_worker_predicts_for_itself(found):
    workers, one, *_ = found
    mine = np.array(one["fitted"][1]["predicted"]).reshape(4, 16, 3)[:, :8].reshape(-1, 3)
    np.testing.assert_allclose(workers[0]["fitted"][1]["predicted"], mine, rtol=1e-5, atol=2e-6)
    assert "score" in workers[0]["fitted"][1] and "score" not in workers[1]["fitted"][1]


def test_asynchronous_training_is_told_to_be_in_step(found):
    told = found[3].stderr + found[3].stdout
    for rank in range(2):
        line = rf"^\[{rank}\] (WARNING:root:)?kvstore dist_async: updates are synchronous, as with dist_sync"
        assert re.search(line, told, re.MULTILINE)


def test_what_cannot_be_split_says_what_to_do(found):
    for w in found[0]:
        error = w["refused"][1]["error"]
        assert "Module cannot train in 2 workers because rows_weight is sparse or has a sparse gradient" in error
        assert "mx.distributed.allreduce" in error


def test_workers_that_differ_end_with_an_error(found):
    done = found[3]
    assert done.returncode != 0
    assert "worker 1 trains another network, or with another optimizer, than worker 0" in done.stderr + done.stdout
    assert "lr=0.2" in done.stderr + done.stdout
