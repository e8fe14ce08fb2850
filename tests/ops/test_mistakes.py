# SPDX-License-Identifier: Apache-2.0
"""What the shape, index and arithmetic operators refuse, and that the message names the way out."""

from __future__ import annotations

from typing import Any

import pytest

from mxlite_compiler.errors import MXNetError
from mxlite_compiler.op import OPS

Case = tuple[str, dict[str, Any], list[Any], str]

SHAPES: list[Case] = [
    ("elemwise_add", {}, [(2, 3), (3, 2)], "cannot be both 2 and 3|cannot be both"),
    ("broadcast_add", {}, [(2, 3), (4, 3)], r"shapes \(2, 3\) and \(4, 3\) do not broadcast: 2 against 4"),
    ("sum", {"axis": 5}, [(2, 3)], "axis=5 is out of range for 2 dimensions, legal are -2 to 1"),
    ("sum", {"axis": (0, -2)}, [(2, 3)], "names an axis twice"),
    ("argmax", {"axis": 2}, [(2, 3)], "axis=2 is out of range"),
    ("argmax_channel", {}, [(2,)], "at least 2 dimensions"),
    ("norm", {"ord": 3}, [(2, 3)], "ord=3 must be 1 or 2"),
    ("_histogram", {"bin_cnt": 3}, [(5,)], "range=None must be"),
    ("_histogram", {}, [(5,), (2, 2)], "bins must have one dimension"),
    ("transpose", {"axes": (0, 2)}, [(2, 3)], "axes=2 is out of range"),
    ("transpose", {"axes": (0,)}, [(2, 3)], "must name each of the 2 axes"),
    ("SwapAxis", {"dim1": 3}, [(2, 3)], "dim1=3 is out of range"),
    ("expand_dims", {"axis": 5}, [(2, 3)], "legal are -3 to 2"),
    ("squeeze", {"axis": 1}, [(1, 2)], "axis 1, which is squeezed, cannot be both 2 and 1"),
    ("reshape_like", {}, [(2, 3), (4, 2)], "6 elements cannot become 8"),
    ("reshape_like", {"lhs_begin": 2, "lhs_end": 1}, [(2, 3), (3, 2)], "axes 2 to 1 are not in an array of 2"),
    ("slice", {"begin": (0, 0, 0), "end": (1, 1, 1)}, [(2, 3)], "has 3 axes, the array has 2"),
    ("slice", {"begin": (0,), "end": (1, 2)}, [(2, 3)], "must have one length"),
    ("slice", {"begin": (0,), "end": (1,), "step": (0,)}, [(2, 3)], "must not have a 0"),
    ("slice", {"begin": (-5,), "end": (1,)}, [(2, 3)], "before the start of axis 0, which has 2"),
    ("slice_axis", {"axis": 1, "begin": 0, "end": 9}, [(2, 3)], "take nothing or too much of axis 1, which has 3"),
    ("slice_axis", {"axis": 1, "begin": 2, "end": 2}, [(2, 3)], "take nothing"),
    ("slice_like", {}, [(2, 3), (3, 3)], "axis 0 of data .* is shorter"),
    ("slice_like", {}, [(2, 3), (2,)], "as many dimensions"),
    ("_slice_assign", {"begin": (0,), "end": (1,)}, [(2, 3), (2, 3)], "axis 0 of rhs cannot be both 1 and 2"),
    ("Crop", {"num_args": 1, "h_w": (9, 9)}, [(1, 1, 4, 4)], "does not fit"),
    ("Crop", {"num_args": 1, "h_w": (1, 1)}, [(4, 4)], "expected .batch, channel, height, width."),
    ("Concat", {"num_args": 2}, [(2, 3), (3, 3)], "beside axis 1 cannot be both 2 and 3"),
    ("Concat", {"num_args": 2}, [(2, 3), (2, 3, 1)], "of 2 and of 3 dimensions cannot be joined"),
    ("Concat", {"num_args": 1, "dim": 4}, [(2, 3)], "dim=4 is out of range"),
    ("stack", {"num_args": 2}, [(2, 3), (3, 3)], "array 1 cannot be both"),
    ("SliceChannel", {"num_outputs": 2}, [(2, 5)], "axis 1 of .* cannot be cut into num_outputs=2"),
    ("SliceChannel", {"num_outputs": 2, "squeeze_axis": True}, [(2, 4)], "squeeze_axis needs an axis 1 of size"),
    ("_split_v2", {"indices": (), "sections": 2}, [(2, 3)], "cannot be cut into sections=2"),
    ("_split_v2", {"indices": (0, 9)}, [(2, 3)], "must ascend and not exceed the size 3"),
    ("tile", {"reps": (2, 0)}, [(2, 3)], "must be at least 1"),
    ("repeat", {"repeats": 2, "axis": 4}, [(2, 3)], "axis=4 is out of range"),
    ("broadcast_to", {"shape": (4, 3)}, [(2, 3)], "only an axis of size 1 can become 4"),
    ("broadcast_to", {"shape": (4, 3)}, [(3,)], "as many axes as data"),
    ("broadcast_axis", {"axis": 0, "size": 4}, [(2, 3)], "must have size 1"),
    ("broadcast_axis", {"axis": 0, "size": (4, 4)}, [(1, 3)], "must have one length"),
    ("broadcast_like", {"lhs_axes": (0,)}, [(1, 3), (2, 3)], "must have one length"),
    ("Pad", {"mode": "edge", "pad_width": (1, 1)}, [(2, 3)], "a before and an after"),
    ("Pad", {"mode": "reflect", "pad_width": (0, 0, 3, 0)}, [(2, 3)], "farther than its other end"),
    ("depth_to_space", {"block_size": 2}, [(1, 3, 1, 1)], "multiple of block_size"),
    ("space_to_depth", {"block_size": 2}, [(1, 3, 3, 2)], "multiples of block_size"),
    ("diag", {"k": 5}, [(2, 3)], "has no diagonal k=5"),
    ("diag", {"axis1": 1, "axis2": -2}, [(2, 3, 4)], "are the same axis"),
    ("dot", {}, [(2, 3), (4, 5)], "axis 1 of lhs and axis 0 of rhs cannot be both 3 and 4"),
    ("batch_dot", {}, [(2, 3, 4), (3, 4, 5)], "cannot be both 2 and 3"),
    ("batch_dot", {}, [(3, 4), (4, 5)], "expected"),
    ("take", {"axis": 2}, [(2, 3), (1,)], "axis=2 is out of range"),
    ("pick", {}, [(2, 3), (3,)], "axis 0 of index cannot be both 2 and 3"),
    ("where", {}, [(3,), (2, 3), (2, 3)], "the number of rows cannot be both 2 and 3"),
    ("where", {}, [(1, 2, 3), (2, 3), (2, 3)], "must have the shape of x"),
    ("gather_nd", {}, [(2, 3), (3, 1)], "name 3 axes, data .* has 2"),
    ("scatter_nd", {"shape": (3, 3)}, [(2, 3), (1, 3)], "data cannot be both 3 and 2|cannot be both"),
    ("topk", {"k": 9}, [(2, 3)], "k=9 is more than the 3 elements"),
    ("sort", {"axis": 3}, [(2, 3)], "axis=3 is out of range"),
    ("batch_take", {}, [(2, 3), (3,)], "axis 0 of a and axis 0 of indices cannot be both 2 and 3"),
    ("im2col", {"kernel": (5, 5)}, [(1, 1, 3, 3)], "spans 5"),
    ("im2col", {"kernel": (2, 2), "stride": (1,)}, [(1, 1, 3, 3)], "a number for each axis"),
    ("_arange", {"start": 5, "stop": 0}, [], "there is nothing from 5.0 to 0.0"),
    ("_arange", {"start": 5, "step": 0}, [], "step must not be 0"),
    ("add_n", {"num_args": 2}, [(2, 3), (3, 2)], "cannot be both"),
]

DTYPES: list[Case] = [
    ("elemwise_add", {}, ["float32", "float64"], "cannot be both float32 and float64"),
    ("dot", {}, ["float32", "float64"], "promotes no types"),
    ("Concat", {"num_args": 2}, ["float32", "int32"], "cannot be both"),
    ("where", {}, ["int32", "float32", "float64"], "cannot be both float32 and float64"),
    ("batch_take", {}, ["float32", "float32"], "the dtype of indices must be int32, got float32"),
    ("_random_uniform_like", {}, ["int32"], "must be one of float16"),
    ("_sample_normal", {}, ["float32", "float64"], "must have one dtype"),
    ("_sample_multinomial", {}, ["int32"], "must hold floats"),
]


def _id(case: Any) -> str | None:  # only the operator makes a readable id
    return case if isinstance(case, str) and case in OPS else ""


@pytest.mark.parametrize(("name", "attrs", "shapes", "says"), SHAPES, ids=_id)
def test_shapes(name: str, attrs: dict[str, Any], shapes: list[Any], says: str):
    op = OPS[name]
    p = op.bind(attrs)
    with pytest.raises(MXNetError, match=says) as e:
        op.infer_shape(p, shapes, [None] * len(op.outputs(p)), "mynode")
    assert f"{op.name} (node 'mynode')" in str(e.value)
    for shape in shapes:
        assert str(shape) in str(e.value)


@pytest.mark.parametrize(("name", "attrs", "dtypes", "says"), DTYPES, ids=_id)
def test_dtypes(name: str, attrs: dict[str, Any], dtypes: list[Any], says: str):
    op = OPS[name]
    p = op.bind(attrs)
    with pytest.raises(MXNetError, match=says):
        op.infer_dtype(p, dtypes, [None] * len(op.outputs(p)), "mynode")


@pytest.mark.parametrize(
    ("name", "attrs", "says"),
    [
        ("sum", {"axes": 1}, "did you mean 'axis'"),
        ("Cast", {}, "required parameter dtype is missing"),
        ("Cast", {"dtype": "float33"}, "must be one of float32"),
        ("clip", {"a_min": 0}, "required parameter a_max is missing"),
        ("topk", {"ret_typ": "values"}, "must be one of 'both', 'indices', 'mask', 'value'"),
        ("Pad", {"mode": "symmetric", "pad_width": (1, 1)}, "must be one of 'constant', 'edge', 'reflect'"),
        ("take", {"mode": "none"}, "must be one of 'clip', 'raise', 'wrap'"),
        ("_plus_scalar", {"scalar": "x"}, "must be a number"),
        ("one_hot", {"depth": 2.5}, "must be an integer"),
        ("one_hot", {"depth": -1}, "depth=-1 must be at least 0"),
        ("_contrib_arange_like", {"repeat": 0}, "repeat=0 must be at least 1"),
        ("_random_normal", {"shape": (2, -1)}, r"shape=\(2, -1\) must be at least 0"),
        ("_random_randint", {"low": 0, "high": 2, "shape": (-1,)}, "must be at least 0"),
        ("_sample_uniform", {"shape": (-1,)}, "must be at least 0"),
        ("_sample_multinomial", {"shape": (-1,)}, "must be at least 0"),
    ],
)
def test_parameters(name: str, attrs: dict[str, Any], says: str):
    with pytest.raises(MXNetError, match=says):
        OPS[name].bind(attrs, "mynode")
