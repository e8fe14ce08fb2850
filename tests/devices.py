# SPDX-License-Identifier: Apache-2.0
"""Scripts that need several CPU devices, whose number a process chooses when it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def facts_on_devices(script: Path, devices: int) -> Any:
    """What `script` prints as JSON in its last line, run where JAX has so many CPU devices."""
    roots = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": roots, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
