# SPDX-License-Identifier: Apache-2.0
"""The golden cases through the functions that users call: `mx.nd`, at once, and `mx.sym`, bound to an executor.

Both front ends are made from one definition, so this is about what they add: sorting arguments, texts of attributes,
`out=`, `name=`, auxiliary states, and what an executor makes of `grad_req`. All cases of an operator share an executor.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.base import eager_mode
from mxlite_compiler.op import Op
from tests.ops.cases import NO_GRADS, NO_VALUES, NOT_RUN, rtol
from tests.ops.golden import Case, assert_close, cases_of_registered, of_operator

#: Operator -> why it takes another way to its tests.
ELSEWHERE: dict[str, str] = {}

pytestmark = pytest.mark.usefixtures("quick_compile")

CASES = [c for c in cases_of_registered(exclude=NOT_RUN) if c.op not in ELSEWHERE]
OPERATORS = sorted({c.op for c in CASES})


def function(front: Any, case: Case) -> Any:
    """The function that the case was recorded with, in `mx.nd` or `mx.sym`."""
    for part in case.fn.split(".")[2:]:
        front = getattr(front, part)
    return front


def arguments(case: Case, values: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """`values` of the inputs as positional and keyword arguments, as in the recorded call."""
    names = case.input_names
    positional = [v for n, v in zip(names, values, strict=True) if n is None]
    return positional, {n: v for n, v in zip(names, values, strict=True) if n is not None}


def check(case: Case, got: list[mx.nd.NDArray]) -> None:
    """The outputs are what MXNet returned."""
    assert len(got) == len(case.outputs), case.id
    for i, (x, want) in enumerate(zip(got, case.outputs, strict=True)):
        if case.stochastic or case.id in NO_VALUES or case.op in NO_VALUES:
            assert (x.shape, x.dtype) == (want.shape, want.dtype), case.id
        else:
            assert_close(x.asnumpy(), want, rtol(case, want.dtype.name), f"{case.id}, output {i}")


def array(x: np.ndarray) -> mx.nd.NDArray:
    return mx.nd.array(x, dtype=x.dtype)


class Bound:
    """All cases of one operator in one executor; the gradients of every other input are added up, the rest written."""

    def __init__(self, cases: list[Case]):
        self.cases, symbols, args, self.reqs = cases, [], {}, {}
        for n, case in enumerate(cases):
            names = [f"case{n}_{i}" for i in range(len(case.inputs))]
            args.update({name: array(x) for name, x in zip(names, case.inputs, strict=True)})
            positional, keywords = arguments(case, [mx.sym.Variable(name) for name in names])
            symbols.append(function(mx.sym, case)(*positional, **keywords, **case.attrs))
            for i in case.grads:
                self.reqs[names[i]] = "write" if len(self.reqs) % 2 else "add"
        group = mx.sym.Group(symbols)
        aux = {name: args.pop(name) for name in group.list_auxiliary_states()}
        grads = {f"case{n}_{i}": array(g) for n, case in enumerate(cases) for i, g in case.grads.items()}
        self.executor = group.bind(mx.cpu(), args, grads, self.reqs, aux)
        self.sizes = [len(s) for s in symbols]

    def outputs(self) -> list[list[mx.nd.NDArray]]:
        """The outputs, case by case."""
        rest = iter(self.executor.outputs)
        return [[next(rest) for _ in range(n)] for n in self.sizes]

    def heads(self) -> list[mx.nd.NDArray]:
        """The head gradients of all outputs, zeros where a case has none."""
        return [
            array(case.head_grads[i] if i in case.head_grads else np.zeros(out.shape, out.dtype))
            for case, outs in zip(self.cases, self.outputs(), strict=True)
            for i, out in enumerate(outs)
        ]


@pytest.mark.parametrize("op", OPERATORS)
def test_executor(op: str):
    cases = [c for c in CASES if c.op == op]
    fixed = [c for c in cases if not c.train and c.operator._mode_name]  # gradients are those of a training pass
    if fixed:
        bound = Bound([dataclasses.replace(c, grads={}) for c in fixed])
        bound.executor.forward(is_train=False)
        for case, got in zip(fixed, bound.outputs(), strict=True):
            check(case, got)
    cases = [c for c in cases if c not in fixed]
    if not cases:
        return
    bound = Bound(cases)
    bound.executor.forward(is_train=True)
    bound.executor.backward(bound.heads())
    for case, got in zip(cases, bound.outputs(), strict=True):
        check(case, got)
    if not bound.reqs:
        return
    bound.executor.forward(is_train=True)
    bound.executor.backward(bound.heads())
    found = bound.executor.grad_dict
    assert {name for name, g in found.items() if g is not None} == set(bound.reqs)
    for n, case in enumerate(cases):
        for i, want in case.grads.items():
            if case.stochastic or case.id in NO_GRADS or op in NO_GRADS or case.operator.mutates(case.bind()):
                continue
            got, what = found[f"case{n}_{i}"].asnumpy(), f"{case.id}, gradient of input {i}"
            if bound.reqs[f"case{n}_{i}"] == "add":
                want = 3 * want  # it began with the recorded gradient, to which two passes were added
            assert_close(got, want, rtol(case, want.dtype.name), what)


def representatives(op: str) -> list[Case]:
    """The first case of an operator, and the one that gives the most attributes."""
    cases = [c for c in CASES if c.op == op]
    chosen = [cases[0], max(cases, key=lambda c: len(c.attrs))]
    return chosen[: 1 + (chosen[0] is not chosen[1])]


def listed(result: Any) -> list[mx.nd.NDArray]:
    return result if isinstance(result, list) else [result]


@pytest.mark.parametrize("op", OPERATORS)
def test_eager(op: str, monkeypatch: pytest.MonkeyPatch):
    for case in representatives(op):
        monkeypatch.setattr(eager_mode, "train", case.train)
        arrays = [array(x) for x in case.inputs]
        positional, keywords = arguments(case, arrays)
        call = function(mx.nd, case)
        # An optional parameter may be given as the None that it is.
        known = inspect.signature(call).parameters
        absent = {n: None for n, p in known.items() if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is None}
        attrs = {n: v for n, v in absent.items() if n in optional(case.operator)} | case.attrs
        check(case, listed(call(*positional, **keywords, **attrs)))


@pytest.mark.parametrize("op", OPERATORS)
def test_texts_keywords_name_and_out(op: str, monkeypatch: pytest.MonkeyPatch):
    """Parameters as the text that a file would hold, arrays by keyword, results into given arrays."""
    case = representatives(op)[-1]
    monkeypatch.setattr(eager_mode, "train", case.train)
    operator, p = case.operator, case.bind()
    call = getattr(mx.nd._internal if op.startswith("_") else mx.nd, op)
    texts = {n: str(v) for n, v in of_operator(case).items()}
    arrays = [array(case.inputs[i]) for i in case.order(p)]
    out = [array(np.zeros_like(x)) for x in case.outputs]
    given = {} if operator.variadic else dict(zip(operator.inputs(p), arrays, strict=True))
    positional = arrays if operator.variadic else ()
    target = out[0] if len(out) == 1 else out
    result = call(*positional, **given, **texts, name="mine", out=target)
    assert result is target
    check(case, out)


def optional(op: Op) -> set[str]:
    """The parameters that are None by default."""
    return {f.name for f in dataclasses.fields(op.params) if f.default is None}
