# SPDX-License-Identifier: Apache-2.0
"""Every expression of `cases.py` against what MXNet 1.9.1 gave for it: storage, dtype, values, indices, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx

from .cases import EXPRESSIONS, names

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "sparse"
RECORDED = {family: json.loads((GOLDEN / f"{family}.json").read_text()) for family in EXPRESSIONS}

#: What differs from MXNet 1.9.1, and why.
BETTER = {
    "c/e": "MXNet refuses; the dense quotient",
    EXPRESSIONS["gradients"][-1]: "MXNet refuses indices out of range with sparse gradients only; they are clipped",
}
#: MXNet stores these in an order, or with zeros, that its kernels happen to leave: only the values count.
ANY_ORDER = ("c+c", "c-c", "c*c", "elemwise")


def compare(found: Any, want: Any, where: str) -> None:
    """Compare a result with its record."""
    if isinstance(want, list):
        for i, (f, w) in enumerate(zip(found, want, strict=True)):
            compare(f, w, f"{where}[{i}]")
    elif not isinstance(want, dict):
        assert found == want
    else:
        assert (found.stype, np.dtype(found.dtype).name) == (want["stype"], want["dtype"]), where
        values = np.array(want["values"], np.float64)
        np.testing.assert_allclose(found.asnumpy().astype(np.float64), values, rtol=2e-6, atol=2e-7, err_msg=where)
        assert found.shape == values.shape
        if "indices" in want and not where.startswith(ANY_ORDER) and "elemwise" not in where:
            assert found.indices.asnumpy().tolist() == want["indices"], where
            if found.stype == "csr":
                assert found.indptr.asnumpy()[-1] == len(want["indices"])


@pytest.mark.parametrize("family", EXPRESSIONS)
def test_as_mxnet(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
    assert list(RECORDED[family]) == list(dict.fromkeys(EXPRESSIONS[family]))
    wrong = []
    given = names(mx)
    for expression, want in RECORDED[family].items():
        try:
            found = eval(expression, dict(given))
        except Exception as e:  # noqa: BLE001 - its class is compared
            if not isinstance(want, dict) or want.get("error") not in [k.__name__ for k in type(e).__mro__]:
                wrong.append(f"{expression}: {want} became {type(e).__name__}: {e}")
            continue
        if isinstance(want, dict) and "error" in want:
            if expression not in BETTER:
                wrong.append(f"{expression}: {want['error']} became {found!r}")
            continue
        try:
            compare(found, want, expression)
        except AssertionError as e:
            wrong.append(f"{expression}: {e}")
    assert not wrong, "\n".join(wrong)
