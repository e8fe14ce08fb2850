# SPDX-License-Identifier: Apache-2.0
"""Arrays in a notebook: well-formed tables, abbreviated where there is much."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.entities import name2codepoint

import numpy as np

import mxlite as mx


def tables(array: mx.nd.NDArray) -> tuple[list[list[list[str]]], str]:
    """The cells of each table, and the caption."""
    assert name2codepoint["lt"] == ord("<")
    root = ET.fromstring(array._repr_html_())
    found = [[[cell.text or "" for cell in row] for row in table.iter("tr")] for table in root.iter("table")]
    return found, "".join(root[-1].itertext())


def test_a_matrix_is_a_table_with_its_indices() -> None:
    (table,), caption = tables(mx.nd.array([[1, 2.5], [-3, 4]]))
    assert table == [["", "0", "1"], ["0", "1.", "2.5"], ["1", "-3.", "4."]]
    assert caption == "<NDArray 2x2 @cpu(0)> float32"


def test_a_vector_is_one_row() -> None:
    (table,), caption = tables(mx.nd.array([1, 0], dtype="bool", ctx=mx.cpu(1)))
    assert table == [["", "0", "1"], ["0", "True", "False"]]
    assert caption == "<NDArray 2 @cpu(1)> bool"


def test_large_arrays_are_abbreviated() -> None:
    (table,), caption = tables(mx.nd.array(np.arange(60000).reshape(200, 300), dtype="int32"))
    assert len(table) == 13 and {len(row) for row in table} == {13}
    assert table[0][-3:] == ["9", "…", "299"] and table[-1][-1] == "59999" and table[-2][0] == "⋮"
    assert table[-1][:3] == ["199", "59700", "59701"]
    assert caption == "<NDArray 200x300 @cpu(0)> int32"


def test_more_axes_are_several_tables() -> None:
    array = mx.nd.arange(48).reshape((2, 3, 2, 4))
    shown, _ = tables(array)
    assert len(shown) == 2 and shown[-1][-1] == ["1", "44.", "45.", "46.", "47."]
    assert "[1, 2]" in array._repr_html_() and "⋮" in "".join(ET.fromstring(array._repr_html_()).itertext())


def test_nothing_to_show_and_views() -> None:
    empty, caption = tables(mx.nd.array(np.zeros((2, 0))))
    assert not empty and caption == "<NDArray 2x0 @cpu(0)> float32"
    (table,), _ = tables(mx.nd.arange(12).reshape((3, 4))[1:, :2])
    assert table[1:] == [["0", "4.", "5."], ["1", "8.", "9."]]
