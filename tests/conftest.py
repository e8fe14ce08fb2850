# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: a clean process, fixed seeds, and the real MXNet where there is one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before JAX is imported anywhere: no compiled program comes from an earlier run (trace and compile counts are
# asserted), no half of a GPU is taken by each test worker, and pictures are drawn without a screen.
os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ["MPLBACKEND"] = "Agg"
# Who runs the tests in the background has it ignored, and all programs that they start would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jax
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"

Oracle = Callable[..., Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--oracle",
        default=os.environ.get("MXLITE_ORACLE", ""),
        help="a Python that imports the real MXNet 1.9.1 (default: the environment variable MXLITE_ORACLE)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Try the oracle once, before xdist starts its workers: its first call may have to install something."""
    if hasattr(config, "workerinput"):
        return
    path = shutil.which(str(config.getoption("--oracle")))
    os.environ.pop("MXLITE_ORACLE", None)
    if path and _answers(path):
        os.environ["MXLITE_ORACLE"] = os.path.abspath(path)  # links are kept: a venv's Python is one


def _answers(path: str) -> bool:
    try:
        code = subprocess.run(
            [path, "-c", "import mxnet"], stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False
    return code == 0


def pytest_report_header(config: pytest.Config) -> str:
    return f"oracle: {os.environ.get('MXLITE_ORACLE') or 'none (MXLITE_ORACLE names none that imports mxnet)'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("MXLITE_ORACLE"):
        return
    skip = pytest.mark.skip(reason="MXLITE_ORACLE names no Python that imports the real MXNet")
    for item in items:
        if "oracle" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _devices() -> None:
    """Started before the first test, whose log would else tell of the devices that are not there."""
    jax.devices()


@pytest.fixture(autouse=True)
def _seeds() -> Iterator[None]:
    """The same random numbers in every order of the tests, alone or together."""
    random.seed(0)
    np.random.seed(0)
    mx = sys.modules.get("mxlite")
    if mx is not None and hasattr(mx, "random"):
        mx.random.seed(0)
    yield


@pytest.fixture
def golden() -> Path:
    """The folder of recorded MXNet numbers."""
    return GOLDEN


@pytest.fixture
def oracle(tmp_path: Path) -> Oracle:
    """Runs a script in the real MXNet: ``oracle(source, **values)`` returns what the script prints last, as JSON.

    The script finds `values` in a dict of that name; big arrays go through files in its working directory, which is
    the test's `tmp_path`. A test that takes this fixture is marked ``@pytest.mark.oracle``.
    """

    def run(source: str, **values: Any) -> Any:
        python = os.environ.get("MXLITE_ORACLE")
        if not python:
            pytest.skip("MXLITE_ORACLE names no Python that imports the real MXNet")
        script = tmp_path / "_oracle.py"
        script.write_text(f"import json\nvalues = json.loads({json.dumps(values)!r})\n{source}")
        done = subprocess.run(
            [python, str(script)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, cwd=tmp_path
        )
        if done.returncode:
            raise RuntimeError(f"the oracle failed:\n{done.stderr[-4000:]}")
        lines = done.stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    return run
