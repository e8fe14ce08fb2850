# SPDX-License-Identifier: Apache-2.0
"""Common mistakes: the class of the exception is MXNet's, and the message names what is wrong.

``golden/errors.json`` has 170 of them with what MXNet 1.9.1 raises. A case that needs a part of the API that is not
there yet is skipped, and runs as soon as it is. The messages themselves are in ``golden/error_messages.md``.
"""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

import pytest

import mxlite as mx

from .error_messages import CASES, TABLE, missing, run, section

STALE = "golden/error_messages.md is out of date: look at the new message, then python -m tests.error_messages"

#: Where mxlite raises another class on purpose, None for nothing, and why.
DELIBERATE: dict[str, tuple[type[BaseException] | None, str]] = {
    "nd_reshape_op_wrong_size": (mx.MXNetError, "MXNet reads past the end of the data"),
    "custom_forward_raises": (ValueError, "user code's exception surfaces as itself"),
    "custom_backward_raises": (KeyError, "user code's exception surfaces as itself"),
    "custom_infer_shape_raises": (RuntimeError, "user code's exception surfaces as itself"),
}


def _exception_class(name: str) -> type[BaseException]:
    """`name` as MXNet has it: ``mxnet.base.MXNetError``, ``ValueError``, ``_pickle.UnpicklingError``."""
    if name == "_pickle.UnpicklingError":
        return pickle.UnpicklingError
    found: Any = mx if name.startswith("mxnet.") else __builtins__
    for part in name.removeprefix("mxnet.").split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    return found


@functools.cache
def table() -> str:
    return TABLE.read_text()


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_class_and_words(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing(case):
        pytest.skip(f"mx.{missing(case)} is not there yet")
    if case["id"].startswith("gpu_") and mx.num_gpus():
        pytest.skip("this machine has a GPU")
    monkeypatch.chdir(tmp_path)
    expected = _exception_class(case["exception"]) if case["exception"] else None
    expected, _ = DELIBERATE.get(case["id"], (expected, ""))
    if expected is None:
        run(case)
        assert section(case, None) in table(), STALE
        return
    with pytest.raises(expected) as told:
        run(case)
    absent = [word for word in case.get("says", ()) if word not in str(told.value)]
    assert not absent, f"the message lacks {absent}: {told.value}"
    assert section(case, told.value) in table(), STALE


def test_every_exception_to_the_rule_is_a_case() -> None:
    assert DELIBERATE.keys() <= {case["id"] for case in CASES}


def test_classes_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx.base, "error_types", dict(mx.base.error_types))
    assert {"InternalError", "NotImplementedForSymbol", "ValueError", "TypeError"} <= mx.base.error_types.keys()
    assert mx.error.register is mx.error.register_error is mx.base.register_error
    assert mx.error.MXNetError is mx.MXNetError and issubclass(mx.error.InternalError, mx.MXNetError)

    @mx.error.register
    class Own(mx.MXNetError):
        pass

    assert mx.error.register("other", Own) is Own and mx.error.register("third")(Own) is Own
    assert [mx.base.error_types[name] for name in ("Own", "other", "third")] == [Own] * 3
    with pytest.raises(TypeError, match="takes an exception class"):
        mx.error.register(3)


@pytest.mark.parametrize("kind", [mx.base.NotImplementedForSymbol, mx.base.NotSupportedForSparseNDArray])
def test_methods_that_other_arrays_do_not_have(kind: Any) -> None:
    error: Any = kind(str.upper, "+=", 1, "a")
    assert (error.function, error.alias) == ("upper", "+=") and issubclass(kind, mx.MXNetError)
    assert str(error).startswith("upper (the operator '+=') is not available for a ")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
