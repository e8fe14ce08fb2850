# SPDX-License-Identifier: Apache-2.0
"""``mxlite launch -n 4 python train.py``: one job of several processes on this machine."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError, explain
from ..distributed import variables
from . import tethered
from .arguments import count
from .workers import Worker, catch_signals, supervise

_EPILOG = """\
The script needs no change: importing mxlite joins the job, and mx.kv.create('dist_sync') sums over all workers.
The first worker that fails ends the others, and its exit code is that of the launcher. Ctrl-C ends all.

On a cluster start the script once on every machine, with MXLITE_COORDINATOR=HOST:PORT (of worker 0),
MXLITE_NUM_WORKERS and MXLITE_RANK in the environment; under SLURM, Kubernetes or Open MPI MXLITE_DISTRIBUTED=auto.
"""
_DEVICE_COUNT = re.compile(r"--xla_force_host_platform_device_count=\S+")


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser(
        "launch",
        help="run a training script as several processes on this machine",
        usage="mxlite launch -n N [--devices-per-worker D] [--timeout SECONDS] [--port PORT] COMMAND [ARGUMENT ...]",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("-n", "--workers", type=count, required=True, metavar="N", help="how many processes")
    p.add_argument(
        "--devices-per-worker", type=count, metavar="D",
        help="give each D devices of its own: D CPU devices, and where there are GPUs, D of those; one by default",
    )  # fmt: skip
    p.add_argument("--timeout", type=count, metavar="SECONDS", help="how long they wait for one another at the start")
    p.add_argument("--port", type=count, help="where worker 0 listens; any free port by default")
    p.add_argument("program", nargs=argparse.REMAINDER, metavar="COMMAND", help="what each runs: python train.py ...")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the job; the exit code of the first worker that failed, 0 if none did."""
    command = args.program[1:] if args.program[:1] == ["--"] else args.program
    if not command:
        raise MXNetError(explain("no command to run", op="mxlite launch", hint="such as: mxlite launch -n 2 train.py"))
    if command[0].endswith(".py"):
        command = [sys.executable, *command]
    port = args.port or free_port()
    workers: list[Worker] = []
    with catch_signals() as received:
        try:
            for rank in range(args.workers):
                env = environment(os.environ, rank, args.workers, port, args.devices_per_worker, args.timeout)
                workers.append(Worker(rank, args.workers, start(command, env)))
            return supervise(workers, received)
        finally:
            for worker in workers:
                worker.kill()


def environment(
    outer: Mapping[str, str], rank: int, workers: int, port: int, devices: int | None, timeout: int | None
) -> dict[str, str]:
    """The environment of one worker.

    Args:
        outer: that of the launcher.
        rank, workers: the worker's place.
        port: where worker 0 listens, on this machine only.
        devices: how many each has; None leaves CPU devices as they are and gives each one GPU.
        timeout: seconds that they wait for one another at the start.
    """
    found = {name: value for name, value in outer.items() if name != variables.JOINED}
    address = f"127.0.0.1:{port}"
    found[variables.COORDINATOR] = found["JAX_COORDINATOR_BIND_ADDRESS"] = address
    found[variables.NUM_WORKERS], found[variables.RANK] = str(workers), str(rank)
    if timeout is not None:
        found[variables.JOIN_TIMEOUT] = str(timeout)
    if devices is not None:
        # JAX refuses to be told twice.
        found["XLA_FLAGS"] = _DEVICE_COUNT.sub("", found.get("XLA_FLAGS", "")).strip()
        found["JAX_NUM_CPU_DEVICES"] = str(devices)
    share = devices or 1
    found.setdefault("JAX_LOCAL_DEVICE_IDS", ",".join(str(rank * share + i) for i in range(share)))
    found.setdefault("PYTHONUNBUFFERED", "1")  # the last lines of a worker that is killed are not lost
    return found


def start(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that a signal reaches all that it starts, and Ctrl-C only the launcher.

    On Linux it is killed when the launcher is.

    Raises:
        MXNetError: the command cannot be run.
    """
    if shutil.which(command[0]) is None:
        hint = "name a program, or a script that ends in .py"
        raise MXNetError(explain(f"there is no program {command[0]!r}", op="mxlite launch", hint=hint))
    tether = [sys.executable, "-I", "-S", tethered.__file__] if sys.platform == "linux" else []
    return subprocess.Popen(
        [*tether, *command], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
