# SPDX-License-Identifier: Apache-2.0
"""What the environment says about a job, and what is said when it says nothing sensible; one process alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite.distributed import variables
from mxlite.distributed.watch import Ended, Watch

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = {"MXLITE_COORDINATOR": "10.0.0.1:99", "MXLITE_NUM_WORKERS": "4", "MXLITE_RANK": "3"}


def test_a_place() -> None:
    assert variables.place_in(GOOD) == ("10.0.0.1:99", 4, 3)
    assert variables.place_in({**GOOD, "MXLITE_COORDINATOR": "[::1]:99"}) == ("[::1]:99", 4, 3)
    assert variables.place_in({}) is None and variables.place_in({"MXLITE_RANK": ""}) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"MXLITE_RANK": ""}, r"MXLITE_RANK missing beside MXLITE_COORDINATOR=10.0.0.1:99, MXLITE_NUM_WORKERS=4"),
        ({"MXLITE_COORDINATOR": "", "MXLITE_RANK": ""}, r"MXLITE_COORDINATOR and MXLITE_RANK missing"),
        ({"MXLITE_COORDINATOR": "head"}, r"MXLITE_COORDINATOR='head' is no address\n  hint: write HOST:PORT"),
        ({"MXLITE_COORDINATOR": "head:0"}, r"is no address"),
        ({"MXLITE_COORDINATOR": "head:65536"}, r"is no address"),
        ({"MXLITE_RANK": "4"}, r"MXLITE_RANK=4 is no rank among 4 workers\n  hint: ranks are 0 to 3"),
        ({"MXLITE_RANK": "-1"}, r"MXLITE_RANK='-1' is no number"),
        ({"MXLITE_NUM_WORKERS": "0"}, r"MXLITE_NUM_WORKERS=0 is no number of workers"),
    ],
)
def test_variables_that_make_no_sense(changes: dict[str, str], message: str) -> None:
    with pytest.raises(mx.MXNetError, match=message):
        variables.place_in(GOOD | changes)


def test_other_variables() -> None:
    assert variables.seconds_in({}, variables.JOIN_TIMEOUT) == 300
    assert variables.seconds_in({"MXLITE_HEARTBEAT_TIMEOUT": "5"}, variables.HEARTBEAT_TIMEOUT) == 5
    for bad in ("0", "soon", "nan", "inf"):
        with pytest.raises(mx.MXNetError, match=f"MXLITE_JOIN_TIMEOUT='{bad}' is no time"):
            variables.seconds_in({"MXLITE_JOIN_TIMEOUT": bad}, variables.JOIN_TIMEOUT)
    assert variables.automatic({"MXLITE_DISTRIBUTED": "auto"}) and not variables.automatic({})
    with pytest.raises(mx.MXNetError, match="MXLITE_DISTRIBUTED='yes' is not known"):
        variables.automatic({"MXLITE_DISTRIBUTED": "yes"})


def test_a_process_alone() -> None:
    assert (mx.distributed.rank(), mx.distributed.num_workers()) == (0, 1)
    assert not mx.distributed.is_initialized()
    x = np.arange(3)
    assert mx.distributed.allreduce([x])[0] is x and mx.distributed.broadcast([x])[0] is x
    mx.distributed.barrier("alone")
    assert mx.distributed.describe({}) == "none; this process works alone"
    assert mx.distributed.describe({"MXLITE_NUM_WORKERS": "1"}) == "a job of one worker"
    with pytest.raises(mx.MXNetError, match="root=1 is none of 1 workers"):
        mx.distributed.broadcast([x], root=1)
    with pytest.raises(mx.MXNetError, match="complex"):
        mx.distributed.allreduce([x.astype("complex64")])


def test_it_is_too_late_once_devices_are_in_use() -> None:
    mx.nd.ones((1,)).wait_to_read()
    with pytest.raises(mx.MXNetError, match="devices are in use already"):
        mx.distributed.initialize("127.0.0.1:9", 2, 1)
    with pytest.raises(mx.MXNetError, match="rank missing"):
        mx.distributed.initialize("127.0.0.1:9", 2)


def run(code: str, **environment: str) -> tuple[subprocess.CompletedProcess[str], float]:
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'compiler'}", "JAX_PLATFORMS": "cpu", **environment}
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    return done, time.monotonic() - begin


def test_a_coordinator_that_nobody_answers_at() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # taken, and deaf
        address = f"127.0.0.1:{s.getsockname()[1]}"
        place = {"MXLITE_COORDINATOR": address, "MXLITE_NUM_WORKERS": "2", "MXLITE_JOIN_TIMEOUT": "1"}
        late, seconds = run("import mxlite", MXLITE_RANK="1", **place)
        taken, _ = run("import mxlite", MXLITE_RANK="0", **place)
    assert late.returncode == 1 and seconds < 20
    assert f"MXNetError: mx.distributed: worker 1 cannot reach the coordinator {address} within 1 s" in late.stderr
    assert taken.returncode == 1
    assert f"worker 0 cannot open port {address.partition(':')[2]} of {address}" in taken.stderr


def test_a_cluster_that_is_none() -> None:
    done, _ = run("import mxlite", MXLITE_DISTRIBUTED="auto")
    assert done.returncode == 1
    assert "no job was joined: coordinator_address should be defined" in done.stderr
    assert "hint: JAX knows SLURM, Kubernetes, Open MPI and Cloud TPU by their variables" in done.stderr


def test_a_job_of_one_worker_needs_nobody() -> None:
    done, _ = run(
        "import mxlite as mx; print(mx.kv.create('dist').num_workers)",
        MXLITE_COORDINATOR="127.0.0.1:9", MXLITE_NUM_WORKERS="1", MXLITE_RANK="0",
    )  # fmt: skip
    assert done.stdout == "1\n", done.stderr


def test_what_a_worker_concludes_from_the_others() -> None:
    watch = Watch(None, 1, 4, 20)
    everyone = {0, 1, 2, 3}
    assert watch._failures(everyone, {}) == {}
    assert watch._failures({0, 1}, {2: Ended(0, ""), 3: Ended(5, "")}) == {}
    assert watch._failures({0, 1, 3}, {}) == {2: "it has not been heard of for 20 s: killed, or its machine is gone"}
    assert watch._failures(everyone, {2: Ended(0, "ValueError: x"), 3: Ended(0, "because of worker 2: ...")}) == {
        2: "ValueError: x"
    }
    watch.launches = 5
    (reason,) = watch._failures(everyone, {2: Ended(5, ""), 3: Ended(4, "")}).values()
    assert reason.startswith("it ended after 4 programs over all workers, and this one waits for it in number 5")
    assert Ended.of(Ended(3, "a b").text()) == Ended(3, "a b") and Ended.of(Ended(3, "").text()) == Ended(3, "")
