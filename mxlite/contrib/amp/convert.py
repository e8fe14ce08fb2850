# SPDX-License-Identifier: Apache-2.0
"""Networks of float32 as networks of mixed precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from mxlite_compiler.errors import nearest
from mxlite_compiler.graph import Entry, Graph, Node
from mxlite_compiler.params import TYPE_FLAGS
from mxlite_compiler.passes import OpLists, mixed_precision

from ...module import BucketingModule, Module
from ...module.base_module import StateError
from ...module.precision import Precision
from ...ndarray import NDArray
from ...optimizer.loss_scaling import LossScale
from ...symbol import Symbol
from .lists import symbol_bf16, symbol_fp16

#: The scale of MXNet's `LossScaler`.
DYNAMIC = LossScale()
Conditional = Sequence[tuple[str, str, Sequence[str]]]
Ops = Sequence[str]
Params = Mapping[str, NDArray]


class AmpError(StateError, ValueError):
    """Arguments of `mx.contrib.amp` that are not legal; MXNet raises a bare AssertionError there."""


def lists_of(target_dtype: Any) -> ModuleType:
    """The module of `amp.lists` for a dtype. AmpError: there is none."""
    if target_dtype not in ("float16", "bfloat16"):
        raise AmpError(f"Only target_dtype float16 and bfloat16 are supported currently, as text, got {target_dtype!r}")
    return symbol_fp16 if target_dtype == "float16" else symbol_bf16


def op_lists(
    target_dtype: Any, target_dtype_ops: Ops | None, fp32_ops: Ops | None, conditional_fp32_ops: Conditional | None
) -> OpLists:
    """The operators as `convert_symbol` sorts them; the arguments are its arguments.

    Raises:
        AmpError: a list is none, has unknown operators, or shares one with another.
    """
    lists = lists_of(target_dtype)
    known_low = lists.FP16_FUNCS if lists is symbol_fp16 else lists.BF16_FUNCS
    mixed = lists.FP16_FP32_FUNCS if lists is symbol_fp16 else lists.BF16_FP32_FUNCS
    low, wide = known_low, lists.FP32_FUNCS
    conditional: Conditional = lists.CONDITIONAL_FP32_FUNCS
    movable = {*known_low, *wide, *mixed, *(name for name, _, _ in conditional)}
    if target_dtype_ops is not None:
        low = _checked("target_dtype_ops", target_dtype_ops, movable)
    if fp32_ops is not None:
        wide = _checked("fp32_ops", fp32_ops, movable)
    if conditional_fp32_ops is not None:
        conditional = _conditional(conditional_fp32_ops)
    widest = lists.WIDEST_TYPE_CASTS
    found = {
        "target_dtype_ops": set(low),
        "fp32_ops": set(wide),
        "conditional_fp32_ops": {name for name, _, _ in conditional},
        "the operators that take the widest dtype": set(widest),
    }
    for i, (what, ops) in enumerate(found.items()):
        for other in list(found)[i + 1 :]:
            if common := sorted(ops & found[other]):
                raise AmpError(f"Ops cannot be in two or more lists. Common ops in {what} and {other}: {common}")
    by_op: dict[str, dict[str, frozenset[str]]] = {}
    for name, key, texts in conditional:
        by_op.setdefault(name, {})[key] = frozenset(texts)
    return OpLists(frozenset(low), frozenset(wide), by_op, frozenset(widest))


def _checked(what: str, ops: Any, known: set[str]) -> list[str]:
    if isinstance(ops, str) or not isinstance(ops, Sequence) or not all(isinstance(op, str) for op in ops):
        raise AmpError(f"{what} should be a list of strs, got {ops!r}")
    for op in ops:
        if op not in known:
            raise AmpError(
                f"{what}: {op!r} is none of the operators that can be moved{nearest(op, known)}; they are those of "
                "amp.list_lp16_ops, list_fp32_ops, list_lp16_fp32_ops and list_conditional_fp32_ops"
            )
    return list(ops)


def _conditional(given: Any) -> Conditional:
    good = isinstance(given, Sequence) and all(
        isinstance(row, tuple | list)
        and len(row) == 3
        and isinstance(row[0], str)
        and isinstance(row[1], str)
        and not isinstance(row[2], str)
        and isinstance(row[2], Sequence)
        for row in given
    )
    if not good:
        raise AmpError(f"conditional_fp32_ops should be a list of (str, str, list of str), got {given!r}")
    return list(given)


def convert_symbol(
    sym: Symbol,
    target_dtype: str = "float16",
    target_dtype_ops: Ops | None = None,
    fp32_ops: Ops | None = None,
    conditional_fp32_ops: Conditional | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    data_names: Sequence[str] | None = None,
    cast_optional_params: bool = False,
) -> Symbol:
    """`sym` with casts, so that the operators that gain by it compute in 16 bits; its outputs stay float32.

    Args:
        sym: a network of float32.
        target_dtype: float16 or bfloat16.
        target_dtype_ops: operators that compute in 16 bits, instead of those of `list_lp16_ops`.
        fp32_ops: operators that compute in float32, instead of those of `list_fp32_ops`.
        conditional_fp32_ops: (operator, parameter, values): in float32 with one of the values; instead of those of
            `list_conditional_fp32_ops`.
        excluded_sym_names: nodes that compute in float32 in any case.
        data_names: the inputs that are data. All other variables are parameters then and get a dtype.
        cast_optional_params: parameters that are read in 16 bits are stored so: a cast less. Needs `data_names`.

    Returns:
        A new symbol; `tojson(remove_amp_cast=False)` shows the casts.

    Raises:
        AmpError: an argument is not legal; it is an AssertionError, as in MXNet.
        MXNetError: a name of `data_names` is no input.

    Source: `mxnet.contrib.amp.convert_symbol`.
    """
    if not isinstance(sym, Symbol):
        raise AmpError(f"First argument to convert_symbol should be Symbol, got {type(sym).__name__}")
    lists = op_lists(target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops)
    excluded = _checked_names("excluded_sym_names", excluded_sym_names)
    inputs = sym.list_inputs()
    data = None if data_names is None else _checked_names("data_names", data_names)
    for name in data or ():
        if name not in inputs:
            raise AmpError(f"data_names: {name!r} is no input{nearest(name, inputs)}; they are {', '.join(inputs)}")
    stored = [name for name in inputs if name not in data] if cast_optional_params and data is not None else []
    graph, narrowed = mixed_precision(sym.graph, target_dtype, lists, excluded, stored)
    return Symbol(_with_dtypes(graph, data, narrowed, target_dtype).entries)


def _checked_names(what: str, given: Any) -> list[str]:
    if isinstance(given, str) or not all(isinstance(name, str) for name in given or ()):
        raise AmpError(f"{what} should be a list of strs, got {given!r}")
    return list(given or ())


def _with_dtypes(graph: Graph, data: Sequence[str] | None, narrowed: Iterable[str], dtype: str) -> Graph:
    """`graph` whose variables that are not `data` say their dtype; without `data`, those that said 16 bits."""
    low = set(narrowed)

    def rule(node: Node, _: tuple[Entry, ...]) -> Node | None:
        said = node.attrs.get("__dtype__") in (str(TYPE_FLAGS["float16"]), str(TYPE_FLAGS["bfloat16"]))
        if node.op is not None or (not said if data is None else node.name in data):
            return None
        flag = TYPE_FLAGS[dtype if node.name in low else "float32"]
        return Node(None, node.name, {**node.attrs, "__dtype__": str(flag)}, origin=node.origin)

    return graph.rewrite(rule)


def convert_model(
    sym: Symbol,
    arg_params: Params,
    aux_params: Params,
    target_dtype: str = "float16",
    target_dtype_ops: Ops | None = None,
    fp32_ops: Ops | None = None,
    conditional_fp32_ops: Conditional | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    cast_optional_params: bool = False,
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """A checkpoint for inference in mixed precision.

    Args:
        sym, arg_params, aux_params: as `mx.model.load_checkpoint` gives them. Inputs without a parameter are data.
        target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops, excluded_sym_names: as for `convert_symbol`.
        cast_optional_params: also give the parameters that are only read in 16 bits in 16 bits.

    Returns:
        Symbol, arguments and auxiliary states; arrays whose dtype stays are the given ones.

    Raises:
        AmpError: as `convert_symbol`.

    Source: `mxnet.contrib.amp.convert_model`.
    """
    for what, given in (("arg_params", arg_params), ("aux_params", aux_params)):
        if not isinstance(given, Mapping) or not all(
            isinstance(k, str) and isinstance(v, NDArray) for k, v in given.items()
        ):
            raise AmpError(f"{what} should be a dict of NDArrays by name, got {type(given).__name__}")
    if not isinstance(sym, Symbol):
        raise AmpError(f"First argument to convert_model should be Symbol, got {type(sym).__name__}")
    data = [name for name in sym.list_inputs() if name not in arg_params and name not in aux_params]
    made = convert_symbol(
        sym, target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops, excluded_sym_names, data,
        cast_optional_params,
    )  # fmt: skip
    attrs = made.attr_dict()

    def cast(params: Params) -> dict[str, NDArray]:
        low = str(TYPE_FLAGS[target_dtype])
        wanted = {
            k for k, v in params.items() if attrs.get(k, {}).get("__dtype__") == low and np.dtype(v.dtype) == np.float32
        }
        return {k: v.astype(target_dtype) if k in wanted else v for k, v in params.items()}

    return made, cast(arg_params), cast(aux_params)


def convert_bucketing_module(
    bucketing_mod: BucketingModule,
    target_dtype: str = "float16",
    target_dtype_ops: Ops | None = None,
    fp32_ops: Ops | None = None,
    conditional_fp32_ops: Conditional | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    cast_optional_params: bool = False,
) -> BucketingModule:
    """A new module for inference in mixed precision, whose buckets are those of `bucketing_mod`, converted.

    It is not bound; parameters are to be set by ``set_params(*bucketing_mod.get_params())`` after it is.

    Args:
        bucketing_mod: the module.
        target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops, excluded_sym_names, cast_optional_params: as for
            `convert_symbol`.

    Raises:
        AmpError: as `convert_symbol`.

    Source: `mxnet.contrib.amp.amp.convert_bucketing_module`.
    """
    if not isinstance(bucketing_mod, BucketingModule):
        raise AmpError(f"convert_bucketing_module takes a BucketingModule, got {type(bucketing_mod).__name__}")
    old = bucketing_mod._sym_gen

    def sym_gen(key: Any) -> Any:
        symbol, data_names, label_names = old(key)
        inputs = [*(data_names or ()), *(n for n in label_names or () if n in symbol.list_inputs())]
        made = convert_symbol(
            symbol, target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops, excluded_sym_names, inputs,
            cast_optional_params,
        )  # fmt: skip
        return made, data_names, label_names

    return BucketingModule(sym_gen, bucketing_mod._default_bucket_key, **bucketing_mod._options)


def precision_of(
    target_dtype: str,
    target_dtype_ops: Ops | None = None,
    fp32_ops: Ops | None = None,
    conditional_fp32_ops: Conditional | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    loss_scale: LossScale | float | None = DYNAMIC,
) -> Precision:
    """How a module trains in mixed precision; see `convert_module`."""
    lists = op_lists(target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops)
    excluded = frozenset(_checked_names("excluded_sym_names", excluded_sym_names))
    if target_dtype == "bfloat16":
        loss_scale = None  # it has the range of float32
    elif isinstance(loss_scale, int | float) and not isinstance(loss_scale, LossScale):
        if not 0 < loss_scale < float("inf"):
            raise AmpError(f"loss_scale must be a positive number, a LossScale or None, got {loss_scale!r}")
        loss_scale = LossScale(init=float(loss_scale), window=0)
    return Precision(target_dtype, lists, excluded, loss_scale)


def convert_module(
    module: Module,
    target_dtype: str = "float16",
    target_dtype_ops: Ops | None = None,
    fp32_ops: Ops | None = None,
    conditional_fp32_ops: Conditional | None = None,
    excluded_sym_names: Sequence[str] | None = None,
    loss_scale: LossScale | float | None = DYNAMIC,
) -> Module:
    """Let `module`, which is not bound yet, compute and train in mixed precision.

    Parameters, optimizer states, gradients, outputs and files stay float32; the operators of `list_lp16_ops` compute in
    `target_dtype`. In float16 the gradients travel through the network multiplied by a scale. A step whose gradients
    are not finite changes nothing and halves the scale; after 2000 good ones in a row it is doubled. All of that is
    inside the training step's one program, without waiting for the device. So what the host counts, the updates of Adam
    and of an lr_scheduler, counts skipped steps, too; an optax rule does not.

    Args:
        module: a Module. (BucketingModule and others follow `amp.init`.)
        target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops, excluded_sym_names: as for `convert_symbol`.
        loss_scale: how the scale moves, or a number for one that stays, or None. bfloat16 needs none.

    Returns:
        `module`.

    Raises:
        AmpError: an argument is not legal, or the module is bound already.
    """
    if not isinstance(module, Module):
        raise AmpError(f"convert_module takes a Module, got {type(module).__name__}; others follow amp.init")
    if module.binded:
        raise AmpError("convert_module: the module is bound; convert it before bind() or fit()")
    module._precision = precision_of(
        target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops, excluded_sym_names, loss_scale
    )
    return module
