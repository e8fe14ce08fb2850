# SPDX-License-Identifier: Apache-2.0
"""Arrays in folders that orbax writes: every device its own part, in the background.

A folder ``PREFIX-0003.orbax`` holds the arrays and, as JSON, their names. It comes into being under another name and is
renamed when it is complete: a process that is killed leaves no half of one.
"""

from __future__ import annotations

import glob
import logging
import os
import shutil
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from ..base import MXNetError
from ..context import current_context
from ..ndarray import NDArray, from_host

_FORMAT = "mxlite arrays 1"

#: Who wrote a folder last, so that two do not write it at the same time.
_WRITERS: weakref.WeakValueDictionary[str, Writer] = weakref.WeakValueDictionary()


class Writer:
    """Writes folders of arrays in the background, one after the other.

    An error in the background is raised by the next `save`, or by `wait`. A process that ends waits for the last folder
    to be complete.

    Raises:
        ImportError: orbax-checkpoint is not installed.
    """

    def __init__(self) -> None:
        orbax = _orbax()
        self._writer = orbax.AsyncCheckpointer(orbax.CompositeCheckpointHandler())
        self._thread: threading.Thread | None = None
        self._error: MXNetError | None = None

    def save(self, path: str | os.PathLike[str], arrays: Mapping[str, NDArray | jax.Array], notes: Any = None) -> None:
        """Begin to write `arrays` to the folder `path`; returns when their content is safe from changes.

        Args:
            path: the folder. One that is there already is replaced when the new one is complete.
            arrays: by name; those spread over several devices are written by each its part.
            notes: what else `load` shall give back, as JSON has it.

        Raises:
            MXNetError: this cannot be written, or what the last call began could not.
        """
        self.wait()
        path = os.path.abspath(os.fspath(path))
        if not os.path.isdir(os.path.dirname(path)):
            raise MXNetError(f"cannot write {path!r}: there is no folder {os.path.dirname(path)!r}")
        other = _WRITERS.get(path, self)
        if other._thread is not None:
            other._thread.join()
        _WRITERS[path] = self
        args = _orbax().args
        values = {str(i): _value(x) for i, x in enumerate(arrays.values())}
        about = {"format": _FORMAT, "names": list(arrays), "notes": notes}
        try:
            self._writer.wait_until_finished()  # even when it has failed, and was told so
            target = f"{path}.new" if os.path.exists(path) else path
            if jax.process_index() == 0:
                for old in (f"{path}.new", *glob.glob(f"{glob.escape(target)}.orbax-checkpoint-tmp*")):
                    shutil.rmtree(old, ignore_errors=True)
            self._writer.save(target, args=args.Composite(arrays=args.PyTreeSave(values), about=args.JsonSave(about)))
        except Exception as e:
            raise _failed(path, e) from e
        self._thread = threading.Thread(target=self._finish, args=(path, target), name="mxlite-orbax")
        self._thread.start()

    def _finish(self, path: str, target: str) -> None:
        try:
            self._writer.wait_until_finished()
            if jax.process_index() == 0:
                old = f"{path}.old"
                shutil.rmtree(old, ignore_errors=True)
                if target != path:
                    os.rename(path, old)
                    os.rename(target, path)
                    shutil.rmtree(old)
        except Exception as e:  # noqa: BLE001 - it is raised where somebody waits
            self._error = _failed(path, e)
            self._error.__cause__ = e
            logging.error("%s", self._error)  # perhaps nobody does

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            MXNetError: something could not be; told once.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error


def load(path: str | os.PathLike[str]) -> tuple[dict[str, NDArray], Any]:
    """The arrays in a folder that `Writer` wrote, by name, whole and on the current device; and the notes.

    Raises:
        ImportError: orbax-checkpoint is not installed.
        MXNetError: there is no such folder, it is damaged, or somebody else wrote it.
    """
    orbax, path = _orbax(), os.path.abspath(os.fspath(path))
    if not os.path.isdir(path) and os.path.isdir(f"{path}.old"):  # killed between two renames
        path = f"{path}.old"
    if not os.path.isdir(path):
        raise MXNetError(f"cannot open {path!r}: no such folder")
    args = orbax.args
    try:
        reader = orbax.Checkpointer(orbax.CompositeCheckpointHandler())
        about = reader.restore(path, args=args.Composite(about=args.JsonRestore()))["about"]
        if not isinstance(about, dict) or about.get("format") != _FORMAT:
            raise MXNetError(f"{path!r} holds no arrays of mxlite, but {about!s:.80}")
        names = about["names"]
        wanted = {str(i): orbax.RestoreArgs(restore_type=np.ndarray) for i in range(len(names))}
        found = reader.restore(path, args=args.Composite(arrays=args.PyTreeRestore(restore_args=wanted)))["arrays"]
        arrays = {name: from_host(found[str(i)], current_context()) for i, name in enumerate(names)}
        return arrays, about["notes"]
    except MXNetError:
        raise
    except Exception as e:
        raise MXNetError(f"cannot read {path!r}: it is damaged, or no folder of arrays: {_first_line(e)}") from e


def _value(x: NDArray | jax.Array) -> Any:
    value = x._data if isinstance(x, NDArray) else x
    # In a job of several processes, what every process has by itself is written by the first.
    return value if jax.process_count() == 1 or not value.is_fully_addressable else np.asarray(value)


def _failed(path: str, e: Exception) -> MXNetError:
    return MXNetError(f"cannot write {path!r}: {_first_line(e)}")


def _first_line(e: Exception) -> str:
    return (str(e) or type(e).__name__).partition("\n")[0]


def _orbax() -> Any:
    """orbax, whose import takes seconds."""
    try:
        import orbax.checkpoint as orbax
    except ImportError:
        raise ImportError("checkpoints of orbax need orbax-checkpoint: pip install 'mxlite[orbax]'") from None
    chatter = logging.getLogger("absl")
    if chatter.level == logging.NOTSET:  # a dozen lines for each folder, among those of `fit`
        chatter.setLevel(logging.WARNING)
    return orbax
