# SPDX-License-Identifier: Apache-2.0
"""How the workers of a job notice the end of one another, so that nobody waits for the dead.

A worker that ends tells the others, through the coordinator's store of keys, whether it is done or failed. One that is
killed, or whose machine is gone, tells nothing, and JAX's heartbeat finds it. A failure anywhere ends every worker, as
`MPI_Abort` does: computations over all of them cannot go on, and a program that is blocked in one cannot be told
otherwise. A worker that is done tells how many of these computations it took part in: who begins one more would wait
for ever.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from typing import Any, NamedTuple

import jax

#: Between two looks at the others, in seconds.
PERIOD = 0.5
#: How long worker 0, which holds the store, lets the others read why it fails.
_LAST_WORDS = 3.0
#: How long a worker that ends because of others takes leave of the coordinator, which may be gone.
_FAREWELL = 1.0
_KEYS = "mxlite/ended"
#: The exit code of a worker that ends because of others.
ENDED_BY_OTHERS = 76
#: How the reason of a worker begins that ended because of others.
_BECAUSE = "because of "


class Ended(NamedTuple):
    """How a worker has ended.

    Attributes:
        launches: how many programs over all workers it had launched.
        reason: why it failed; empty where it was done.
    """

    launches: int
    reason: str

    def text(self) -> str:
        """The value of a key."""
        return f"{self.launches} {self.reason}"

    @classmethod
    def of(cls, text: str) -> Ended:
        """The inverse of `text`."""
        launches, _, reason = text.partition(" ")
        return cls(int(launches), reason)


class Watch:
    """Looks after the other workers from a thread, and tells them how this one ends.

    Args:
        client: JAX's client of the coordinator.
        rank, workers: this worker's place.
        heartbeat: seconds without a heartbeat after which JAX takes a worker for dead.

    Attributes:
        launches: how many programs over all workers this one has launched.
        alone: set when no other worker is left to wait for.
    """

    def __init__(self, client: Any, rank: int, workers: int, heartbeat: int):
        self.client, self.rank, self.workers, self.heartbeat = client, rank, workers, heartbeat
        self.launches = 0
        self._told, self._pid = False, os.getpid()
        self.alone = threading.Event()
        self._leaving = threading.Event()

    def start(self) -> None:
        """Begin to watch, until the process ends."""
        # JAX's own exit handler is older than this one and so comes after it.
        atexit.register(self.leave)
        threading.Thread(target=self._look, name="mxlite-watch", daemon=True).start()

    def _look(self) -> None:
        everyone = list(range(self.workers))
        while not self._leaving.is_set():
            try:
                # All workers call this in turns; it returns when those that are alive have called it.
                alive = set(self.client.get_live_nodes(everyone))
                ended = self._ended()
            except jax.errors.JaxRuntimeError:
                time.sleep(PERIOD)  # if the coordinator is gone, JAX ends this process and says so
                continue
            if self._leaving.is_set():
                return
            failures = self._failures(alive, ended)
            if failures and not self._told:
                self._end(failures)
            # Failures do not matter to a worker that is done: who failed has an exit code of its own.
            if failures or alive <= {self.rank}:
                self.alone.set()
                return
            time.sleep(PERIOD)

    def _failures(self, alive: set[int], ended: dict[int, Ended]) -> dict[int, str]:
        """The workers without which this one cannot go on, and what is the matter with them."""
        found = {}
        for r in range(self.workers):
            end = ended.get(r)
            if r == self.rank:
                continue
            if end is None and r not in alive:
                found[r] = f"it has not been heard of for {self.heartbeat} s: killed, or its machine is gone"
            elif end is not None and end.reason:
                found[r] = end.reason
            elif end is not None and end.launches < self.launches:
                found[r] = (
                    f"it ended after {end.launches} programs over all workers, and this one waits for it in number "
                    f"{end.launches + 1}; did it exit early, or have fewer batches?"
                )
        roots = {r: reason for r, reason in found.items() if not reason.startswith(_BECAUSE)}
        return roots or found

    def _ended(self) -> dict[int, Ended]:
        """The workers that have ended, and how."""
        return {int(key.rpartition("/")[2]): Ended.of(text) for key, text in self.client.key_value_dir_get(_KEYS)}

    def _end(self, failures: dict[int, str]) -> None:
        """End this process at once: its main thread may be waiting for the dead."""
        because = _BECAUSE + _listed(failures)
        self._say(f"ends {because}")

        def take_leave() -> None:
            with contextlib.suppress(jax.errors.JaxRuntimeError):
                self._tell(because)
                jax.distributed.shutdown()

        with contextlib.suppress(RuntimeError):  # Python 3.12 starts no threads once it exits
            farewell = threading.Thread(target=take_leave, daemon=True)
            farewell.start()
            farewell.join(_FAREWELL)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ENDED_BY_OTHERS)

    def _say(self, what: str) -> None:
        print(f"mxlite: worker {self.rank} of {self.workers} {what}", file=sys.stderr, flush=True)

    def leave(self) -> None:
        """Tell the others that this worker ends, and how; worker 0, which they need, is the last to go."""
        if os.getpid() != self._pid:
            return  # a process that this worker has forked
        error = getattr(sys, "last_value", None)  # set where an exception has ended the program
        try:
            if error is None:
                self._tell("")
                if self.rank == 0:
                    self.alone.wait()
            else:
                self._fail(error)
        except jax.errors.JaxRuntimeError:
            self._say("could not tell the coordinator that it ends: that one has ended before")
        self._leaving.set()
        jax.distributed.shutdown()

    def _fail(self, error: BaseException) -> None:
        ended = self._ended()
        if ended:
            reasons = {r: end.reason or "it was done" for r, end in ended.items()}
            self._say(f"failed after others had ended: {_listed(reasons)}")
        elif lost_connection(error):
            # Who it was is known when its heartbeat fails; then `_look` names it and ends this process.
            self._say(f"lost the connection to another worker; which one is known within {self.heartbeat} s")
            self.alone.wait(2 * self.heartbeat)
        self._tell(f"{type(error).__name__}: {error}"[:500])
        if self.rank == 0:
            self.alone.wait(_LAST_WORDS)

    def _tell(self, reason: str) -> None:
        self._told = True
        self.client.key_value_set(f"{_KEYS}/{self.rank}", Ended(self.launches, reason).text())


def lost_connection(error: BaseException) -> bool:
    """Whether an error says that a computation over all workers broke off."""
    text = str(error).lower()
    return "gloo" in text or "nccl" in text


def _listed(reasons: dict[int, str]) -> str:
    return "; ".join(f"worker {r}: {reason}" for r, reason in sorted(reasons.items()))
