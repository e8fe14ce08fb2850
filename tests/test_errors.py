# SPDX-License-Identifier: Apache-2.0
"""Common mistakes: the class of the exception is MXNet's, and the message names what is wrong.

``golden/errors.json`` has 170 of them with what MXNet 1.9.1 raises. A case that needs a part of the API that is not
there yet is skipped, and runs as soon as it is.
"""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden" / "errors.json").read_text())["cases"]

#: Where mxlite raises another class on purpose, None for nothing, and why.
DELIBERATE: dict[str, tuple[type[BaseException] | None, str]] = {
    "nd_reshape_op_wrong_size": (mx.MXNetError, "MXNet reads past the end of the data"),
    "custom_forward_raises": (ValueError, "user code's exception surfaces as itself"),
    "custom_backward_raises": (KeyError, "user code's exception surfaces as itself"),
    "custom_infer_shape_raises": (RuntimeError, "user code's exception surfaces as itself"),
}

#: What a case uses, to tell a part that is not there yet from a wrong exception.
NEEDS = {
    "attach_grad": "autograd",
    "mx.autograd": "autograd",
    "mx.gluon": "gluon",
    "mx.kv": "kv",
    "mx.rnn": "rnn",
    "mx.image": "image",
    "mx.recordio": "recordio",
    "mx.profiler": "profiler",
    "CSVIter": "io.CSVIter",
    "MNISTIter": "io.MNISTIter",
    "ImageRecordIter": "io.ImageRecordIter",
    "contrib.foreach": "nd.contrib.foreach",
    "contrib.while_loop": "sym.contrib.while_loop",
    "x.grad": "nd.NDArray.grad",
}


def _has(path: str) -> bool:
    found: Any = mx
    for name in path.split("."):
        found = getattr(found, name, None)
    return found is not None


def _exception_class(name: str) -> type[BaseException]:
    """`name` as MXNet has it: ``mxnet.base.MXNetError``, ``ValueError``, ``_pickle.UnpicklingError``."""
    if name == "_pickle.UnpicklingError":
        return pickle.UnpicklingError
    found: Any = mx if name.startswith("mxnet.") else __builtins__
    for part in name.removeprefix("mxnet.").split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    return found


def _run(case: dict[str, Any]) -> None:
    names: dict[str, Any] = {"mx": mx, "np": np}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(case["setup"], names)  # noqa: S102 - code from the repository
        exec(case["trigger"], names)  # noqa: S102
        mx.nd.waitall()


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_class_and_words(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = case["setup"] + case["trigger"]
    missing = [path for word, path in NEEDS.items() if word in text and not _has(path)]
    if missing:
        pytest.skip(f"mx.{missing[0]} is not there yet")
    monkeypatch.chdir(tmp_path)
    expected = _exception_class(case["exception"]) if case["exception"] else None
    expected, _ = DELIBERATE.get(case["id"], (expected, ""))
    if expected is None:
        _run(case)
        return
    with pytest.raises(expected) as told:
        _run(case)
    absent = [word for word in case.get("says", ()) if word not in str(told.value)]
    assert not absent, f"the message lacks {absent}: {told.value}"


def test_every_exception_to_the_rule_is_a_case() -> None:
    assert DELIBERATE.keys() <= {case["id"] for case in CASES}
