# SPDX-License-Identifier: Apache-2.0
"""Jobs of two processes on loopback, as clusters start them: without a launcher that looks after them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from mxlite.cli.launch import environment, free_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Worker(NamedTuple):
    """How a worker ended: its exit code, what it wrote, and when, in seconds from the start."""

    code: int
    output: str
    seconds: float


def job(scenario: str, ranks: tuple[int, ...] = (0, 1), timeout: int = 60) -> list[Worker]:
    """Run the workers `ranks` of two until all have ended; none may live longer than a minute."""
    port, processes, begin = free_port(), [], time.monotonic()
    base = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'compiler'}", "JAX_PLATFORMS": "cpu"}
    base["MXLITE_HEARTBEAT_TIMEOUT"] = "5"
    for rank in ranks:
        command = [sys.executable, "-u", str(HERE / "worker.py"), scenario]
        env = environment(base, rank, 2, port, 1, timeout)
        processes.append(
            subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    found = []
    try:
        for process in processes:
            output, _ = process.communicate(timeout=60)
            found.append(Worker(process.returncode, output, time.monotonic() - begin))
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return found


def test_a_killed_worker_ends_the_others() -> None:
    survivor, killed = job("kill1")
    assert killed.code == -9 and "worker 1 ends" in killed.output
    assert survivor.code in (1, 76), survivor.output
    assert "because of worker 1: it has not been heard of for 5 s: killed, or its machine is gone" in survivor.output
    assert "not reached" not in survivor.output


def test_a_killed_coordinator_ends_the_others() -> None:
    killed, survivor = job("kill0")
    assert killed.code == -9
    assert survivor.code == -6, survivor.output  # JAX aborts
    assert "This most likely indicates that another task died" in survivor.output
    assert "not reached" not in survivor.output


@pytest.mark.parametrize(
    ("scenario", "code", "reason"),
    [
        ("raise1", 1, "worker 1: ValueError: a mistake in the script"),
        ("exit0", 3, "worker 0: it (ended after|was done)"),
    ],
)
def test_a_worker_that_ends_early_ends_the_others(scenario: str, code: int, reason: str) -> None:
    workers = job(scenario)
    culprit = int(scenario[-1])
    assert workers[culprit].code == code, workers[culprit].output
    assert workers[1 - culprit].code in (1, 76)
    # Whether it "ends because of" the other, or "failed after others had ended": the broken connection may be faster.
    assert re.search(reason, workers[1 - culprit].output), workers[1 - culprit].output
    assert "not reached" not in workers[1 - culprit].output


def test_a_job_whose_workers_do_not_all_come() -> None:
    (alone,) = job("all", ranks=(0,), timeout=3)
    assert alone.code == 1, alone.output
    assert "MXNetError: mx.distributed: worker 0 of 2 waited 3 s at 127.0.0.1:" in alone.output
    assert "not all workers came" in alone.output
