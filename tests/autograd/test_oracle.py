# SPDX-License-Identifier: Apache-2.0
"""Random programs give the numbers and gradients that MXNet gives."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("autograd_programs", HERE / "programs.py")
assert _spec and _spec.loader
programs: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(programs)

COUNT = 24


@pytest.mark.oracle
def test_random_programs(oracle: Any, tmp_path: Path) -> None:
    made = [programs.make(seed) for seed in range(COUNT)]
    (tmp_path / "programs.json").write_text(json.dumps(made))
    oracle(
        "import subprocess, sys\n"
        "subprocess.check_call([sys.executable, values['script'], 'programs.json', 'results.json'])\n"
        "print(0)",
        script=str(HERE / "programs.py"),
    )
    wanted = json.loads((tmp_path / "results.json").read_text())
    for program, theirs in zip(made, wanted, strict=True):
        mine = programs.run(mx, np, program)
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            np.testing.assert_allclose(a, b, 2e-4, 2e-5, err_msg=f"array {i} of {json.dumps(program)}")
