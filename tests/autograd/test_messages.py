# SPDX-License-Identifier: Apache-2.0
"""Mistakes: MXNet's class of error, and a message that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import mxlite as mx

nd, ag = mx.nd, mx.autograd


def var(*shape: int, req: str = "write") -> Any:
    x = nd.ones(shape)
    x.attach_grad(req)
    return x


def recorded(f: Callable[[Any], Any], req: str = "write") -> Any:
    x = var(2, 3, req=req)
    with ag.record():
        return f(x)


def twice() -> None:
    y = recorded(lambda x: x * x)
    y.backward()
    y.backward()


def freed() -> None:
    x = var(2)
    with ag.record():
        y = x * x
        z = y + x
    y.backward()
    z.backward()


def add_in_place(x: Any) -> None:
    x += 1


def write_row(x: Any) -> None:
    nd.zeros((4, 3))[1:3] = x


def wrong_count() -> None:
    class One(ag.Function):
        def forward(self, a: Any, b: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return a * b

        def backward(self, d: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return d

    recorded(lambda x: One()(x, x)).backward()


class Pass(ag.Function):
    def forward(self, a: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return a * 1

    def backward(self, d: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return d


@pytest.mark.parametrize(
    "action, error, text",
    [
        (lambda: nd.ones(2).backward(), mx.MXNetError, "no part of a recorded computation"),
        (twice, mx.MXNetError, "pass retain_graph=True"),
        (freed, mx.MXNetError, "freed by an earlier backward"),
        (lambda: recorded(lambda x: x * 2, "null").backward(), mx.MXNetError, "another grad_req than 'null'"),
        (lambda: recorded(add_in_place), mx.MXNetError, r"use an operation that makes a new array \(y = y \+ 1"),
        (lambda: recorded(lambda x: nd.relu(x, out=x)), mx.MXNetError, "cannot be written inside"),
        (lambda: recorded(write_row), mx.MXNetError, "concat or stack"),
        (
            lambda: recorded(lambda x: x * 2).backward(nd.ones(7)),
            mx.MXNetError,
            r"head gradient of shape \(7,\) and dtype float32 does not fit its head of shape \(2, 3\)",
        ),
        (lambda: ag.backward([recorded(lambda x: x)], [None, None]), AssertionError, "1 heads need as many head_grads"),
        (lambda: ag.backward([3]), TypeError, "heads must be NDArrays, got 3"),  # pyright: ignore
        (lambda: ag.backward(var(2), [3]), TypeError, "head_grads must be NDArrays"),  # pyright: ignore
        (lambda: var(2).attach_grad("sum"), KeyError, "'write', 'add' or 'null', got 'sum'"),
        (lambda: nd.ones(2).attach_grad(stype="csr"), mx.MXNetError, "a csr matrix has two dimensions"),
        (lambda: ag.mark_variables([var(2)], []), mx.MXNetError, "1 variables, 0 gradients"),
        (lambda: ag.mark_variables(nd.ones(2), nd.ones(3)), mx.MXNetError, "a gradient must be like its variable"),
        (lambda: ag.grad(recorded(lambda x: x * 2), []), AssertionError, "at least one array"),
        (lambda: ag.grad(recorded(lambda x: x * 2), nd.ones(2)), mx.MXNetError, "number 1 takes no gradient"),
        (lambda: ag.grad(recorded(lambda x: x * 2), [var(2)]), mx.MXNetError, "number 1 cannot be reached"),
        (lambda: ag.get_symbol(nd.ones(2)), mx.MXNetError, "no part of a recorded computation"),
        (wrong_count, mx.MXNetError, "One: backward returned 1 gradients for 2 inputs"),
        (
            lambda: recorded(lambda x: ag.grad(Pass()(x), x, create_graph=True)),
            mx.MXNetError,
            "cannot be differentiated more than once",
        ),
    ],
)
def test_message(action: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()


def test_an_instance_of_function_serves_once() -> None:
    f, x = Pass(), var(2)
    f(x)
    with pytest.raises(AssertionError, match="serves one call"):
        f(x)


def test_grad_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        var(2).grad = nd.ones(2)
