# SPDX-License-Identifier: Apache-2.0
"""What a batch says of its shapes: itself, or by its arrays and what the module was bound to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..io import DataDesc
from ..ndarray import NDArray
from .description import descriptions


def batch_axis(desc: DataDesc) -> int:
    """The batch axis that the layout names; the first axis when it names none."""
    return max(DataDesc.get_batch_axis(desc.layout), 0)


def resized(desc: DataDesc, size: int) -> DataDesc:
    """`desc` with another batch size."""
    axis = batch_axis(desc)
    return DataDesc(desc.name, (*desc.shape[:axis], size, *desc.shape[axis + 1 :]), desc.dtype, desc.layout)


def described(
    batch: Any,
    data: Sequence[NDArray],
    labels: Sequence[NDArray],
    bound_data: Sequence[DataDesc],
    bound_labels: Sequence[DataDesc],
) -> tuple[list[DataDesc], list[DataDesc]]:
    """The descriptions of a batch, which may describe itself (bucketing) or be shorter than the bound ones.

    Args:
        batch: what may have `provide_data` and `provide_label`.
        data, labels: its arrays.
        bound_data, bound_labels: what the module is bound to, in the same order.
    """
    told = getattr(batch, "provide_data", None)
    if told:
        new_data = descriptions(told)
    else:
        new_data = [DataDesc(d.name, x.shape, d.dtype, d.layout) for d, x in zip(bound_data, data, strict=True)]
    told = getattr(batch, "provide_label", None)
    if told:
        new_labels = descriptions(told)
    elif labels:
        new_labels = [DataDesc(d.name, x.shape, d.dtype, d.layout) for d, x in zip(bound_labels, labels, strict=False)]
    else:
        # Inference without labels: they only follow the batch size.
        size = new_data[0].shape[batch_axis(new_data[0])]
        new_labels = [resized(d, size) for d in bound_labels]
    return new_data, new_labels
