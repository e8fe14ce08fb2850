# SPDX-License-Identifier: Apache-2.0
"""What symbol files of older MXNet versions say differently, and how a reader of today understands it.

Measured with MXNet 1.9.1: a file tells its version as 100 * (100 * major + minor) + patch; one that tells none
counts as 0.8.0. Each rule applies to the files before the version it stands with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .op import Op

#: The version that is written, 1.9.1, and the one a file without a version has.
VERSION, OLDEST = 10901, 800

#: User attributes that were written without their underscores.
HIDDEN = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage")

#: How MXNet initialises variables that it makes itself, by operator and input: they get an ``__init__`` attribute.
INIT_ATTRS: dict[tuple[str, str], str] = {
    ("BatchNorm", "moving_mean"): '["zero", {}]',
    ("BatchNorm", "moving_var"): '["one", {}]',
    ("BatchNorm_v1", "moving_mean"): '["zero", {}]',
    ("BatchNorm_v1", "moving_var"): '["one", {}]',
    ("_contrib_BatchNormWithReLU", "moving_mean"): '["zero", {}]',
    ("_contrib_BatchNormWithReLU", "moving_var"): '["one", {}]',
    ("_contrib_SyncBatchNorm", "moving_mean"): '["zero", {}]',
    ("_contrib_SyncBatchNorm", "moving_var"): '["one", {}]',
    ("LeakyReLU", "gamma"): '["Constant", {"value": 0.25}]',
}


@dataclass(eq=False)
class Record:
    """A node as a file holds it.

    Attributes:
        op: the operator, None for a variable.
        inputs: the nodes read, and which of their outputs.
        place: where the node stands in the file, for errors.
    """

    op: Op | None
    name: str
    attrs: dict[str, str]
    inputs: list[tuple[Record, int]]
    subgraphs: list[Any] = field(default_factory=list)
    place: str = ""


def upgrade(record: Record, version: int) -> None:
    """Rewrite `record`, of a file of `version`, into what MXNet 1.9.1 makes of it when it loads the file."""
    if version >= VERSION:
        return
    _drop_default_axis(record, version)
    _add_missing_inputs(record, version)
    _name_hidden_attributes(record)


def _drop_default_axis(record: Record, version: int) -> None:
    """Before 0.9.5 the default axis of argmax and argmin was written as -1."""
    default = record.op is not None and record.op.name in ("argmax", "argmin") and record.attrs.get("axis") == "-1"
    if version < 905 and default:
        del record.attrs["axis"]


def _add_missing_inputs(record: Record, version: int) -> None:
    """Before 0.9 auxiliary states were not nodes; the variables are made from the operator's input names."""
    if version >= 900 or record.op is None:
        return
    for name in _input_names(record)[len(record.inputs) :]:
        attrs = {k: v for k, v in record.attrs.items() if k in HIDDEN or _hidden_of_input(k) is None}
        if (record.op.name, name) in INIT_ATTRS:
            attrs["__init__"] = INIT_ATTRS[record.op.name, name]
        variable = Record(None, f"{record.name}_{name}", attrs, [], place=record.place)
        _name_hidden_attributes(variable)
        record.inputs.append((variable, 0))


def _name_hidden_attributes(record: Record) -> None:
    """``lr_mult`` becomes ``__lr_mult__``, and an operator's ``weight_lr_mult`` goes to its weight variable."""
    for key in [k for k in record.attrs if k in HIDDEN]:
        record.attrs[f"__{key}__"] = record.attrs.pop(key)
    if record.op is None:
        return
    for key in list(record.attrs):
        split = _hidden_of_input(key)
        if split is None:
            continue
        names = _input_names(record)
        at = names.index(split[0]) if split[0] in names else len(record.inputs)
        if at < len(record.inputs) and record.inputs[at][0].op is None:
            record.inputs[at][0].attrs[f"__{split[1]}__"] = record.attrs.pop(key)


def _hidden_of_input(key: str) -> tuple[str, str] | None:
    """("weight", "lr_mult") for ``weight_lr_mult``."""
    for hidden in HIDDEN:
        if key.endswith("_" + hidden):
            return key[: -len(hidden) - 1], hidden
    return None


def _input_names(record: Record) -> tuple[str, ...]:
    op = record.op
    if op is None:
        return ()
    own = {k: v for k, v in record.attrs.items() if k in op.param_types or not _is_user_attribute(k)}
    return op.inputs(op.bind(own, record.name))


def _is_user_attribute(key: str) -> bool:
    return key.startswith("__") or key in HIDDEN or _hidden_of_input(key) is not None
