# SPDX-License-Identifier: Apache-2.0
"""A file is the old one or the new one, whatever happens in between."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mxlite.serialize import atomic_write
from mxlite_compiler.errors import MXNetError


def test_writes_and_replaces(tmp_path: Path):
    path = tmp_path / "f"
    atomic_write(path, b"one")
    atomic_write(str(path), [b"t", bytearray(b"w"), memoryview(b"o")])
    assert path.read_bytes() == b"two" and os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError, SystemExit])
def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path, error: type[BaseException]):
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def chunks() -> Iterator[bytes]:
        yield b"new" * 100_000
        raise error

    with pytest.raises(error):
        atomic_write(path, chunks())
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


def test_an_interrupt_after_the_rename_is_told_as_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, replace = tmp_path / "f", os.replace

    def interrupted(*names: str) -> None:
        replace(*names)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["f"]


KILLED = """
import os, signal, sys
from mxlite_compiler._atomic import atomic_write
def kill(*args):
    os.kill(os.getpid(), signal.SIGKILL)
def chunks():
    yield b"new" * 100_000
    if sys.argv[2] == "chunks":
        kill()
    yield b"new"
if sys.argv[2] != "chunks":
    setattr(os, sys.argv[2], kill)
atomic_write(sys.argv[1], chunks())
"""


@pytest.mark.parametrize("hook", ["chunks", "replace"])
def test_a_killed_process_leaves_the_old_file(tmp_path: Path, hook: str):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    roots = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "compiler")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(roots), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), hook], env=env, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_bytes() == b"old"


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path):
    plain, path = tmp_path / "plain", tmp_path / "f"
    plain.write_bytes(b"")
    atomic_write(path, b"a")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    atomic_write(path, b"b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to("real")
    atomic_write(link, b"new")
    assert link.is_symlink() and real.read_bytes() == b"new"


def test_a_device_is_written_directly():
    atomic_write(os.devnull, b"gone")
    assert not os.path.isfile(os.devnull)


@pytest.mark.parametrize("where", ["missing/f", "."])
def test_a_place_that_cannot_be_written(tmp_path: Path, where: str):
    with pytest.raises(MXNetError, match="cannot write"):
        atomic_write(tmp_path / where, b"a")
    assert os.listdir(tmp_path) == []


def test_a_long_name(tmp_path: Path):
    atomic_write(tmp_path / ("n" * 250), b"a")
    assert os.listdir(tmp_path) == ["n" * 250]
