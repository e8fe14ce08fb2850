# SPDX-License-Identifier: Apache-2.0
"""Data iterators (`mx.io`).

A module needs of an iterator only `provide_data`, `provide_label`, `reset`, and iteration over objects with `data`,
`label` and, where rows only fill a batch up, `pad`; nobody has to derive from `DataIter`.
"""

from __future__ import annotations

from .csv import CSVIter as CSVIter
from .desc import DataBatch as DataBatch
from .desc import DataDesc as DataDesc
from .desc import DataError as DataError
from .desc import DataIter as DataIter
from .desc import IterError as IterError
from .device import DeviceIter as DeviceIter
from .image_det_record import ImageDetRecordIter as ImageDetRecordIter
from .image_record import ImageRecordInt8Iter as ImageRecordInt8Iter
from .image_record import ImageRecordIter as ImageRecordIter
from .image_record import ImageRecordIter_v1 as ImageRecordIter_v1
from .image_record import ImageRecordUInt8Iter as ImageRecordUInt8Iter
from .image_record import ImageRecordUInt8Iter_v1 as ImageRecordUInt8Iter_v1
from .iterable import IterableIter as IterableIter
from .libsvm import LibSVMIter as LibSVMIter
from .mnist import MNISTIter as MNISTIter
from .native import MXDataIter as MXDataIter
from .ndarray_iter import NDArrayIter as NDArrayIter
from .wrappers import PrefetchingIter as PrefetchingIter
from .wrappers import ResizeIter as ResizeIter
