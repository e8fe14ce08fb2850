# SPDX-License-Identifier: Apache-2.0
"""`ImageDetIter`: batches of pictures with boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...io import DataDesc, IterError
from ...ndarray import NDArray
from .. import colour
from ..host import pixels
from ..iterator import ImageIter, Row
from .create import CreateDetAugmenter
from .draw import drawn


class ImageDetIter(ImageIter):
    """Batches of pictures and their boxes from a file of records or a list of files.

    The label of a record is flat: the length of its header (2 or more), the length of an object (5 or more), what else
    is in the header, then for each object: class, left, top, right, bottom (0 to 1 across the picture), and more. In a
    batch it is (batch_size, objects, length); -1 stands where a picture has fewer objects than another one.

    Args:
        batch_size, data_shape, path_imgrec, path_imglist, path_root, path_imgidx, shuffle, part_index, num_parts,
            imglist, data_name, last_batch_handle: as for `ImageIter`.
        aug_list: detection augmenters; by default those of `CreateDetAugmenter` with `data_shape` and the further
            keywords.
        label_name: the name of the label.
        preprocess_threads, on_error: as for `ImageIter`.

    All labels are read once, when the iterator is made, to find the largest.

    Attributes:
        label_shape: objects and length of one label.

    Raises:
        RuntimeError: a label has not this form, or has no box with an area. Later such pictures are passed over.

    Further errors: as for `ImageIter`. Source: `mxnet.image.ImageDetIter`.
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
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
        label_name: str = "label",
        last_batch_handle: str = "pad",
        preprocess_threads: int = 4,
        on_error: str = "raise",
        **kwargs: Any,
    ):
        self.label_shape: tuple[int, int] = (1, 5)
        self.check_data_shape(data_shape)
        if aug_list is None:
            aug_list = CreateDetAugmenter(data_shape, **kwargs)
        super().__init__(
            batch_size,
            data_shape,
            path_imgrec=path_imgrec,
            path_imglist=path_imglist,
            path_root=path_root,
            path_imgidx=path_imgidx,
            shuffle=shuffle,
            part_index=part_index,
            num_parts=num_parts,
            aug_list=aug_list,
            imglist=imglist,
            data_name=data_name,
            label_name=label_name,
            last_batch_handle=last_batch_handle,
            preprocess_threads=preprocess_threads,
            on_error=on_error,
        )
        self._set_label_shape(self._largest_label())

    def _label_shape(self) -> tuple[int, ...]:
        return self.label_shape

    def _set_label_shape(self, shape: tuple[int, int]) -> None:
        self.label_shape = shape
        self.provide_label = [DataDesc(self.provide_label[0].name, (self.batch_size, *shape))]

    def _largest_label(self) -> tuple[int, int]:
        """The shape that every label fits in."""
        objects, length = 0, 5
        self.reset()
        while True:
            try:
                label, _ = self.next_sample()
            except StopIteration:
                break
            count, length = self._parse_label(label).shape
            objects = max(objects, count)
        self.reset()
        return objects, length

    def _parse_label(self, label: Any) -> np.ndarray:
        """The objects of a flat label, (objects, length); those without area are left out.

        Raises:
            RuntimeError: it has another form, or no object.
        """
        flat = (pixels(label) if isinstance(label, NDArray) else np.asarray(label)).ravel()
        if flat.size < 7:
            raise RuntimeError(f"Label shape is invalid: {flat.shape}; a header of 2 and an object of 5 are 7 numbers")
        header, length = int(flat[0]), int(flat[1])
        if header < 2 or length < 5 or (flat.size - header) % length:
            told = f"header width {header}, annotation width {length}"
            raise RuntimeError(f"Label shape {flat.shape} inconsistent with {told} ({self._where})")
        objects = flat[header:].reshape(-1, length)
        objects = objects[(objects[:, 3] > objects[:, 1]) & (objects[:, 4] > objects[:, 2])]
        if not len(objects):
            raise RuntimeError(f"Encounter sample with no valid label ({self._where}).")
        return objects

    def check_label_shape(self, label_shape: Sequence[int]) -> None:
        """ValueError unless labels fit into `label_shape`, (objects, length)."""
        if len(label_shape) != 2:
            raise ValueError(f"label_shape should have length 2, got {tuple(label_shape)}")
        if label_shape[0] < self.label_shape[0]:
            told = f"from {self.label_shape[0]} to {label_shape[0]}"
            raise ValueError(f"Attempts to reduce label count {told}, not allowed.")
        if label_shape[1] != self.label_shape[1]:
            told = f"{self.label_shape[1]} vs {label_shape[1]}"
            raise ValueError(f"label_shape object width inconsistent: {told}.")

    def reshape(self, data_shape: Sequence[int] | None = None, label_shape: Sequence[int] | None = None) -> None:
        """Change the shape of batches; augmenters stay, and must make pictures of the new size.

        Args:
            data_shape: channels, height and width.
            label_shape: objects (as many as before, or more) and length.

        Raises:
            ValueError: another form.
        """
        if data_shape is not None:
            self.check_data_shape(data_shape)
        if label_shape is not None:
            self.check_label_shape(label_shape)
        if data_shape is not None:
            self.data_shape = tuple(data_shape)
            self.provide_data = [DataDesc(self.provide_data[0].name, (self.batch_size, *self.data_shape))]
        if label_shape is not None:
            self._set_label_shape((label_shape[0], label_shape[1]))

    def sync_label_shape(self, it: ImageDetIter, verbose: bool = False) -> ImageDetIter:
        """Give this iterator and another one, of training and validation, the larger of their label shapes.

        Args:
            it: the other one.
            verbose: has no meaning here.

        Returns:
            `it`.

        Raises:
            IterError: (an MXNetError and AssertionError) it is no `ImageDetIter`.
            ValueError: objects of different lengths.
        """
        if not isinstance(it, ImageDetIter):
            raise IterError(f"Synchronize with invalid iterator: {type(it).__name__} is no ImageDetIter")
        mine, theirs = self.label_shape, it.label_shape
        if mine[1] != theirs[1]:
            raise ValueError(f"label_shape object width inconsistent: {mine[1]} vs {theirs[1]}.")
        objects = max(mine[0], theirs[0])
        self.reshape(None, (objects, mine[1]))
        it.reshape(None, (objects, theirs[1]))
        return it

    def augmentation_transform(self, data: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:  # type: ignore[override]
        """The work of all augmenters on a picture and its boxes."""
        for augmenter in self.auglist:
            data, label = augmenter(data, label)
        return data, label

    def _prepared(self, label: Any, data: NDArray) -> Row | None:
        try:
            self.check_valid_image([data])
            objects = self._parse_label(label)
            data, objects = self.augmentation_transform(data, objects)
            self._check_objects(objects)
        except RuntimeError as e:
            return self._skip(e)
        return self._made(data, self._filled(objects))

    def _check_objects(self, label: np.ndarray) -> None:
        """RuntimeError when augmenters left no object. Heights do not count, as in MXNet."""
        if label.ndim != 2 or label.shape[1] < 5:
            raise RuntimeError(f"Label with shape (1+, 5+) required, {label.shape} received.")
        if not ((label[:, 0] >= 0) & (label[:, 3] > label[:, 1])).any():
            raise RuntimeError("Invalid label occurs.")

    def _filled(self, objects: np.ndarray) -> np.ndarray:
        count, length = objects.shape
        if count > self.label_shape[0] or length != self.label_shape[1]:
            told = f"{objects.shape} does not fit into label_shape={self.label_shape}; reshape(label_shape=...) first"
            raise ValueError(f"the label of the picture ({self._where}) {told}")
        label = np.full(self.label_shape, -1, np.float32)
        label[:count] = objects
        return label

    def draw_next(
        self,
        color: Any = None,
        thickness: int = 2,
        mean: Any = None,
        std: Any = None,
        clip: bool = True,
        waitKey: int | None = None,
        window_name: str = "draw_next",
        id2labels: Mapping[int, str] | None = None,
    ) -> Iterator[np.ndarray]:
        """The pictures of this epoch as the augmenters make them, with their boxes drawn into them.

        Args:
            color: of the boxes, red, green and blue, 0 to 255; drawn from `numpy.random` by default. (MXNet exchanges
                red and blue in every other picture.)
            thickness: of their lines.
            mean, std: what was subtracted and divided by; True for ImageNet's.
            clip: limit colours to 0 to 255, else they wrap.
            waitKey: show each picture in a window for so many milliseconds, 0 until a key; None shows none.
            window_name: the title of the window.
            id2labels: names of the classes, written beside the boxes.

        Yields:
            (height, width, 3) uint8, blue first.

        Raises:
            IterError: (an MXNetError and AssertionError) a `mean` or `std` that is no array.
            ImportError: opencv is not installed.
        """
        for name, values in (("mean", mean), ("std", std)):
            if not (values is None or values is True or isinstance(values, np.ndarray | NDArray)):
                raise IterError(f"{name} must be None, True or an array of 3 numbers, got {values!r:.80}")
        mean = colour.MEAN if mean is True else mean
        std = colour.STD if std is True else std
        while True:
            found = self._take()
            if found is None:
                return
            label, data = found
            try:
                self.check_valid_image([data])
                data, objects = self.augmentation_transform(data, self._parse_label(label))
            except RuntimeError as e:
                self._skip(e)
                continue
            image = pixels(data).astype(np.float32)
            image = image if std is None else image * _numbers(std)
            image = image if mean is None else image + _numbers(mean)
            image = (np.clip(image, 0, 255) if clip else image).astype(np.uint8)
            yield drawn(image, objects, color, thickness, id2labels, waitKey, window_name)


def _numbers(values: Any) -> np.ndarray:
    return pixels(values).astype(np.float32)
