# SPDX-License-Identifier: Apache-2.0
"""Processes that train together: one is killed, all are started again, and end with the same weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx

PROGRAM = """
import os, random, signal, sys
import numpy as np
import mxlite as mx

prefix, victim = sys.argv[1], int(sys.argv[2])
rank, size = mx.distributed.rank(), mx.distributed.num_workers()
mx.random.seed(1)
random.seed(3)
np.random.seed(rank)
x = np.random.RandomState(0).rand(48, 6).astype("float32")
train = mx.io.NDArrayIter(x[rank::size], x[rank::size, :3].argmax(1), 4, shuffle=True)
hidden = mx.sym.Dropout(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=5, name="fc1"), p=0.3)
net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")

def kill(param):
    if rank == victim and (param.epoch, param.nbatch) == (2, 3):
        os.kill(os.getpid(), signal.SIGKILL)

module = mx.mod.Module(net)
module.fit(
    train, num_epoch=4, kvstore="dist_sync", optimizer="adam", batch_end_callback=kill,
    checkpoint=mx.model.Checkpoint(prefix),
)
"""


def launch(folder: Path, environment: dict[str, str], victim: int) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "mxlite", "launch", "-n", "2", sys.executable, "-c", PROGRAM,
         str(folder / "net"), str(victim)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_job_whose_worker_is_killed_goes_on(tmp_path: Path, environment: dict[str, str]):
    whole = launch(tmp_path / "whole", environment, -1)
    assert whole.returncode == 0, whole.stderr[-3000:]
    killed = launch(tmp_path / "killed", environment, 1)
    assert killed.returncode != 0
    assert mx.model.Checkpoint(tmp_path / "killed" / "net").newest() == 2
    again = launch(tmp_path / "killed", environment, -1)
    assert again.returncode == 0, again.stderr[-3000:]
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "killed" / path.name).read_bytes() == path.read_bytes(), path.name

    net = mx.sym.load(str(tmp_path / "killed" / "net-symbol.json"))
    train = mx.io.NDArrayIter(np.ones((24, 6)), np.zeros(24), 4)
    with pytest.raises(mx.MXNetError, match="2 processes trained it together, now there are 1"):
        mx.mod.Module(net).fit(
            train, num_epoch=5, optimizer="adam", checkpoint=mx.model.Checkpoint(tmp_path / "killed" / "net")
        )
