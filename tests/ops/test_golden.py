# SPDX-License-Identifier: Apache-2.0
"""Every registered operator against the numbers that MXNet 1.9.1 computed, case by case.

A case whose operator is not registered is not collected. ``cases.py`` lists what is compared less strictly, and why.
"""

from __future__ import annotations

import pytest

from mxlite_compiler.op import OPS
from mxlite_compiler.shapes import join_shapes
from tests.ops.cases import GUESSES, LOOSE, NO_GRADS, NO_VALUES, NOT_RUN
from tests.ops.compare import check_gradients, check_values
from tests.ops.golden import Case, all_cases, cases_of_registered, results

CASES = cases_of_registered(exclude=NOT_RUN)
IDS: dict[str, tuple[str, ...]] = {op: tuple(c.id for c in CASES if c.op == op) for op in {c.op for c in CASES}}
every_case = pytest.mark.parametrize("case", CASES, ids=[c.id for c in CASES])


@every_case
def test_values(case: Case):
    done = results(case.op, IDS[case.op])[case.id]
    check_values(case, done)
    check_gradients(case, done)


@every_case
def test_rules_equal_kernel(case: Case):
    """The shape and dtype rules say from the inputs alone what the kernel then returns."""
    done = results(case.op, IDS[case.op])[case.id]
    op, p = case.operator, case.bind()
    xs = [case.inputs[i] for i in case.order(p)]
    nothing = [None] * len(op.outputs(p))
    ins, shapes = op.infer_shape(p, [x.shape for x in xs], nothing)
    assert [s if s is None else tuple(s) for s in shapes] == [y.shape for y in done.outputs]
    assert ins == [x.shape for x in xs]
    in_types, types = op.infer_dtype(p, [x.dtype.name for x in xs], nothing)
    assert types == [y.dtype.name for y in done.outputs]
    assert in_types == [x.dtype.name for x in xs]


@every_case
def test_partial_shapes(case: Case):
    """Whatever is left out, inference neither fails nor says something false."""
    op, p = case.operator, case.bind()
    true_in = [case.inputs[i].shape for i in case.order(p)]
    n = len(op.outputs(p))
    _, true_out = op.infer_shape(p, true_in, [None] * n)
    holes = [([None] * len(true_in), [None] * n), ([None] * len(true_in), true_out), (true_in, true_out)]
    for i, shape in enumerate(true_in):
        for unknown in (None, (0, *shape[1:]), (0,) * len(shape)):
            partial = [*true_in[:i], unknown, *true_in[i + 1 :]]
            holes += [(partial, [None] * n), (partial, true_out)]
    for ins, outs in holes:
        got_in, got_out = op.infer_shape(p, ins, outs)
        if not (case.id in GUESSES or case.op in GUESSES):
            for got, true in zip([*got_in, *got_out], [*true_in, *true_out], strict=True):
                join_shapes(got, true)


def test_tables_name_cases_that_exist():
    names = set(all_cases()) | {c.op for c in all_cases().values()}
    assert not {*GUESSES, *LOOSE, *NO_VALUES, *NO_GRADS, *NOT_RUN} - names


def test_most_cases_are_compared():
    assert len(CASES) > 0.5 * sum(c.op in OPS for c in all_cases().values())
