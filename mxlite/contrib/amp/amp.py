# SPDX-License-Identifier: Apache-2.0
"""Automatic mixed precision: switching it on, its operator lists, and loss scaling of one's own loops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from ...log import ROOT
from ...module.precision import current, set_current
from ...optimizer import Optimizer
from .convert import AmpError as AmpError
from .convert import Conditional, Ops, lists_of, precision_of
from .convert import convert_bucketing_module as convert_bucketing_module
from .convert import convert_model as convert_model
from .convert import convert_module as convert_module
from .convert import convert_symbol as convert_symbol
from .lists import symbol_fp16
from .loss_scaler import LossScaler as LossScaler


def init(
    target_dtype: str = "float16",
    target_precision_ops: Ops | None = None,
    conditional_fp32_ops: Conditional | None = None,
    fp32_ops: Ops | None = None,
) -> None:
    """Let all modules that are made from now on compute and train in mixed precision, as `convert_module` says.

    MXNet patches the operators instead, and does not scale the loss of a Module. Here symbols and `mx.nd` stay what
    they are. A second call replaces what the first one said.

    Args:
        target_dtype: float16 or bfloat16.
        target_precision_ops: operators that compute in 16 bits beside those of `list_lp16_ops`.
        conditional_fp32_ops: (operator, parameter, values) beside those of `list_conditional_fp32_ops`.
        fp32_ops: operators that compute in float32 beside those of `list_fp32_ops`.

    Raises:
        AmpError: an argument is not legal.

    Source: `mxnet.contrib.amp.init`.
    """
    low, wide = list_lp16_ops(target_dtype), list_fp32_ops(target_dtype)
    moved = {*(target_precision_ops or ()), *(fp32_ops or ())}
    conditional = [row for row in list_conditional_fp32_ops(target_dtype) if row[0] not in moved]
    precision = precision_of(
        target_dtype,
        [*(op for op in low if op not in moved), *(target_precision_ops or ())],
        [*(op for op in wide if op not in moved), *(fp32_ops or ())],
        [*conditional, *(conditional_fp32_ops or ())],
    )
    ROOT.info("Using AMP")
    set_current(precision)


def reset() -> None:
    """Take back `init`: modules that are made from now on compute in the dtype of their arrays."""
    set_current(None)


def init_trainer(optimizer_or_trainer: Any) -> None:
    """Let a Gluon Trainer scale the loss; mxlite has none yet, and a Module does without.

    Raises:
        AmpError: `init` was not called.
        TypeError: for everything else, as MXNet does for everything that is no Gluon Trainer.
    """
    if current() is None:
        raise AmpError("AMP not initialized, did you forget to call amp.init()?")
    raise _only_trainers(optimizer_or_trainer)


def unscale(optimizer_or_trainer: Any) -> None:
    """Divide the gradients of a Gluon Trainer by the scale; the gradients of a Module are the true ones always.

    Raises:
        TypeError: it is no Gluon Trainer, which mxlite does not have yet.
    """
    raise _only_trainers(optimizer_or_trainer)


def _only_trainers(given: Any) -> TypeError:
    if isinstance(given, Optimizer):
        return TypeError(
            "AMP is currently only compatible with Gluon Trainer, which mxlite does not have yet; "
            "a Module that is made after amp.init() scales its loss by itself"
        )
    return TypeError(f"optimizer_or_trainer should be a Gluon Trainer or an optimizer, instead is {type(given)}")


@contextlib.contextmanager
def scale_loss(loss: Any, optimizer_or_trainer: Any) -> Iterator[Any]:
    """The loss, or the list of losses, times the scale of a trainer's `LossScaler`.

    Args:
        loss: NDArray, or a list or tuple of them.
        optimizer_or_trainer: what has a `_amp_loss_scaler`.

    Raises:
        AttributeError: it has none; `init_trainer` gives one to a Gluon Trainer.

    Source: `mxnet.contrib.amp.scale_loss`.
    """
    scaler = getattr(optimizer_or_trainer, "_amp_loss_scaler", None)
    if scaler is None:
        raise AttributeError(
            f"{type(optimizer_or_trainer).__name__!r} object has no attribute '_amp_loss_scaler'; the loss of a Module "
            "that is made after amp.init() is scaled without it"
        )
    many = isinstance(loss, list | tuple)
    yield [x * scaler.loss_scale for x in loss] if many else loss * scaler.loss_scale


# The lists.


def list_lp16_ops(target_dtype: str) -> list[str]:
    """Operators that compute in 16 bits."""
    lists = lists_of(target_dtype)
    return list(lists.FP16_FUNCS if lists is symbol_fp16 else lists.BF16_FUNCS)


def list_fp32_ops(target_dtype: str) -> list[str]:
    """Operators that compute in float32."""
    return list(lists_of(target_dtype).FP32_FUNCS)


def list_lp16_fp32_ops(target_dtype: str) -> list[str]:
    """Operators that take what comes."""
    lists = lists_of(target_dtype)
    return list(lists.FP16_FP32_FUNCS if lists is symbol_fp16 else lists.BF16_FP32_FUNCS)


def list_conditional_fp32_ops(target_dtype: str) -> list[tuple[str, str, list[str]]]:
    """(operator, parameter, values): in float32 with one of the values."""
    return list(lists_of(target_dtype).CONDITIONAL_FP32_FUNCS)


def list_widest_type_cast(target_dtype: str) -> list[str]:
    """Operators whose inputs are cast to the widest dtype among them."""
    return list(lists_of(target_dtype).WIDEST_TYPE_CASTS)


def list_loss_output_functions(target_dtype: str) -> list[str]:
    """Operators that are losses."""
    return list(lists_of(target_dtype).LOSS_OUTPUT_FUNCTIONS)


def list_lp16_use_fp32_params(target_dtype: str) -> dict[str, Sequence[str]] | None:
    """Operators of bfloat16 data and float32 parameters: the names of the inputs that are; None for float16."""
    lists = lists_of(target_dtype)
    return None if lists is symbol_fp16 else dict(lists.BF16_USE_FP32_PARAMS)
