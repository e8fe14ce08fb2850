# SPDX-License-Identifier: Apache-2.0
"""`ImageIter`: batches of pictures from records or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError, nearest
from ..context import cpu
from ..io import DataBatch, DataDesc
from ..io.source import checked_handling, uploads
from ..log import ROOT
from ..ndarray import NDArray
from .ahead import Ahead
from .codec import imdecode
from .create import CreateAugmenter
from .host import like, picture, pixels
from .samples import Sample, SampleIter, broken


class Row(NamedTuple):
    """What a batch is made of: a picture (channel, height, width) and its label."""

    data: np.ndarray
    label: np.ndarray


class ImageIter(SampleIter):
    """Batches of pictures from a file of records or a list of files, augmented in Python.

    Reading and augmenting go in order, so that the draws are MXNet's under the same seeds; decoding draws nothing, and
    threads do it for the samples that come next.

    Args:
        batch_size: rows of a batch.
        data_shape: channels (3), height and width of a row.
        label_width: numbers of a label; 1 makes labels of shape (batch_size,).
        path_imgrec: a file of records.
        path_imglist: a list of pictures as `im2rec` makes it. With an indexed `path_imgrec` its labels are used.
        path_root: the folder that paths of a list begin in.
        path_imgidx: the index of `path_imgrec`; needed to shuffle, and for parts.
        shuffle: a new order at each reset, by `random.shuffle`.
        part_index, num_parts: read only one of several equal parts; the rest of the division is left out.
        aug_list: augmenters; by default those of `CreateAugmenter` with `data_shape` and the further keywords.
        imglist: a list of [label, path] or [label, ..., path].
        data_name, label_name: names of the inputs.
        dtype: of the labels of lists: int32, int64, float32 or float64. Batches are float32.
        last_batch_handle: what happens to samples that fill no batch: "pad" fills it up from the beginning and tells
            in `pad` how many; "discard" leaves them out; "roll_over" begins the next epoch with them, and `pad` of
            that batch tells how many are of the new epoch.
        preprocess_threads: how many threads decode; 0 decodes when a sample is needed. Subclasses that define
            `next_sample` or `imdecode` are not read ahead.
        on_error: what happens where a record or picture is broken: "raise" an MXNetError, as MXNet, or "skip" it with a
            warning. Either way the next call goes on behind it.

    Attributes:
        auglist: the augmenters.
        imgrec, imgidx, imglist, seq, num_image, cur: see `SampleIter`.
        provide_data, provide_label: lists of one `DataDesc`.

    Raises:
        DataError: (a ValueError and AssertionError) nothing to read from, or another dtype.
        IterError: (an MXNetError and AssertionError) shuffle or parts without an index, or a part that is none.
        ValueError: another `data_shape`, `batch_size`, `last_batch_handle` or `on_error`.
        MXNetError: files cannot be read; from `next` also a broken picture: the message has its key and offset, or its
            path.

    Source: `mxnet.image.ImageIter`.
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        label_width: int = 1,
        path_imgrec: Any = None,
        path_imglist: Any = None,
        path_root: Any = None,
        path_imgidx: Any = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Any = None,
        imglist: Any = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: Any = "float32",
        last_batch_handle: str = "pad",
        preprocess_threads: int = 4,
        on_error: str = "raise",
        **kwargs: Any,
    ):
        paths = path_imgrec, path_imglist, path_root, path_imgidx
        super().__init__(batch_size, *paths, shuffle, part_index, num_parts, imglist, dtype)
        self.check_data_shape(data_shape)
        self.data_shape = tuple(data_shape)
        self.label_width = label_width
        self.provide_data = [DataDesc(data_name, (self.batch_size, *self.data_shape))]
        self.provide_label = [DataDesc(label_name, (self.batch_size, *self._label_shape()))]
        self.last_batch_handle = checked_handling(last_batch_handle)
        self.auglist: list[Any] = CreateAugmenter(self.data_shape, **kwargs) if aug_list is None else aug_list
        if on_error not in ("raise", "skip"):
            raise ValueError(f"on_error={on_error!r} is none of raise, skip{nearest(str(on_error), ('raise', 'skip'))}")
        self.on_error = on_error
        self._ahead = Ahead(_decoded, preprocess_threads, min(self.batch_size, 8 * max(preprocess_threads, 1)))
        #: Rows of the batch that is being filled, the first of them rolled over from the epoch before.
        self._rows: list[Row] = []
        self._rolled = 0
        #: How many of its rows fill the batch up from the beginning.
        self._pad = 0
        self._ended = False
        #: Rows, and pictures that were passed over, since the beginning.
        self._found = self._skipped = 0
        self._where = "number: 0"
        self.reset()

    def _label_shape(self) -> tuple[int, ...]:
        return (self.label_width,) if self.label_width > 1 else ()

    def check_data_shape(self, data_shape: Sequence[int]) -> None:
        """ValueError unless it is three lengths, the first of them 3."""
        if len(data_shape) != 3:
            raise ValueError(f"data_shape should have length 3, with dimensions CxHxW, got {tuple(data_shape)}")
        if data_shape[0] != 3:
            raise ValueError(f"This iterator expects inputs to have 3 channels, got data_shape={tuple(data_shape)}")

    def reset(self) -> None:
        """Start the next epoch; rows that were to roll over are kept."""
        del self._rows[self._rolled :]
        self._pad = 0
        self._begin(self.shuffle)

    def hard_reset(self) -> None:
        """Start over, and forget rows that were to roll over."""
        self._rolled = 0
        self.reset()

    def state_dict(self) -> dict[str, Any]:
        """As `DataIter.state_dict`; it holds the rows that roll over."""
        rows = [tuple(row) for row in self._rows[: self._rolled]]
        counts = {"ended": self._ended, "found": self._found, "skipped": self._skipped}
        return {**self._place(), "rows": rows, **counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._ahead.clear()
        self._go_to(state)
        self._rows, self._rolled, self._pad = [Row(*row) for row in state["rows"]], len(state["rows"]), 0
        self._ended, self._found, self._skipped = state["ended"], state["found"], state["skipped"]

    def _begin(self, shuffle: bool) -> None:
        self._ahead.clear()
        self._rewind(shuffle)
        self._ended = False
        self._found = self._skipped = 0

    def next_sample(self) -> tuple[Any, bytes]:
        """Label and content of the next picture file.

        Raises:
            StopIteration: there is none in this epoch.
            MXNetError: the record is damaged.
            OSError: the file cannot be read.
        """
        number, self.cur = self.cur, self.cur + 1
        sample = None if self._ended else self._ahead.sample(number, self._read)
        if sample is None:
            self.cur = number
            raise StopIteration
        self._where = sample.where
        return picture(sample.label) if self.imglist and self.seq is not None else sample.label, sample.data

    def imdecode(self, s: bytes) -> NDArray:
        """The picture in the content of a file, (height, width, 3) uint8.

        Raises:
            MXNetError: it is none; the message has key and offset, or path, of the sample that was read last.
        """
        return _decoded(Sample(0, s, self._where))

    def check_valid_image(self, data: Any) -> None:
        """RuntimeError, which passes a picture over, when it has no dimensions."""
        if len(data[0].shape) == 0:
            raise RuntimeError("Data shape is wrong")

    def augmentation_transform(self, data: NDArray) -> NDArray:
        """The work of all augmenters."""
        for augmenter in self.auglist:
            data = augmenter(data)
        return data

    def postprocess_data(self, datum: NDArray) -> NDArray:
        """The picture with its channels first."""
        return like(datum, pixels(datum).transpose(2, 0, 1))

    def next(self) -> DataBatch:
        """The next batch.

        Raises:
            StopIteration: the epoch is over; `reset` starts the next.
            MXNetError: a picture is broken; the next call goes on behind it.
        """
        while len(self._rows) < self.batch_size:
            row = None if self._ended else self._row()
            if row is None:
                self._at_end()
            else:
                self._rows.append(row)
                self._found += 1
        pad = self._pad or (self.batch_size - self._rolled if self._rolled else 0)
        self._ended = self._pad > 0
        return self._batch(pad)

    def _at_end(self) -> None:
        """Begin again to fill up a batch, or StopIteration."""
        rows = self._rows
        if self._skipped and not self._found:
            ROOT.warning("%s: all %d pictures were invalid and skipped", type(self).__name__, self._skipped)
        if not rows or self._ended or not self._found or self.last_batch_handle == "discard":
            self._rows, self._ended = [], True
            raise StopIteration
        if self.last_batch_handle == "roll_over":
            self._rolled = len(rows)
            self._begin(shuffle=False)
            raise StopIteration
        self._pad = self._pad or self.batch_size - len(rows)
        self._begin(shuffle=False)

    def _batch(self, pad: int) -> DataBatch:
        rows, self._rows, self._rolled, self._pad = self._rows, [], 0, 0
        data = np.empty(self.provide_data[0].shape, np.float32)
        label = np.empty(self.provide_label[0].shape, np.float32)
        for i, row in enumerate(rows):
            data[i], label[i] = row
        arrays = uploads([data, label], cpu())
        return DataBatch(arrays[:1], arrays[1:], pad)

    def _row(self) -> Row | None:
        """The next row, or None at the end."""
        while True:
            found = self._take()
            if found is None:
                return None
            row = self._prepared(*found)
            if row is not None:
                return row

    def _take(self) -> tuple[Any, NDArray] | None:
        """Label and picture of the next sample, or None at the end."""
        while True:
            try:
                return self._sample()
            except StopIteration:
                return None
            except (MXNetError, OSError) as e:
                if self.on_error != "skip":
                    raise
                ROOT.warning("%s: skipped: %s", type(self).__name__, e)

    def _sample(self) -> tuple[Any, NDArray]:
        kind = type(self)
        if kind.next_sample is not ImageIter.next_sample or kind.imdecode is not ImageIter.imdecode:
            label, data = self.next_sample()
            return label, self.imdecode(data)
        number, self.cur = self.cur, self.cur + 1
        found = self._ahead.picture(number, self._read)
        if found is None:
            self.cur = number
            raise StopIteration
        self._where = found[0].where
        return found[0].label, found[1]

    def _prepared(self, label: Any, data: NDArray) -> Row | None:
        """The row of a sample, or None when it is passed over."""
        try:
            self.check_valid_image(data)
        except RuntimeError as e:
            return self._skip(e)
        return self._made(self.augmentation_transform(data), self._label(label))

    def _skip(self, error: Exception) -> None:
        self._skipped += 1
        ROOT.debug("Invalid image, skipping:  %s", error)

    def _label(self, label: Any) -> np.ndarray:
        values = pixels(label) if isinstance(label, NDArray) else np.asarray(label)
        if values.size not in (1, self.label_width):
            problem = f"{values.size} numbers, label_width={self.label_width}"
            raise ValueError(f"the label of the picture ({self._where}) has {problem}")
        return np.broadcast_to(values.reshape(-1), (max(self.label_width, 1),)).reshape(self._label_shape())

    def _made(self, data: NDArray, label: np.ndarray) -> Row:
        host = pixels(self.postprocess_data(data), "what postprocess_data returns")
        if host.shape != self.data_shape:
            end = f"let aug_list end with ForceResizeAug({self.data_shape[:0:-1]}) or a crop of that size"
            raise ValueError(f"a picture became {host.shape}, but data_shape={self.data_shape}: {end}")
        # A copy: what augmenters return may be an array that they use again.
        return Row(host.astype(np.float32), label.astype(np.float32))


def _decoded(sample: Sample) -> NDArray:
    try:
        return imdecode(sample.data)
    except MXNetError as e:
        raise broken(sample.where, e) from None
