# SPDX-License-Identifier: Apache-2.0
"""What `fit` logs, line by line as MXNet 1.9.1 did (`record.py`)."""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path

import pytest

import mxlite as mx

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fits

RECORDED = json.loads((Path(__file__).resolve().parent.parent / "golden" / "callback" / "fits.json").read_text())
NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?")


@pytest.mark.parametrize("name", RECORDED)
def test_lines_of_fit(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameters already initialized")
        found = fits.logged(mx, name, str(tmp_path))
    for (*where, text), (*recorded_where, recorded) in zip(found, RECORDED[name], strict=True):
        assert where == recorded_where
        assert NUMBER.sub("#", text) == NUMBER.sub("#", recorded)
        # The last digits of sums differ.
        assert [*map(float, NUMBER.findall(text))] == pytest.approx([*map(float, NUMBER.findall(recorded))], rel=1e-5)
