# SPDX-License-Identifier: Apache-2.0
"""``mxlite launch``: environment, output, signals, exit codes, and the end of a job when a worker fails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mxlite.cli import main
from mxlite.cli.launch import environment

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = str(ROOT / "tests/distributed/worker.py")
Captured = pytest.CaptureFixture[str]
#: Where each worker of the small scripts below begins.
PREAMBLE = "import os, signal, subprocess, sys, time; rank = int(os.environ['MXLITE_RANK']); "


@pytest.fixture(autouse=True)
def roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'compiler'}")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")


def launch(*args: str) -> int:
    return main(["launch", *args])


def script(code: str, workers: int = 2) -> int:
    """The exit code of a job of workers that do not join it, which is fast."""
    return launch("-n", str(workers), sys.executable, "-c", PREAMBLE + code)


def dies(pid: int) -> bool:
    """Whether a process is gone, or a zombie, within five seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def after(seconds: float, call: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


def test_two_workers_with_two_devices_each(capsys: Captured) -> None:
    """The sums and copies, and the stores, that `worker.py` checks by hand."""
    code = launch("-n", "2", "--devices-per-worker", "2", "--timeout", "60", sys.executable, WORKER, "all")
    out, err = capsys.readouterr()
    assert code == 0, out + err
    assert "[0] worker 0 of 2 is done\n" in out and "[1] worker 1 of 2 is done\n" in out


def test_a_worker_that_is_killed_while_others_train(capsys: Captured) -> None:
    assert launch("-n", "2", WORKER, "kill1") == 137
    out, err = capsys.readouterr()
    assert "mxlite launch: worker 1 of 2 was killed by SIGKILL; its last lines:" in err
    assert "  [1] worker 1 ends\n" in err and "not reached" not in out


def test_output_line_by_line(capsys: Captured) -> None:
    assert script("print('a'); print('b', file=sys.stderr); sys.stdout.write('10%\\r90%\\rd\\n\\xff' + chr(233))") == 0
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == sorted(f"[{r}] {line}" for r in (0, 1) for line in ("a", "d", "\xff\xe9"))
    assert sorted(err.splitlines()) == ["[0] b", "[1] b"]


def test_the_first_failure_ends_the_others(capsys: Captured) -> None:
    begin = time.monotonic()
    code = script("print('here'); sys.exit(7) if rank == 2 else time.sleep(60)", workers=3)
    assert code == 7 and time.monotonic() - begin < 15
    err = capsys.readouterr().err
    assert err.endswith(
        "mxlite launch: worker 2 of 3 failed with exit code 7; its last lines:\n  [2] here\n"
        "mxlite launch: the other 2 are ended\n"
    )


def test_who_ended_because_of_another_is_not_blamed(capsys: Captured) -> None:
    assert script("sys.exit(76) if rank == 0 else (time.sleep(0.7), sys.exit(5))") == 5
    assert "worker 1 of 2 failed with exit code 5" in capsys.readouterr().err
    assert script("sys.exit(76)") == 76
    assert re.search("worker [01] of 2 failed with exit code 76", capsys.readouterr().err)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_are_passed_on(capsys: Captured, number: int, code: int, tmp_path: Path) -> None:
    ready = [tmp_path / "0", tmp_path / "1"]

    def interrupt() -> None:
        while not all(p.exists() for p in ready):
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    timer = after(0, interrupt)
    assert script(f"open(os.path.join({str(tmp_path)!r}, str(rank)), 'w').close(); time.sleep(60)") == code
    timer.join()
    assert signal.getsignal(number) is before
    assert f"mxlite launch: {signal.Signals(number).name}: it is passed on to all workers" in capsys.readouterr().err


def test_a_worker_that_never_stops_writing(capsys: Captured) -> None:
    assert script("sys.exit(9) if rank else [print('x' * 1000) for _ in iter(int, 1)]") == 9
    assert "worker 1 of 2 failed with exit code 9" in capsys.readouterr().err


def test_ignored_signals_stay_ignored(capsys: Captured) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert script("os.kill(os.getppid(), signal.SIGHUP); time.sleep(0.2)", workers=1) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_kills(capsys: Captured, tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt() -> None:
        while not pid.exists() or not pid.read_text():
            time.sleep(0.02)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.4)

    timer, begin = after(0, interrupt), time.monotonic()
    deaf = "signal.signal(signal.SIGINT, signal.SIG_IGN); "
    assert script(f"{deaf}open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)", workers=1) == 130
    timer.join()
    assert time.monotonic() - begin < 8 and dies(int(pid.read_text()))


def test_no_orphans(tmp_path: Path) -> None:
    """Neither what a worker has started, nor the workers of a launcher that is killed."""
    pid = tmp_path / "pid"
    child = "subprocess.Popen(['sleep', '60'])"
    code = script(f"p = {child}; open({str(pid)!r}, 'w').write(str(p.pid)); sys.exit(4)", workers=1)
    assert code == 4 and dies(int(pid.read_text()))
    pid.unlink()
    command = [sys.executable, "-m", "mxlite", "launch", "-n", "1", sys.executable, "-c"]
    write = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    launcher = subprocess.Popen([*command, write])
    while not pid.exists() or not pid.read_text():
        time.sleep(0.05)
    launcher.kill()
    launcher.wait()
    assert dies(int(pid.read_text()))


def test_what_cannot_be_run(capsys: Captured) -> None:
    assert launch("-n", "2", "no-such-program", "x") == 2
    assert "mxlite launch: there is no program 'no-such-program'\n  hint: name a program" in capsys.readouterr().err
    assert launch("-n", "2") == 2
    assert "no command to run" in capsys.readouterr().err
    assert launch("-n", "0", "true") == 2
    assert "'0' is no number from 1 on" in capsys.readouterr().err
    assert launch("train.py") == 2


def test_the_environment_of_a_worker() -> None:
    outer = {"XLA_FLAGS": "--xla_a=1 --xla_force_host_platform_device_count=8", "MXLITE_JOINED_BY": "1", "HOME": "/h"}
    env = environment(outer, 1, 4, 5000, 2, 30)
    assert {k: v for k, v in env.items() if k.startswith("MXLITE")} == {
        "MXLITE_COORDINATOR": "127.0.0.1:5000", "MXLITE_NUM_WORKERS": "4", "MXLITE_RANK": "1",
        "MXLITE_JOIN_TIMEOUT": "30",
    }  # fmt: skip
    assert env["XLA_FLAGS"] == "--xla_a=1" and env["JAX_NUM_CPU_DEVICES"] == "2" and env["HOME"] == "/h"
    assert env["JAX_LOCAL_DEVICE_IDS"] == "2,3" and env["JAX_COORDINATOR_BIND_ADDRESS"] == "127.0.0.1:5000"
    plain = environment({"XLA_FLAGS": outer["XLA_FLAGS"]}, 0, 1, 5000, None, None)
    assert plain["XLA_FLAGS"] == outer["XLA_FLAGS"] and "MXLITE_JOIN_TIMEOUT" not in plain


def test_help_says_how_clusters_do_it(capsys: Captured) -> None:
    assert launch("--help") == 0
    assert re.search(r"MXLITE_COORDINATOR=HOST:PORT.*MXLITE_DISTRIBUTED=auto", capsys.readouterr().out, re.DOTALL)
