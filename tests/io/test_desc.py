# SPDX-License-Identifier: Apache-2.0
"""DataDesc, DataBatch, and users' own iterators."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.io import DataBatch, DataDesc, DataIter


def test_a_description_is_a_pair() -> None:
    desc = DataDesc("data", (2, 3))
    name, shape = desc
    assert (name, shape) == ("data", (2, 3)) == desc
    assert desc == DataDesc("data", (2, 3), "int32") and hash(desc) == hash(("data", (2, 3)))
    assert (desc.dtype, desc.layout, len(desc), desc[0]) == (np.float32, "NCHW", 2, "data")
    assert repr(desc) == "DataDesc[data,(2, 3),<class 'numpy.float32'>,NCHW]"
    assert repr(DataDesc("d", (2,), "int32", "NT")) == "DataDesc[d,(2,),int32,NT]"


def test_copies_of_descriptions() -> None:
    desc = DataDesc("data", (2, 3), "int32", "NT")
    for copy in (pickle.loads(pickle.dumps(desc)), desc._replace(name="data")):
        assert repr(copy) == repr(desc)
    assert repr(desc._replace(shape=(4,), dtype="int8")) == "DataDesc[data,(4,),int8,NT]"


def test_batch_axis() -> None:
    assert [DataDesc.get_batch_axis(x) for x in ["NCHW", "TNC", None, "CHW", ""]] == [0, 1, 0, -1, -1]


def test_get_list() -> None:
    shapes = [("a", (2,)), ("b", (3,))]
    assert [d.dtype for d in DataDesc.get_list(shapes, [("b", "float16"), ("a", "int32")])] == ["int32", "float16"]
    assert [d.dtype for d in DataDesc.get_list(shapes, None)] == [np.float32] * 2
    with pytest.raises(KeyError):
        DataDesc.get_list(shapes, [("a", "int32")])


def test_batch() -> None:
    x = mx.nd.ones((2, 3))
    assert str(DataBatch([x], (x,))) == "DataBatch: data shapes: [(2, 3)] label shapes: [(2, 3)]"
    assert str(DataBatch([x])) == "DataBatch: data shapes: [(2, 3)] label shapes: None"
    assert str(DataBatch([x], [])) == "DataBatch: data shapes: [(2, 3)] label shapes: None"
    batch = DataBatch([x], None, 3, [1], "k", [("a", (2,))], [("b", (2,))])
    assert (batch.pad, batch.index, batch.bucket_key) == (3, [1], "k")
    assert (batch.provide_data, batch.provide_label) == ([("a", (2,))], [("b", (2,))])


def test_batch_errors() -> None:
    x = mx.nd.ones((2, 3))
    with pytest.raises(AssertionError, match="Data must be list of NDArrays"):
        DataBatch(x)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="Label must be list of NDArrays"):
        DataBatch([x], x)  # type: ignore[arg-type]


class Own(DataIter):
    def __init__(self) -> None:
        super().__init__(4)
        self.at = 0

    def iter_next(self) -> bool:
        self.at += 1
        return self.at < 3

    def getdata(self) -> Any:
        return [mx.nd.full((1,), self.at)]

    def getlabel(self) -> Any:
        return [mx.nd.zeros((1,))]

    def getpad(self) -> Any:
        return 1

    def getindex(self) -> Any:
        return [5]


def test_own_iterator() -> None:
    batches = list(Own())
    assert [b.data[0].asscalar() for b in batches] == [1, 2]
    assert (batches[0].pad, batches[0].index, batches[0].provide_data) == (1, [5], None)


def test_empty_base() -> None:
    base = DataIter()
    assert base.batch_size == 0 and iter(base) is base and list(base) == []
    assert base.reset() is base.getdata() is base.getlabel() is base.getpad() is base.getindex() is None  # type: ignore[func-returns-value]
