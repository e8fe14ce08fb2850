# SPDX-License-Identifier: Apache-2.0
"""What surrounds a test: its device, environment variables, retries, expected exceptions."""

from __future__ import annotations

import functools
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import context
from ..context import Context, current_context, num_gpus
from ..io import DataBatch, DataIter


def default_context() -> Context:
    """The device on which tests run: that of the innermost ``with`` block, else as `set_default_context` left it."""
    return current_context()


def set_default_context(ctx: Context) -> None:
    """Make `ctx` the current device of this thread."""
    context._current.context = Context(ctx)


def list_gpus() -> range:
    """The numbers of the GPUs."""
    return range(num_gpus())


def get_im2rec_path(home_env: str = "MXNET_HOME") -> str:
    """The path of a script that takes the arguments of ``mxlite im2rec``, which are those of MXNet's.

    Args:
        home_env: has no meaning here; where an environment variable of this name points to MXNet, its script is not
            looked for.
    """
    return str(Path(__file__).resolve().parent.parent / "tools" / "im2rec.py")


def is_cd_run() -> bool:
    """Whether the environment variable CD_JOB is 1."""
    return os.environ.get("CD_JOB") == "1"


def is_aarch64_run() -> bool:
    """Whether this is a 64-bit ARM machine."""
    return platform.machine() == "aarch64"


def is_op_runnable() -> bool:
    """True: no operator asks for a certain GPU."""
    return True


def has_tvm_ops() -> bool:
    """False: no operator comes from TVM."""
    return False


@contextmanager
def environment(*args: Any) -> Iterator[None]:
    """Set environment variables for the time of a ``with`` block.

    Args:
        args: a name and a value, or one dictionary of them. The value None removes the variable.

    Raises:
        AssertionError: for other arguments.
        TypeError: a value is no text.

    Variables that are read once, at the import of mxlite, are listed in `mx.util`.
    """
    if len(args) == 1 and isinstance(args[0], dict):
        wanted: dict[str, str | None] = args[0]
    elif len(args) == 2:
        wanted = {args[0]: args[1]}
    else:
        raise AssertionError("environment: expecting one dict, or the name of a variable and its value")
    before = {name: os.environ.get(name) for name in wanted}
    try:
        _set(wanted)
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def discard_stderr() -> Iterator[None]:
    """Drop what is written to the file descriptor of stderr inside the block, also by C++ code."""
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as bin_:
            os.dup2(bin_.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def assert_exception(f: Callable[..., Any], exception_type: Any, *args: Any, **kwargs: Any) -> None:
    """Raise AssertionError unless ``f(*args, **kwargs)`` raises `exception_type`. Other exceptions pass through."""
    try:
        f(*args, **kwargs)
    except exception_type:
        return
    raise AssertionError(f"{getattr(f, '__name__', f)} did not raise {exception_type}")


def retry(n: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for tests that fail now and then: up to `n` attempts while they end in AssertionError.

    Raises AssertionError when `n` is not positive.
    """
    if n < 1:
        raise AssertionError(f"retry: n must be at least 1, got {n}")

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def attempts(*args: Any, **kwargs: Any) -> Any:
            for _ in range(n - 1):
                try:
                    return test(*args, **kwargs)
                except AssertionError as e:
                    print(f"{test.__name__} failed and is tried again: {e}")
            return test(*args, **kwargs)

        return attempts

    return decorate


class DummyIter(DataIter):
    """An endless iterator that gives the first batch of `real_iter` again and again, to time all but the reading."""

    def __init__(self, real_iter: Any):
        super().__init__(real_iter.batch_size)
        self.real_iter = real_iter
        self.provide_data = real_iter.provide_data
        self.provide_label = real_iter.provide_label
        self.the_batch: DataBatch = next(real_iter)

    def __iter__(self) -> DummyIter:
        return self

    def next(self) -> DataBatch:
        """The first batch."""
        return self.the_batch
