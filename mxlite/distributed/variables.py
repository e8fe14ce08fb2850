# SPDX-License-Identifier: Apache-2.0
"""What the environment says about the job that this process belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from ..base import MXNetError, explain

COORDINATOR, NUM_WORKERS, RANK = "MXLITE_COORDINATOR", "MXLITE_NUM_WORKERS", "MXLITE_RANK"
DISTRIBUTED = "MXLITE_DISTRIBUTED"
JOIN_TIMEOUT, HEARTBEAT_TIMEOUT = "MXLITE_JOIN_TIMEOUT", "MXLITE_HEARTBEAT_TIMEOUT"
#: Set by a process that has joined a job, for the processes that it starts: they inherit the variables, but are no
#: workers.
JOINED = "MXLITE_JOINED_BY"
#: How long workers wait for one another at the start: clusters start them minutes apart. And how long one may send no
#: heartbeat before it counts as dead; heartbeats come from a thread that never waits for Python. In seconds.
_DEFAULTS = {JOIN_TIMEOUT: 300, HEARTBEAT_TIMEOUT: 20}


class Place(NamedTuple):
    """A process's place in a job.

    Attributes:
        coordinator: ``host:port``, where worker 0 answers.
        workers: how many there are.
        rank: which of them this one is, from 0.
    """

    coordinator: str
    workers: int
    rank: int


def place(coordinator: str, workers: int, rank: int) -> Place:
    """The place, checked.

    Raises:
        MXNetError: the address is no ``host:port``, or the rank is none of 0 to `workers` - 1.
    """
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        _refuse(f"{COORDINATOR}={coordinator!r} is no address", "write HOST:PORT, such as 10.0.0.1:9876")
    if workers < 1:
        _refuse(f"{NUM_WORKERS}={workers} is no number of workers", "it is the same number, 1 or more, in all workers")
    if not 0 <= rank < workers:
        _refuse(f"{RANK}={rank} is no rank among {workers} workers", f"ranks are 0 to {workers - 1}, each taken once")
    return Place(coordinator, workers, rank)


def place_in(variables: Mapping[str, str]) -> Place | None:
    """The place that the variables name; None when they name none.

    Raises:
        MXNetError: some of them are there and others are missing, or a value makes no sense.
    """
    names = (COORDINATOR, NUM_WORKERS, RANK)
    missing = [name for name in names if not variables.get(name)]
    if len(missing) == len(names):
        return None
    if missing:
        there = [f"{name}={variables[name]}" for name in names if name not in missing]
        _refuse(
            f"{' and '.join(missing)} missing beside {', '.join(there)}",
            "a worker needs all three; `mxlite launch` sets them",
        )
    return place(variables[COORDINATOR], _number(variables, NUM_WORKERS), _number(variables, RANK))


def seconds_in(variables: Mapping[str, str], name: str) -> float:
    """The time that JOIN_TIMEOUT or HEARTBEAT_TIMEOUT says, in seconds.

    Raises:
        MXNetError: it is less than a second, or no number.
    """
    text = variables.get(name) or str(_DEFAULTS[name])
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds < float("inf"):
        _refuse(f"{name}={text!r} is no time", f"write seconds, 1 or more; {_DEFAULTS[name]} is the default")
    return seconds


def automatic(variables: Mapping[str, str]) -> bool:
    """Whether the cluster shall be asked, as ``MXLITE_DISTRIBUTED=auto`` says."""
    value = variables.get(DISTRIBUTED, "")
    if value not in ("", "0", "auto"):
        _refuse(f"{DISTRIBUTED}={value!r} is not known", "write auto, for SLURM, Kubernetes or Open MPI, or unset it")
    return value == "auto"


def _number(variables: Mapping[str, str], name: str) -> int:
    text = variables[name]
    if not text.isdecimal():
        _refuse(f"{name}={text!r} is no number", "it counts workers")
    return int(text)


def _refuse(problem: str, hint: str) -> NoReturn:
    raise MXNetError(explain(problem, op="mx.distributed", hint=hint))
