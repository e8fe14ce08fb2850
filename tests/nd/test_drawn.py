# SPDX-License-Identifier: Apache-2.0
"""Hundreds of cases that were drawn at random give what the real MXNet gave; `draw.py` draws and records them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

from .draw import COUNTS, answer, draw
from .test_recorded import same

RECORDED: list[list[Any]] = json.loads((Path(__file__).parent.parent / "golden" / "nd" / "drawn.json").read_text())

#: Parts of sources where mxlite means to differ, and why.
DIFFERENT = {"y[0::-1,...]=x[0::-1,...]": "one row is the whole array backwards, too"}


@pytest.mark.parametrize("family", COUNTS)
def test_drawn(family: str) -> None:
    wrong = []
    for setup, source, names, wanted in (case[1:] for case in RECORDED if case[0] == family):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = answer(mx, np, setup, source, names)
        if not same(got, wanted) and not any(part in source for part in DIFFERENT):
            wrong.append(f"{setup}\n  {source}\n  got    {got}\n  wanted {wanted}")
    assert not wrong, "\n".join(wrong)


def test_every_drawn_case_is_recorded() -> None:
    assert [case[:4] for case in RECORDED] == draw(np)
    assert all(any(part in case[2] for case in RECORDED) for part in DIFFERENT)


@pytest.mark.oracle
def test_the_record_is_what_mxnet_says(oracle: Any) -> None:
    found = oracle(
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "sys.path.insert(0, values['here'])\n"
        "import mxnet, numpy, draw, record\n"
        "numpy.seterr(all='ignore')\n"
        "print(json.dumps([[*case, draw.answer(mxnet, numpy, *case[1:])] for case in draw.draw(numpy)]))",
        here=str(Path(__file__).parent),
    )
    assert same(found, RECORDED)
