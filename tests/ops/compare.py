# SPDX-License-Identifier: Apache-2.0
"""A golden case against what `mxlite_compiler` made of it, as strictly as ``cases.py`` allows."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import NO_GRADS, NO_VALUES, rtol
from tests.ops.golden import Case, Result, assert_close


def compared(case: Case) -> bool:
    """Whether the values are compared, not only shapes and dtypes."""
    return not (case.stochastic or case.id in NO_VALUES or case.op in NO_VALUES)


def differentiated(case: Case) -> bool:
    """Whether there are gradients, and they are compared."""
    return bool(case.grads) and not (case.stochastic or case.id in NO_GRADS or case.op in NO_GRADS)


def check_values(case: Case, done: Result) -> None:
    """AssertionError unless outputs and written inputs are what MXNet returned; the error of a case that failed."""
    if done.error is not None:
        raise done.error
    visible = done.outputs[: case.operator.visible(case.bind())]
    assert len(visible) == len(case.outputs), f"{len(visible)} outputs, MXNet {len(case.outputs)}"
    for i, (got, want) in enumerate(zip(visible, case.outputs, strict=True)):
        if compared(case):
            assert_close(got, want, rtol(case, want.dtype.name), f"output {i}")
        else:
            assert (got.shape, got.dtype) == (want.shape, want.dtype), f"output {i}: {got.shape} {got.dtype}"
    for i, want in case.inputs_after.items():
        if i in done.inputs_after or not np.array_equal(want, case.inputs[i], equal_nan=True):
            assert_close(done.inputs_after[i], want, rtol(case, want.dtype.name), f"input {i} after the call")


def check_gradients(case: Case, done: Result) -> None:
    """AssertionError unless the gradients are those of MXNet; the error of a case that failed."""
    if done.error is not None:
        raise done.error
    if differentiated(case):
        for i, want in case.grads.items():
            assert_close(done.grads[i], want, rtol(case, want.dtype.name), f"gradient of input {i}")
