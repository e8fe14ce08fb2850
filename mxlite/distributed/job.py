# SPDX-License-Identifier: Apache-2.0
"""Joining a job of `jax.distributed`, and what a worker asks of it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

import jax
from jax._src import distributed as _jax_distributed  # the rank without starting devices, keys and barriers
from jax._src import xla_bridge

from ..base import MXNetError, explain
from . import variables as env
from .variables import Place
from .watch import Watch

#: Between two attempts to reach the coordinator, in seconds.
_PAUSE = 0.2
#: JAX ends the process, with no exception, when its own time is up: it must be longer than any that is waited here.
_FOREVER = 10**6
#: Looks after the other workers, from when this process has joined a job: once in its life.
_watch: Watch | None = None


def initialize(
    coordinator: str | None = None,
    num_workers: int | None = None,
    rank: int | None = None,
    timeout: float | None = None,
) -> None:
    """Make this process a worker of a job. Nothing to do where it is one already, as under ``mxlite launch``.

    It must come before anything that uses a device. Without arguments the variables MXLITE_COORDINATOR,
    MXLITE_NUM_WORKERS and MXLITE_RANK tell the place; without those, JAX asks SLURM, Kubernetes, Open MPI or Cloud TPU.

    Args:
        coordinator: ``host:port``; worker 0 opens it, the others connect to it.
        num_workers: how many workers there are.
        rank: which of them this is, from 0.
        timeout: seconds to wait for all workers; by default MXLITE_JOIN_TIMEOUT, or 300.

    Raises:
        MXNetError: the place makes no sense, the coordinator cannot be reached or its port is taken, not all workers
            came in time, or a device is in use already.

    Source: `jax.distributed.initialize`.
    """
    if is_initialized():
        return
    given = {"coordinator": coordinator, "num_workers": num_workers, "rank": rank}
    missing = [name for name, value in given.items() if value is None]
    if coordinator is not None and num_workers is not None and rank is not None:
        where = env.place(coordinator, num_workers, rank)
    elif len(missing) == len(given):
        where = env.place_in(os.environ)
    else:
        raise MXNetError(
            explain(f"{' and '.join(missing)} missing", op="mx.distributed.initialize", hint="give all three, or none")
        )
    _start(where, env.seconds_in(os.environ, env.JOIN_TIMEOUT) if timeout is None else timeout)


def join(variables: MutableMapping[str, str]) -> None:
    """Join the job that the variables of the environment describe, if they do.

    Raises:
        MXNetError: as `initialize`.
    """
    if variables.get(env.JOINED, str(os.getpid())) != str(os.getpid()):
        return  # a process that a worker has started
    where = env.place_in(variables)
    if where is not None or env.automatic(variables):
        _start(where, env.seconds_in(variables, env.JOIN_TIMEOUT))
        variables[env.JOINED] = str(os.getpid())


def is_initialized() -> bool:
    """Whether this process is part of a job."""
    return _jax_distributed.global_state.client is not None


def rank() -> int:
    """Which of the workers this process is, from 0; 0 outside of a job."""
    return _jax_distributed.global_state.process_id if is_initialized() else 0


def num_workers() -> int:
    """How many workers the job has; 1 outside of a job."""
    return _jax_distributed.global_state.num_processes if is_initialized() else 1


def barrier(name: str = "barrier", timeout: float = 300.0) -> None:
    """Wait until all workers have come here. Returns at once outside of a job.

    Args:
        name: the same in all workers; it may be used again.
        timeout: seconds to wait for the others.

    Raises:
        MXNetError: not all of them came in time.
    """
    client: Any = _jax_distributed.global_state.client
    if client is None:
        return
    try:
        client.wait_at_barrier(f"mxlite/{name}", round(timeout * 1000))
    except jax.errors.JaxRuntimeError as e:
        problem = f"not all of the {num_workers()} workers came to {name!r} within {timeout:g} s"
        told = " ".join(str(e).split())
        raise MXNetError(explain(problem, op="mx.distributed.barrier", given=[("rank", rank())], rule=told)) from e


def launching() -> None:
    """Tell that a program over all workers is about to be launched.

    All of them launch the same ones in the same order. Who counts them can end instead of waiting for a worker that
    has ended before.
    """
    if _watch is not None:
        _watch.launches += 1


def _start(where: Place | None, timeout: float) -> None:
    """Join a job; None is the place that JAX finds out."""
    if where is not None and where.workers == 1:
        return  # a job of one worker needs nobody
    if xla_bridge.backends_are_initialized():
        hint = "import mxlite, or call mx.distributed.initialize(), before the first array is made"
        raise MXNetError(explain("devices are in use already", op="mx.distributed", hint=hint))
    end = time.monotonic() + timeout
    if where is not None:
        (_check_port if where.rank == 0 else _reach)(where, timeout)
    heartbeat = round(env.seconds_in(os.environ, env.HEARTBEAT_TIMEOUT))
    _configure()
    _connect(where, end, timeout, heartbeat)
    state = _jax_distributed.global_state
    global _watch
    _watch = Watch(state.client, state.process_id, state.num_processes, heartbeat)
    _watch.start()


def _configure() -> None:
    """Options of JAX that a job needs; they must be set before it starts."""
    config: Any = jax.config
    if config.jax_cpu_collectives_implementation in (None, "none"):
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # A worker may end while others still write their checkpoints, and who dies is told by `Watch`; JAX would keep
    # everyone until all end, and abort the process without an exception.
    jax.config.update("jax_enable_recoverability", True)
    # It would swallow SIGTERM, by which schedulers and launchers end workers.
    jax.config.update("jax_enable_preemption_service", False)


def _connect(where: Place | None, end: float, timeout: float, heartbeat: int) -> None:
    """`jax.distributed.initialize` with an exception where not all workers come in time."""
    address, workers, number = where or (None, None, None)
    failure: list[Exception] = []

    def connect() -> None:
        try:
            jax.distributed.initialize(
                address, workers, number,
                initialization_timeout=_FOREVER, heartbeat_timeout_seconds=heartbeat,
            )  # fmt: skip
        except Exception as e:  # noqa: BLE001 - raised below, in the thread that waits
            failure.append(e)

    # JAX cannot be interrupted, and aborts when its own time is up. So it waits aside.
    thread = threading.Thread(target=connect, name="mxlite-join", daemon=True)
    thread.start()
    thread.join(max(end - time.monotonic(), 1.0))
    found = _jax_distributed.global_state.coordinator_address
    if thread.is_alive():
        who = "this worker" if where is None else f"worker {where.rank} of {where.workers}"
        problem = f"{who} waited {timeout:g} s at {found} and not all workers came"
        hint = f"start all of them with the same address, each with its own rank; {env.JOIN_TIMEOUT} is the time"
        raise MXNetError(explain(problem, op="mx.distributed", hint=hint))
    if failure:
        hint = ""
        if where is None and found is None:
            hint = (
                "JAX knows SLURM, Kubernetes, Open MPI and Cloud TPU by their variables; elsewhere set "
                f"{env.COORDINATOR}, {env.NUM_WORKERS} and {env.RANK}, or use `mxlite launch`"
            )
        raise MXNetError(explain(f"no job was joined: {failure[0]}", op="mx.distributed", hint=hint)) from failure[0]


def _address(where: Place) -> tuple[str, int]:
    host, _, port = where.coordinator.rpartition(":")
    return host.strip("[]"), int(port)


def _reach(where: Place, timeout: float) -> None:
    """Wait until somebody listens at the coordinator's address, which may start later than this worker.

    JAX would end the process instead of raising.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(_address(where), timeout=max(min(end - time.monotonic(), 10.0), 0.1)).close()
            return
        except OSError as e:
            if time.monotonic() + _PAUSE > end:
                problem = (
                    f"worker {where.rank} cannot reach the coordinator {where.coordinator} within {timeout:g} s: {e}"
                )
                hint = (
                    f"worker 0 opens that port on its machine; is it running, is {env.COORDINATOR} its address, does a "
                    "firewall stand between?"
                )
                raise MXNetError(explain(problem, op="mx.distributed", hint=hint)) from e
        time.sleep(_PAUSE)


def _check_port(where: Place, timeout: float) -> None:
    """Raise MXNetError where the port that worker 0 shall open is taken; JAX would only log it."""
    port = _address(where)[1]
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as e:
            problem = f"worker 0 cannot open port {port} of {where.coordinator}: {e}"
            hint = "another job, or an earlier one that still runs, has it; choose another port for all workers"
            raise MXNetError(explain(problem, op="mx.distributed", hint=hint)) from e


def describe(variables: Mapping[str, str]) -> str:
    """One line that says whether this process is part of a job, for `mxlite doctor`."""
    if is_initialized():
        address = _jax_distributed.global_state.coordinator_address
        return f"worker {rank()} of {num_workers()}, coordinator {address}"
    if variables.get(env.NUM_WORKERS) == "1":
        return "a job of one worker"
    return "none; this process works alone"
