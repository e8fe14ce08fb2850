# SPDX-License-Identifier: Apache-2.0
"""What iterators and modules exchange: `DataDesc`, `DataBatch`, and `DataIter`, the base of the iterators."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..base import MXNetError


class IterError(MXNetError, AssertionError):
    """An iterator was asked for something it does not have now, or was given data it cannot serve."""


class DataError(ValueError, AssertionError):
    """Data or batches of a form that cannot be used; MXNet raises a bare AssertionError."""


class _NameShape(NamedTuple):
    name: str
    shape: tuple[int, ...]


class DataDesc(_NameShape):
    """Name, shape, dtype and layout of one input; as a tuple it is only (name, shape).

    Args:
        name: the name of the argument that takes it.
        shape: the shape of a batch.
        dtype: numpy dtype or name; float32 by default.
        layout: one letter for each axis, "NCHW" by default; the place of the N is the batch axis.

    Source: `mxnet.io.DataDesc`.
    """

    dtype: Any
    layout: str | None

    def __new__(cls, name: str, shape: Sequence[int], dtype: Any = np.float32, layout: str | None = "NCHW") -> DataDesc:
        self = super().__new__(cls, name, shape)  # type: ignore[arg-type]
        self.dtype = dtype
        self.layout = layout
        return self

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.name, self.shape, self.dtype, self.layout

    def _replace(self, **kwargs: Any) -> DataDesc:  # type: ignore[override]
        """A copy with some fields changed, dtype and layout included."""
        now = {"name": self.name, "shape": self.shape, "dtype": self.dtype, "layout": self.layout}
        return DataDesc(**{**now, **kwargs})

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """The place of the batch axis in `layout`: 0 when there is no layout, -1 when it has no N."""
        return 0 if layout is None else layout.find("N")

    @staticmethod
    def get_list(shapes: Iterable[tuple[str, Any]], types: Iterable[tuple[str, Any]] | None) -> list[DataDesc]:
        """Descriptions from (name, shape) and (name, dtype) pairs.

        Raises:
            KeyError: `types` is given and lacks one of the names.
        """
        if types is None:
            return [DataDesc(name, shape) for name, shape in shapes]
        known = dict(types)
        return [DataDesc(name, shape, known[name]) for name, shape in shapes]


class DataBatch:
    """The arrays of one batch.

    Args:
        data: list of NDArrays, in the order of the iterator's `provide_data`.
        label: list of NDArrays, or None.
        pad: how many rows at the end only fill the batch up; None where that is not known.
        index: the numbers of the rows, or None.
        bucket_key: what chooses the network, for bucketing.
        provide_data, provide_label: descriptions, where the batch's differ from the iterator's.

    Raises:
        DataError: (an AssertionError) `data` or `label` is a bare array, not a list.

    Source: `mxnet.io.DataBatch`.
    """

    def __init__(
        self,
        data: Sequence[Any] | None,
        label: Sequence[Any] | None = None,
        pad: int | None = None,
        index: Any = None,
        bucket_key: Any = None,
        provide_data: Any = None,
        provide_label: Any = None,
    ):
        for what, arrays in (("Data", data), ("Label", label)):
            if arrays is not None and not isinstance(arrays, list | tuple):
                raise DataError(f"{what} must be list of NDArrays, got {type(arrays).__name__}; write [{what.lower()}]")
        self.data: Any = data
        self.label: Any = label
        self.pad = pad
        self.index = index
        self.bucket_key = bucket_key
        self.provide_data = provide_data
        self.provide_label = provide_label

    def __str__(self) -> str:
        data = None if self.data is None else [x.shape for x in self.data]
        label = [x.shape for x in self.label] if self.label else None
        return f"{type(self).__name__}: data shapes: {data} label shapes: {label}"


class DataIter:
    """The base class of data iterators.

    A subclass defines `provide_data` and `provide_label` (lists of `DataDesc` or of (name, shape) pairs), `reset`, and
    either `next` or `iter_next` with `getdata`, `getlabel`, `getpad`. One whose place a checkpoint shall keep names the
    attributes that make it up in `state_attributes`, or overrides `state_dict` and `load_state_dict`.

    Args:
        batch_size: rows of a batch.

    Source: `mxnet.io.DataIter`.
    """

    #: The attributes that tell where the iterator stands, order of rows included; None when it cannot tell.
    state_attributes: ClassVar[Sequence[str] | None] = None

    def __init__(self, batch_size: int = 0):
        self.batch_size = batch_size

    def __iter__(self) -> Any:
        return self

    def reset(self) -> None:
        """Start over."""

    def state_dict(self) -> dict[str, Any] | None:
        """Where the iterator stands, for `load_state_dict` of one with the same data; None when it cannot tell.

        Returns:
            Numbers, text, numpy arrays, and lists, tuples and dicts of them; copies.
        """
        if self.state_attributes is None:
            return None
        return {name: copy.deepcopy(getattr(self, name)) for name in self.state_attributes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called.

        Raises:
            IterError: (an MXNetError) the state is of another kind of iterator, or of other data.
        """
        names = self.state_attributes or ()
        if set(state) != set(names):
            raise IterError(f"{type(self).__name__} has the state {sorted(names)}, this one is {sorted(state)}")
        for name in names:
            setattr(self, name, copy.deepcopy(state[name]))

    def next(self) -> DataBatch:
        """The next batch.

        Raises:
            StopIteration: there is none.
        """
        if self.iter_next():
            return DataBatch(self.getdata(), self.getlabel(), self.getpad(), self.getindex())
        raise StopIteration

    def __next__(self) -> DataBatch:
        return self.next()

    def iter_next(self) -> Any:
        """Step to the next batch; False when there is none."""

    def getdata(self) -> Any:
        """The data of this batch: a list of NDArrays."""

    def getlabel(self) -> Any:
        """The labels of this batch: a list of NDArrays."""

    def getindex(self) -> Any:
        """The numbers of this batch's rows, or None."""
        return None

    def getpad(self) -> Any:
        """How many rows of this batch only fill it up."""


def state_of(iterator: Any) -> dict[str, Any] | None:
    """The `state_dict` of anything that gives batches; None when it has none, or cannot tell."""
    tell = getattr(iterator, "state_dict", None)
    return None if tell is None else tell()


def renamed(descs: Iterable[Any], names: Mapping[str, str]) -> list[DataDesc]:
    """Descriptions under new names; a name that `names` lacks raises KeyError."""
    found = [d if isinstance(d, DataDesc) else DataDesc(*d) for d in descs]
    return [DataDesc(names[d.name], d.shape, d.dtype, d.layout) for d in found]
