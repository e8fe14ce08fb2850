# SPDX-License-Identifier: Apache-2.0
"""Hundreds of small expressions give what the real MXNet gave: shape, dtype, device, elements, or class of error."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

from .cases import GROUPS
from .record import run

#: Where mxlite means to differ, and why.
DIFFERENT = {
    # MXNet breaks off with an error of Python's own, far from the cause, or that another mistake would raise.
    "a[mx.nd.array(1)]": "an index of shape () works",
    "a[np.array(1)]": "an index of shape () works",
    "a[mx.nd.array([1,0,1],dtype='bool')]": "a mask is refused in one way whatever its length",
    "mx.nd.array([mx.nd.array([1]),mx.nd.array([2])])": "a list of arrays works",
    "mx.nd.array([1],dtype='complex64')": "MXNetError as from zeros, not KeyError",
    "mx.nd.array([1],dtype='uint32')": "MXNetError as from zeros, not KeyError",
    "mx.nd.array([1],dtype='int16')": "MXNetError as from zeros, not KeyError",
    "mx.nd.array([1],dtype='bfloat16')": "bfloat16 works",
    "mx.nd.array(np.array(['a']))": "TypeError as for every source without numbers",
    "mx.nd.array([1],ctx='cpu')": "MXNetError that names the argument, not AttributeError",
    "a.reshape()": "TypeError instead of an assertion",
    "a.reshape(foo=1)": "TypeError that names the argument, instead of an assertion",
    "a.reshape((4,),shape=(2,2))": "two shapes are a mistake",
    "mx.nd.zeros((2, 2, 3, 2)).reshape((-2, -1), reverse=False).shape": "-1 after -2 is 1, as in the operator",
    "a.transpose(1,0)": "axes one by one work",
    "bo+bo": "booleans add",
    # An empty selection is an empty array; in MXNet it is one, or one of several errors.
    **dict.fromkeys(
        (
            "a[-1:-3]",
            "a[3:1]",
            "m[3:1]",
            "m[-1:-3]",
            "m[:,1:1].shape",
            "m[:,1:1]",
            "shares(a,'-1:-3')",
            "shares(a,'3:1')",
        ),
        "an empty array",
    ),
    # MXNet's answer is an accident.
    "m[True]=4": "True is 1 when reading, so it is when writing",
    "v[1:]=v[:-1]": "the right side is read before the left side is written",
    "m[3:1]=1": "writing to an empty selection does nothing, as for m[2:2]",
    "mx.num_gpus()": "exists at the top, too",
    "mx.nd.zeros(2,mx.cpu(-1))": "keeps its label",
}


def recorded() -> dict[str, dict[str, Any]]:
    path = Path(__file__).parent.parent / "golden" / "nd" / "cases.json"
    return json.loads(path.read_text())


RECORDED = recorded()


def same(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(got, dict):
        return got.keys() == wanted.keys() and all(same(got[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    if isinstance(wanted, float) and isinstance(got, float):
        return math.isclose(got, wanted, rel_tol=1e-6, abs_tol=1e-7)
    return got == wanted


@pytest.mark.parametrize("group", GROUPS)
def test_recorded(group: str) -> None:
    setup, sources = GROUPS[group]
    wrong = []
    for source in sources:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = run(mx, np, setup, source)
        if not same(got, RECORDED[group][source]) and source not in DIFFERENT:
            wrong.append(f"{source}\n  got    {got}\n  wanted {RECORDED[group][source]}")
    assert not wrong, "\n".join(wrong)


def test_differences_are_recorded_cases() -> None:
    known = {source for _, sources in GROUPS.values() for source in sources}
    assert set(DIFFERENT) <= known


@pytest.mark.oracle
def test_the_record_is_what_mxnet_says(oracle: Any) -> None:
    here = str(Path(__file__).parent)
    found = oracle(
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "sys.path.insert(0, values['here'])\n"
        "import mxnet, numpy, cases, record\n"
        "print(json.dumps(record.record(mxnet, numpy, cases.GROUPS)))",
        here=here,
    )
    random_values = ("random", "uniform", "normal", "empty")
    for group, answers in RECORDED.items():
        for source, answer in answers.items():
            if not any(word in source for word in random_values):
                assert same(found[group][source], answer), source
