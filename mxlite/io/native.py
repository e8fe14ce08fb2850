# SPDX-License-Identifier: Apache-2.0
"""`MXDataIter`, the iterator over files that a thread reads ahead, and what makes one from MXNet's parameters."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, get_type_hints

import numpy as np

from mxlite_compiler.params import describe, parse

from ..base import MXNetError, explain, nearest
from ..context import cpu
from ..log import ROOT
from ..ndarray import NDArray
from ..ndarray.sparse import csr_matrix
from .desc import DataBatch, DataDesc, DataIter, IterError, state_of
from .read_ahead import ReadAhead
from .source import uploads


class CsrRows(NamedTuple):
    """Rows of a sparse matrix on the host: row i is ``starts[i]:starts[i + 1]`` of `values` and `columns`."""

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray


class HostBatch(NamedTuple):
    """One batch on the host; `numbers` has the number of every row."""

    data: np.ndarray | CsrRows
    label: np.ndarray | CsrRows
    pad: int
    numbers: np.ndarray


class Handle(Protocol):
    """What reads the batches of a `MXDataIter`.

    One that draws random numbers has `state_dict` and `load_state_dict`, too, see `DataIter`; they are called before an
    epoch begins and after it has ended.

    Attributes:
        name: what messages call it.
        data_shape, label_shape: of a batch.
        dtype, label_dtype: of data and labels.
        carries: whether the next epoch goes on behind the rows that filled up the last batch.
        ahead: how many batches are read ahead.
    """

    name: str
    data_shape: tuple[int, ...]
    label_shape: tuple[int, ...]
    dtype: np.dtype
    label_dtype: np.dtype
    carries: bool
    ahead: int

    def epoch(self, skip: int) -> Iterator[HostBatch]:
        """The batches of an epoch that begins behind the first `skip` rows."""
        ...


class MXDataIter(DataIter):
    """Batches from files, read ahead by a thread. `CSVIter`, `ImageRecordIter` and others make it.

    An error while reading comes out of `next`, and out of the constructor when it is in the first batch. With
    `round_batch`, rows from the beginning fill up the last batch, and the next epoch begins behind them; an epoch that
    was given up before its end is followed by one that begins with the first row.

    Args:
        handle: what reads; see `Handle`.
        data_name, label_name: the names in `provide_data` and `provide_label`.

    Raises:
        MXNetError: the files cannot be read, or hold no batch.
        IterError: (an MXNetError) there is no batch now, or the iterator was made before this process was forked.

    Source: `mxnet.io.MXDataIter`.
    """

    def __init__(self, handle: Handle, data_name: str = "data", label_name: str = "softmax_label", **_: Any):
        super().__init__(handle.data_shape[0])
        self.handle = handle
        self.provide_data = [DataDesc(data_name, handle.data_shape, handle.dtype.type)]
        self.provide_label = [DataDesc(label_name, handle.label_shape, handle.label_dtype.type)]
        self._skip_load = False
        self._reader = ReadAhead[HostBatch](handle.name, handle.ahead)
        self._begin(0)
        self.first_batch = self._fetch()
        if self.first_batch is None:
            raise MXNetError(explain(f"there is no batch of {self.batch_size} rows", op=handle.name))

    def _begin(self, skip: int) -> None:
        """Let the thread begin an epoch."""
        # It goes ahead of what has been given out, so the way back is from here.
        self._start, self._skip, self._given, self._pad = state_of(self.handle), skip, 0, 0
        self._batch: DataBatch | None = None
        self._ended = False
        self._reader.begin(self.handle.epoch(skip))

    def _fetch(self) -> DataBatch | None:
        """The next batch, or None when there is none."""
        host = None if self._ended else self._reader.next()
        self._ended = self._reader.ended
        if host is None:
            return None
        data, label = _array(host.data, self.handle.data_shape), _array(host.label, self.handle.label_shape)
        return DataBatch([data], [label], host.pad, host.numbers)

    def reset(self) -> None:
        """Start the next epoch."""
        skip = self._pad if self.handle.carries else 0
        self._rest()
        self._begin(skip)

    def _rest(self) -> None:
        """Give the epoch up."""
        self._reader.rest()
        self.first_batch = None

    def state_dict(self) -> dict[str, Any]:
        """As `DataIter.state_dict`. In the middle of an epoch, batches are counted, to be read again."""
        handle = state_of(self.handle) if self._ended else self._start
        return {"skip": self._skip, "given": self._given, "pad": self._pad, "ended": self._ended, "handle": handle}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rest()
        if state["handle"] is not None:
            self.handle.load_state_dict(state["handle"])  # pyright: ignore[reportAttributeAccessIssue]
        if not state["ended"]:
            self._begin(state["skip"])
            for _ in range(state["given"]):
                self.iter_next()
        self._batch, self._ended = None, state["ended"]
        self._skip, self._given, self._pad = state["skip"], state["given"], state["pad"]

    def debug_skip_load(self) -> None:
        """Give the first batch again and again, to measure a program without its reading."""
        self._skip_load = True
        ROOT.info("Set debug_skip_load to be true, will simply return first batch")

    def iter_next(self) -> bool:
        """Step to the next batch; False when there is none."""
        if self._skip_load and self._batch is not None:
            return True
        batch, self.first_batch = self.first_batch or self._fetch(), None
        if batch is not None:
            self._batch, self._pad = batch, batch.pad or 0
            self._given += 1
        return batch is not None

    def next(self) -> DataBatch:
        """The next batch. StopIteration when there is none; `reset` starts the next epoch."""
        if not self.iter_next():
            raise StopIteration
        return self._now()

    def _now(self) -> DataBatch:
        if self._batch is None:
            raise IterError("there is no batch yet: call next() or iter_next() first")
        return self._batch

    def getdata(self) -> NDArray:
        """The data of this batch, one array. IterError before the first batch, as for all of these."""
        return self._now().data[0]

    def getlabel(self) -> NDArray:
        """The labels of this batch, one array."""
        return self._now().label[0]

    def getindex(self) -> np.ndarray:
        """The numbers of this batch's rows, uint64."""
        return self._now().index

    def getpad(self) -> int:
        """How many rows of this batch only fill it up."""
        return self._now().pad or 0


def _array(rows: np.ndarray | CsrRows, shape: tuple[int, ...]) -> NDArray:
    if isinstance(rows, CsrRows):
        return csr_matrix((rows.values, rows.columns, rows.starts), shape, cpu(), rows.values.dtype)
    return uploads([rows.reshape(shape)], cpu())[0]


def native(make: Callable[..., Handle]) -> Callable[..., MXDataIter]:
    """The function that makes an iterator, from one that makes its handle.

    The signature of `make` is the schema: keywords with the types of operator parameters, given as values or text. An
    argument of a dataclass stands for its fields; ``{arguments}`` in the docstring is replaced by what theirs tell.
    The function takes `data_name` and `label_name` besides; for what it does not know it warns, and goes on, as MXNet
    does.
    """
    groups: dict[str, Any] = {k: hint for k, hint in get_type_hints(make).items() if dataclasses.is_dataclass(hint)}
    groups.pop("return", None)
    schemas = list(groups.values()) or [make]
    hints = {key: hint for schema in schemas for key, hint in get_type_hints(schema, include_extras=True).items()}
    parameters = {key: p for schema in schemas for key, p in inspect.signature(schema).parameters.items()}
    name = make.__name__

    def made(found: dict[str, Any]) -> Handle:
        if not groups:
            return make(**found)
        fields = {key: {f.name for f in dataclasses.fields(group)} for key, group in groups.items()}
        return make(**{key: group(**_of(found, fields[key])) for key, group in groups.items()})

    @functools.wraps(make)
    def create(*args: Any, data_name: str = "data", label_name: str = "softmax_label", **kwargs: Any) -> MXDataIter:
        if args:
            raise TypeError(f"{name} can only accept keyword arguments")
        found = {}
        for key, value in kwargs.items():
            if key not in parameters:
                told = f"{name} has no parameter {key!r}, which is ignored{nearest(key, parameters)}"
                warnings.warn(told, stacklevel=2)
                continue
            try:
                found[key] = parse(hints[key], os.fspath(value) if isinstance(value, os.PathLike) else value)
            except ValueError as e:
                raise MXNetError(explain(f"{key}={value!r:.80} {e}", op=name)) from None
        for key, parameter in parameters.items():
            if parameter.default is parameter.empty and key not in found:
                problem = f"Required parameter {key} of {describe(hints[key])} is not presented"
                raise MXNetError(explain(problem, op=name))
        return MXDataIter(made(found), data_name, label_name)

    both = inspect.signature(create, follow_wrapped=False).parameters.values()
    shown = sorted([*both, *parameters.values()], key=lambda p: p.kind)
    create.__signature__ = inspect.Signature(shown)  # pyright: ignore[reportAttributeAccessIssue]
    told = "\n".join(_arguments(group) for group in groups.values())
    create.__doc__ = (make.__doc__ or "").replace("    {arguments}", f"    Args:\n{told}")
    return create


def _of(found: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key in names}


def _arguments(group: type) -> str:
    """The lines of a docstring that tell of the arguments."""
    return (group.__doc__ or "").partition("Args:\n")[2].rstrip()
