# SPDX-License-Identifier: Apache-2.0
"""`IterableIter`: a data iterator from anything that can be iterated: lists, generators, loaders of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from ..context import cpu
from ..ndarray import NDArray
from .desc import DataBatch, DataDesc, DataError, DataIter, IterError
from .read_ahead import ReadAhead
from .source import uploads

_OP = "IterableIter"


class _Batch(NamedTuple):
    arrays: dict[str, np.ndarray]
    pad: int


class IterableIter(DataIter):
    """Batches from what gives arrays when it is iterated.

    That is a list of batches, a function that returns a generator, a ``torch.utils.data.DataLoader``, a
    ``grain.DataLoader``, or any object alike. An item is an array; a tuple or list of arrays, data before labels; or a
    mapping from names to arrays. An array is a numpy array, an NDArray, a list of numbers, or what has ``numpy()`` or
    ``__array__``, as tensors have. Each epoch iterates once more; a thread goes ahead of what is asked for, and copies,
    so that a loader may use its memory again.

        loader = torch.utils.data.DataLoader(dataset, batch_size=32, shuffle=True)
        module.fit(mx.io.IterableIter(loader), num_epoch=3)

    The first batch tells the shapes. One that has fewer rows is filled up with its own, from its beginning, and `pad`
    tells how many these are: `predict` leaves them out, `score` counts them, as it does with any iterator. For items
    without end, ``mx.io.ResizeIter(it, size, reset_internal=False)`` makes epochs.
    A checkpoint does not keep its place in an epoch.

    Args:
        source: what is iterated, or a function without arguments that returns it anew for each epoch.
        data_names: names of the data. By default "data" for one array, "_0_data", "_1_data" ... for several, and for a
            mapping all of its names that are no labels.
        label_names: names of the labels, the last arrays of an item; () for none. An item that is one array has none.
        batch_size: None where items are batches; a number where they are rows, so many of which are put together.
        last_batch_handle: "pad" as told above, or "discard" to leave out a batch that is not full.
        dtype: of all arrays, "float32" as in `NDArrayIter`; None keeps theirs.
        ahead: how many batches the thread goes ahead.

    Raises:
        DataError: (a ValueError and AssertionError) no items; an item of another form, with other names or shapes than
            the first, or more rows.
        IterError: (an MXNetError) a second epoch of what can be iterated only once, or no batch yet.
        TypeError: `source` cannot be iterated.
        An error in `source` comes out of `next`, and out of the constructor when it is in the first batch.
    """

    def __init__(
        self,
        source: Iterable[Any] | Callable[[], Iterable[Any]],
        data_names: Sequence[str] | None = None,
        label_names: Sequence[str] = ("softmax_label",),
        batch_size: int | None = None,
        last_batch_handle: str = "pad",
        dtype: Any = "float32",
        ahead: int = 2,
    ):
        if not callable(source) and not hasattr(source, "__iter__") and not hasattr(source, "__getitem__"):
            kinds = "an iterable of batches, or a function that returns one"
            raise TypeError(f"{_OP} takes {kinds}, got {type(source).__name__}")
        if last_batch_handle not in ("pad", "discard"):
            raise ValueError(f"last_batch_handle={last_batch_handle!r} is none of pad, discard")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be a positive integer or None, got {batch_size!r}")
        self._source = source
        self._data_names = None if data_names is None else _names(data_names)
        self._label_names = _names(label_names)
        self._rows, self._discard = batch_size, last_batch_handle == "discard"
        self._dtype = None if dtype is None else np.dtype(dtype)
        self._reader = ReadAhead[_Batch](_OP, ahead)
        #: Names, shapes and dtypes, once a batch has told them.
        self._form: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        self._reader.begin(self._epoch())
        self._first = self._reader.next()
        self._batch: DataBatch | None = None
        if self._first is None:
            raise DataError(f"{_OP}: there is no batch in a {type(source).__name__}")
        super().__init__(next(iter(self._form.values()))[0][0])
        descriptions = {name: DataDesc(name, shape, kind.type) for name, (shape, kind) in self._form.items()}
        self.provide_label = [descriptions.pop(name) for name in self._label_names if name in descriptions]
        self.provide_data = list(descriptions.values())

    def reset(self) -> None:
        """Start the next epoch."""
        if isinstance(self._source, Iterator):
            raise IterError(
                f"{_OP}: a {type(self._source).__name__} is iterated only once; give a function that makes it"
            )
        self._reader.begin(self._epoch())
        self._first = self._batch = None

    def iter_next(self) -> bool:
        """Step to the next batch; False when there is none."""
        host, self._first = self._first or self._reader.next(), None
        if host is None:
            return False
        arrays = dict(zip(host.arrays, uploads(list(host.arrays.values()), cpu()), strict=True))
        data, label = ([arrays[d.name] for d in each] for each in (self.provide_data, self.provide_label))
        self._batch = DataBatch(data, label, host.pad)
        return True

    def next(self) -> DataBatch:
        """The next batch. StopIteration when there is none; `reset` starts the next epoch."""
        if not self.iter_next():
            raise StopIteration
        return self._now()

    def _now(self) -> DataBatch:
        if self._batch is None:
            raise IterError("there is no batch yet: call next() or iter_next() first")
        return self._batch

    def getdata(self) -> list[NDArray]:
        """The data of this batch. IterError before the first batch, as for all of these."""
        return self._now().data

    def getlabel(self) -> list[NDArray]:
        """The labels of this batch."""
        return self._now().label

    def getpad(self) -> int:
        """How many rows of this batch only fill it up."""
        return self._now().pad or 0

    def _epoch(self) -> Iterator[_Batch]:
        """The batches of an epoch; the thread runs this."""
        batches = (self._named(item) for item in _items(self._source))
        for arrays in batches if self._rows is None else _stacked(batches, self._rows):
            batch = self._filled(arrays)
            if batch is not None:
                yield batch

    def _named(self, item: Any) -> dict[str, np.ndarray]:
        """The arrays of an item by name, data first."""
        if isinstance(item, Mapping):
            wanted = self._data_names or [str(n) for n in item if n not in self._label_names]
            labels = [n for n in self._label_names if n in item]
            if missing := [n for n in wanted if n not in item]:
                raise DataError(f"{_OP}: an item has {[*item]}, not {missing[0]!r}")
            return {n: _host(item[n], self._dtype) for n in (*wanted, *labels)}
        arrays = [_host(x, self._dtype) for x in (item if isinstance(item, list | tuple) else [item])]
        names = self._data_names or _default_names(len(arrays) - len(self._label_names))
        labels = self._label_names if len(arrays) > len(names) else ()
        if len(arrays) != len(names) + len(labels):
            expected = [*names, *self._label_names]
            raise DataError(f"{_OP}: an item has {len(arrays)} arrays, expected {len(expected)}: {expected}")
        return dict(zip((*names, *labels), arrays, strict=True))

    def _filled(self, arrays: dict[str, np.ndarray]) -> _Batch | None:
        """The batch with as many rows as the first one, or None where it is left out."""
        count = {len(x) if x.ndim else 0 for x in arrays.values()}
        if len(count) != 1 or 0 in count:
            raise DataError(f"{_OP}: a batch needs arrays of equally many rows, got {_told(arrays)}")
        rows = count.pop()
        if not self._form:
            size = self._rows or rows
            self._form = {name: ((size, *x.shape[1:]), x.dtype) for name, x in arrays.items()}
        size = next(iter(self._form.values()))[0][0]
        alike = {name: ((size, *x.shape[1:]), x.dtype) for name, x in arrays.items()}
        if alike != self._form or rows > size:
            first = ", ".join(f"{name} {shape}" for name, (shape, _) in self._form.items())
            raise DataError(f"{_OP}: a batch has {_told(arrays)}, the first had {first}")
        if rows == size:
            return _Batch(arrays, 0)
        if self._discard:
            return None
        which = np.resize(np.arange(rows), size)
        return _Batch({name: x[which] for name, x in arrays.items()}, size - rows)


def _items(source: Any) -> Iterator[Any]:
    # What can be called, too, such as a data set of some libraries, is iterated.
    if callable(source) and not hasattr(source, "__iter__"):
        source = source()
    return iter(cast(Any, source))


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _default_names(count: int) -> list[str]:
    return ["data"] if count < 2 else [f"_{i}_data" for i in range(count)]


def _host(x: Any, dtype: np.dtype | None) -> np.ndarray:
    """A copy on the host: what gave `x` may write to its memory again."""
    if isinstance(x, NDArray):
        x = x.asnumpy()
    elif not isinstance(x, np.ndarray) and callable(getattr(x, "numpy", None)):
        x = x.numpy()
    try:
        array = np.array(x, dtype)
    except (TypeError, ValueError) as e:
        raise DataError(f"{_OP}: a {type(x).__name__} is no array of numbers ({e})") from None
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise DataError(f"{_OP}: a {type(x).__name__} is no array of numbers, but of {array.dtype}")
    return array


def _stacked(rows: Iterator[dict[str, np.ndarray]], size: int) -> Iterator[dict[str, np.ndarray]]:
    """So many rows in one batch."""
    waiting: list[dict[str, np.ndarray]] = []
    for row in rows:
        if waiting and _shapes(row) != _shapes(waiting[0]):
            raise DataError(f"{_OP}: a row has {_told(row)}, the one before {_told(waiting[-1])}")
        waiting.append(row)
        if len(waiting) == size:
            yield {name: np.stack([x[name] for x in waiting]) for name in row}
            waiting = []
    if waiting:
        yield {name: np.stack([x[name] for x in waiting]) for name in waiting[0]}


def _shapes(arrays: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: x.shape for name, x in arrays.items()}


def _told(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {x.shape}" for name, x in arrays.items())
