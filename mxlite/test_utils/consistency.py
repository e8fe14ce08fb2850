# SPDX-License-Identifier: Apache-2.0
"""The same computation done in several ways must give the same: devices, dtypes, optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray, array
from ..symbol import Symbol
from .comparison import assert_almost_equal, compare_ndarray_tuple, host
from .tolerance import Tolerance


def check_consistency(
    sym: Symbol | Sequence[Symbol],
    ctx_list: Sequence[Mapping[str, Any]],
    scale: float = 1.0,
    grad_req: Any = "write",
    arg_params: Mapping[str, Any] | None = None,
    aux_params: Mapping[str, Any] | None = None,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    raise_on_err: bool = True,
    ground_truth: Mapping[str, Any] | None = None,
    equal_nan: bool = False,
    use_uniform: bool = False,
    rand_type: Any = np.float64,
) -> dict[str, NDArray]:
    """Run a symbol in several settings on the same values, and compare outputs and gradients.

    Args:
        sym: the symbol, or one for each setting; they must agree in names of arguments and outputs.
        ctx_list: the settings, each with "ctx", "type_dict" (dtypes by name) and a shape for each input, as for
            `simple_bind`: ``{"ctx": mx.cpu(), "data": (2, 3), "type_dict": {"data": "float32"}}``.
        scale: standard deviation of the random arguments.
        grad_req: as for `simple_bind`; "null" leaves gradients out. The head gradients are the outputs.
        arg_params: arguments that shall not be random, by name.
        aux_params: auxiliary states that shall not be 0, by name.
        rtol: relative bound: a number or a dictionary by dtype; by default that of the coarser dtype. `atol`: likewise.
        raise_on_err: False only prints what differs.
        ground_truth: outputs and gradients by name; by default those of the setting with the widest dtype.
        equal_nan: nan equals nan.
        use_uniform: random arguments are uniform in [-scale/2, scale/2), not normal.
        rand_type: random arguments are rounded to this dtype first.

    Returns:
        The ground truth: outputs and, unless `grad_req` is "null", gradients, by name.

    Raises AssertionError when results differ, fewer than two settings are given, or the symbols do not match.
    """
    symbols = [sym] * len(ctx_list) if isinstance(sym, Symbol) else list(sym)
    _check_settings(symbols, ctx_list)
    executors = [s.simple_bind(grad_req=grad_req, **setting) for s, setting in zip(symbols, ctx_list, strict=True)]
    _fill(executors, dict(arg_params or {}), dict(aux_params or {}), scale, use_uniform, rand_type)
    widest = max(range(len(executors)), key=lambda i: np.dtype(executors[i].outputs[0].dtype).itemsize)
    truth: dict[str, Any] = dict(ground_truth or {})

    def compare(found: Sequence[Mapping[str, NDArray]], stage: str) -> None:
        if ground_truth is None:
            truth.update({name: value.copy() for name, value in found[widest].items()})
        for i, results in enumerate(found):
            if i == widest and ground_truth is None:
                continue
            for name in (n for n in results if n in truth):
                try:
                    assert_almost_equal(results[name], truth[name], rtol, atol, equal_nan=equal_nan)
                except AssertionError as e:
                    told = f"{stage} Err: {_told(executors[i], i)} vs {_told(executors[widest], widest)} at {name}\n{e}"
                    if raise_on_err:
                        raise AssertionError(told) from None
                    print(told)

    def outputs(executor: Any) -> dict[str, NDArray]:
        return dict(zip(symbols[0].list_outputs(), executor.outputs, strict=True))

    for executor in executors:
        executor.forward(is_train=False)
    compare([outputs(executor) for executor in executors], "Predict")
    if not _nothing(grad_req):
        for executor in executors:
            executor.forward(is_train=True)
            executor.backward(executor.outputs)
        gradients = [{n: g for n, g in executor.grad_dict.items() if g is not None} for executor in executors]
        compare([{**outputs(e), **g} for e, g in zip(executors, gradients, strict=True)], "Train")
    return truth


def _nothing(grad_req: Any) -> bool:
    requests = (
        [grad_req] if isinstance(grad_req, str) else grad_req.values() if isinstance(grad_req, Mapping) else grad_req
    )
    return all(request == "null" for request in requests)


def _told(executor: Any, number: int) -> str:
    return f"{np.dtype(executor.outputs[0].dtype)} ctx {number}"


def _check_settings(symbols: Sequence[Symbol], settings: Sequence[Any]) -> None:
    if len(settings) < 2:
        raise AssertionError(f"check_consistency: ctx_list needs at least two settings, got {len(settings)}")
    if len(symbols) != len(settings):
        raise AssertionError(f"check_consistency: {len(symbols)} symbols for {len(settings)} settings")
    for symbol in symbols[1:]:
        for names in ("list_outputs", "list_arguments"):
            first, here = getattr(symbols[0], names)(), getattr(symbol, names)()
            if first != here:
                raise AssertionError(f"check_consistency: {names}() of the symbols differ: {first} and {here}")


def _fill(
    executors: Sequence[Any],
    args: dict[str, Any],
    aux: dict[str, Any],
    scale: float,
    use_uniform: bool,
    rand_type: Any,
) -> None:
    """Put the same values into all executors: those given, random arguments, zeros for states and gradients."""
    for name, like in executors[0].arg_dict.items():
        if name not in args:
            draw = np.random.uniform(-0.5, 0.5, like.shape) if use_uniform else np.random.normal(size=like.shape)
            args[name] = (draw * scale).astype(rand_type)
    for executor in executors:
        for name, x in executor.arg_dict.items():
            x[:] = host(args[name])
        for name, x in executor.aux_dict.items():
            x[:] = host(aux.get(name, 0))
        for g in executor.grad_dict.values():
            if g is not None:
                g[:] = 0


def compare_optimizer(
    opt1: Any,
    opt2: Any,
    shape: Any,
    dtype: Any,
    w_stype: str = "default",
    g_stype: str = "default",
    rtol: float = 1e-4,
    atol: float = 1e-5,
    compare_states: bool = True,
    ntensors: int = 1,
) -> None:
    """Compare one update by two optimizers, of the same random weights with the same random gradients.

    Args:
        opt1: an optimizer; `opt2`: the one it should equal.
        shape: of the weight; a list of shapes when `ntensors` is more than 1.
        dtype: of the weight.
        w_stype: storage of the weight, only "default"; `g_stype`: of the gradient.
        rtol: relative bound; `atol`: absolute bound.
        compare_states: compare the states, too, before and after.
        ntensors: how many weights are updated in one call.

    Raises:
        AssertionError: weights or states differ.
        ValueError: for sparse storage.
    """
    if (w_stype, g_stype) != ("default", "default"):
        raise ValueError(f'compare_optimizer: storage must be "default", got {w_stype!r} and {g_stype!r}')
    shapes = [shape] if ntensors == 1 else list(shape)

    def draw() -> list[NDArray]:
        return [array(np.random.uniform(size=s), dtype=dtype) for s in shapes]

    weights, gradients = draw(), draw()
    results = []
    for opt in (opt1, opt2):
        ws, gs = [w.copy() for w in weights], [g.copy() for g in gradients]
        states = [opt.create_state_multi_precision(i, w) for i, w in enumerate(ws)]
        for i, (w, g, state) in enumerate(zip(ws, gs, states, strict=True)):
            opt.update_multi_precision(i, w, g, state)
        results.append((ws, states))
    (ws1, states1), (ws2, states2) = results
    if compare_states:
        compare_ndarray_tuple(tuple(states1), tuple(states2), rtol, atol)
    for w1, w2 in zip(ws1, ws2, strict=True):
        assert_almost_equal(w1, w2, rtol, atol)
