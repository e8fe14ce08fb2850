# SPDX-License-Identifier: Apache-2.0
"""The examples in the documentation of the operators: they run, and print what MXNet 1.9.1 printed."""

from __future__ import annotations

import doctest
import inspect
import json
import re
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite._frontend import argument_notes, docstring, sections
from mxlite_compiler.op import OPS, Op
from tests.ops.golden import FOLDER

pytestmark = pytest.mark.usefixtures("quick_compile")

FACTS = json.loads((FOLDER / "operators.json").read_text())
OPERATORS = {op.name: op for op in OPS.values()}
EXAMPLES = {name: doctest.DocTestParser().get_examples(docstring(op, "NDArray")) for name, op in OPERATORS.items()}

#: Operator of tier 1 -> why its documentation has no example.
WITHOUT: dict[str, str] = {
    "Custom": "needs a class of the user's",
    "_cvimdecode": "needs the content of a file",
    "_foreach": "takes a function, through mx.nd.contrib.foreach",
    "_while_loop": "takes functions, through mx.nd.contrib.while_loop",
    "_cond": "takes functions, through mx.nd.contrib.cond",
}

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)")


def same(got: str, want: str) -> bool:
    """The same text up to white space, with numbers that agree to 5 digits: their last digits depend on the device."""
    numbers = [[float(n) for n in _NUMBER.findall(text)] for text in (got, want)]
    texts = ["".join(_NUMBER.sub("#", text).split()) for text in (got, want.replace("<BLANKLINE>", ""))]
    return texts[0] == texts[1] and np.allclose(*numbers, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", sorted(n for n, found in EXAMPLES.items() if found))
def test_example(name: str):
    names: dict[str, Any] = {"mx": mx}
    for example in EXAMPLES[name]:
        source = example.source.strip()
        if not example.want:
            exec(source, names)  # noqa: S102 - the text is this repository's
            continue
        printed = repr(eval(source, names))
        assert same(printed, example.want), f"{source}\n{printed}\nexpected:\n{example.want}"


def test_operators_of_tier_1_have_one():
    missing = [n for n, facts in FACTS.items() if facts["tier"] == 1 and n in OPERATORS and not EXAMPLES[n]]
    assert not set(missing) - set(WITHOUT)


def test_both_front_ends_show_it():
    def shown(text: str) -> str:
        return text.partition("Example:\n")[2]

    for name in ("Convolution", "Concat", "exp"):
        assert shown(getattr(mx.sym, name).__doc__) == shown(getattr(mx.nd, name).__doc__) != ""


@pytest.mark.parametrize("op", OPERATORS.values(), ids=OPERATORS)
def test_every_argument_is_explained_by_its_own_name(op: Op):
    """An Args section names no argument that the operator does not have."""
    notes = argument_notes(sections(inspect.getdoc(op.kernel) or "").get("Args", []))
    assert not {*notes} - {*op.arrays, *op.param_types, "data", "args"}
