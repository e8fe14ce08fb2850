# SPDX-License-Identifier: Apache-2.0
"""Processes that belong together: their output line by line, their signals, their common end."""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from ..distributed.watch import ENDED_BY_OTHERS

#: How long workers have to end by themselves, in seconds, before they are killed.
GRACE = 10.0
#: How long a worker that ended because of another waits for that one to be named.
_BLAME = 3.0
#: Between two looks at the processes, in seconds.
_PERIOD = 0.05
#: How long output is read that processes have left behind, in seconds.
_DRAIN = 1.0
#: How many lines of a worker that failed are shown again.
_LAST_LINES = 10
#: A line of more bytes than this is cut.
_LONGEST = 1 << 16
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Worker:
    """A process, and the lines that it writes.

    Args:
        rank, workers: its place in the job.
        process: with pipes for its outputs, and the leader of a process group.
    """

    def __init__(self, rank: int, workers: int, process: subprocess.Popen[bytes]):
        self.rank, self.process = rank, process
        self.name = f"worker {rank} of {workers}"
        self.last: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._rest: dict[int, bytes] = {}

    def read(self, fd: int, out: TextIO) -> bool:
        """Show the lines that have come through a pipe; False at its end."""
        data = os.read(fd, 1 << 16)
        *lines, rest = (self._rest.pop(fd, b"") + data).split(b"\n")
        if rest and (not data or len(rest) > _LONGEST):
            lines, rest = [*lines, rest], b""
        self._rest[fd] = rest
        for line in lines:
            # Of what overwrites itself, as progress bars do, the last state counts.
            text = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
            self.last.append(text)
            out.write(f"[{self.rank}] {text}\n")
        out.flush()
        return bool(data)

    def send(self, number: int) -> None:
        """Send a signal to the process and to what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End it, and what it has left behind."""
        self.send(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def code(self) -> int:
        """The exit code as a shell gives it: 128 more than the number of the signal that ended the process."""
        code = self.process.returncode
        return 128 - code if code < 0 else code

    @property
    def secondary(self) -> bool:
        """Whether it ended because of another: by its watch, or by JAX when the coordinator is gone."""
        return self.process.returncode in (ENDED_BY_OTHERS, -signal.SIGABRT)

    def verdict(self) -> str:
        """How it ended, and what it wrote last."""
        code = self.process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
        lines = [f"  [{self.rank}] {line}" for line in self.last]
        return "\n".join([f"{self.name} {how}" + ("; its last lines:" if lines else ""), *lines])


def supervise(workers: Sequence[Worker], received: list[int]) -> int:
    """Show what the workers write until all have ended; the first failure, or a signal, ends them all.

    Args:
        workers: the processes, running.
        received: the signals of `catch_signals`.

    Returns:
        The exit code: that of the worker that failed first, 128 plus the number of the signal that came, or 0.
    """
    with selectors.DefaultSelector() as pipes:
        for worker in workers:
            for pipe, out in ((worker.process.stdout, sys.stdout), (worker.process.stderr, sys.stderr)):
                pipes.register(pipe, selectors.EVENT_READ, (worker, out))  # type: ignore[arg-type]
        return _Job(workers, received, pipes).run()


class _Job:
    """The state of `supervise`."""

    def __init__(self, workers: Sequence[Worker], received: list[int], pipes: selectors.BaseSelector):
        self.workers, self.received, self.pipes = list(workers), received, pipes
        self.failed: list[Worker] = []
        self.passed_on = 0
        self.deadline = float("inf")
        self.code: int | None = None

    def run(self) -> int:
        running = list(self.workers)
        while running:
            self.show(_PERIOD)
            ended = [w for w in running if w.process.poll() is not None]
            running = [w for w in running if w not in ended]
            if len(self.received) > self.passed_on:
                self.interrupt(running)
            elif self.code is None:
                self.judge(ended, running)
            if time.monotonic() > self.deadline:
                for worker in running:
                    worker.send(signal.SIGKILL)
        self.drain()
        if self.code is None and self.failed:
            self.blame(running)
        return self.code or 0

    def show(self, wait: float) -> bool:
        """Show some of what has been written, within `wait` seconds; whether there was anything."""
        if not self.pipes.get_map():
            time.sleep(wait)  # all pipes are closed
            return False
        ready = self.pipes.select(wait)
        for key, _ in ready:
            worker, out = key.data
            if not worker.read(key.fd, out):
                self.pipes.unregister(key.fileobj)
        return bool(ready)

    def drain(self) -> None:
        """Show all of what has been written; who keeps on writing is cut off."""
        end = time.monotonic() + _DRAIN
        while self.show(0) and time.monotonic() < end:
            pass

    def interrupt(self, running: list[Worker]) -> None:
        """Pass a signal on. The second one kills."""
        number = self.received[-1]
        self.code = 128 + number
        again = self.passed_on > 0
        self.passed_on = len(self.received)
        if not again:
            _say(f"{signal.Signals(number).name}: it is passed on to all workers; once more kills them")
            self.deadline = time.monotonic() + GRACE
        for worker in running:
            worker.send(signal.SIGKILL if again else number)

    def judge(self, ended: list[Worker], running: list[Worker]) -> None:
        """End the job when a worker has failed by itself, or nobody else has in `_BLAME` seconds."""
        self.failed += [w for w in ended if w.code]
        if not self.failed:
            return
        if self.deadline == float("inf"):
            self.deadline = time.monotonic() + _BLAME
        if time.monotonic() > self.deadline or any(not w.secondary for w in self.failed):
            self.blame(running)

    def blame(self, running: list[Worker]) -> None:
        """Name the worker that failed, and end the others."""
        self.drain()
        first = next((w for w in self.failed if not w.secondary), self.failed[0])
        self.code = first.code
        _say(first.verdict())
        if running:
            _say(f"the other {len(running)} are ended" if len(running) > 1 else "the other one is ended")
        for worker in running:
            worker.send(signal.SIGTERM)
        self.deadline = time.monotonic() + GRACE


@contextlib.contextmanager
def catch_signals() -> Iterator[list[int]]:
    """The signals that arrive are listed instead of ending this process. Processes that it starts get them again.

    A signal that is ignored, such as SIGHUP under nohup, stays so.
    """
    received: list[int] = []
    heard = [n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    before: dict[int, Any] = {n: signal.signal(n, lambda number, _: received.append(number)) for n in heard}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(what: str) -> None:
    print(f"mxlite launch: {what}", file=sys.stderr, flush=True)
