# SPDX-License-Identifier: Apache-2.0
"""Tables and DOT texts as MXNet 1.9.1 prints them, and the SVG that mxlite draws where dot is missing."""

# pyright: reportArgumentType=false

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import mxlite as mx
from mxlite.base import MXNetError
from mxlite.viz import drawing
from mxlite.viz.layout import place, spread

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import pictures  # noqa: E402

NETS = HERE.parent / "golden" / "nets"
with gzip.open(HERE.parent / "golden" / "viz" / "nets.json.gz", "rt", encoding="utf-8") as file:
    OF_NETS = json.load(file)
RECORDED = json.loads((HERE.parent / "golden" / "viz" / "pictures.json").read_text(encoding="utf-8"))


@pytest.fixture(params=["with the graphviz package", "without it"])
def graphviz(request, monkeypatch):
    if request.param == "without it":
        monkeypatch.setitem(sys.modules, "graphviz", None)
    elif importlib.util.find_spec("graphviz") is None:
        pytest.skip("graphviz is not installed")
    drawing._digraph.cache_clear()
    yield request.param
    drawing._digraph.cache_clear()


def test_as_recorded(graphviz):
    found = pictures.describe(mx)
    assert found.keys() == RECORDED.keys()
    for name, text in RECORDED.items():
        # Newer graphviz packages end the text with a newline.
        assert found[name].rstrip("\n") == text.rstrip("\n"), name


def test_golden_nets_as_recorded(graphviz):
    found = pictures.of_nets(mx, NETS)
    assert found.keys() == OF_NETS.keys()
    for name, text in OF_NETS.items():
        # None: MXNet fails, at shapes inside of control flow and, in tables, at arrays without a second axis.
        if text is not None:
            assert (found[name] or "").rstrip("\n") == text.rstrip("\n"), name


def test_kind_of_the_picture(graphviz):
    picture = mx.viz.plot_network(pictures.mlp(mx), title="net")
    if graphviz == "without it":
        assert isinstance(picture, drawing.Drawing)
        assert str(picture) == picture.source
    else:
        from graphviz import Digraph

        assert isinstance(picture, Digraph)


@pytest.fixture
def no_dot(monkeypatch, graphviz):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    drawing._digraph.cache_clear()


def test_own_svg(no_dot, tmp_path):
    net = pictures.resnet20(mx)
    shape = pictures.SHAPES[pictures.resnet20]
    picture = mx.viz.plot_network(net, title="resnet", save_format="svg", shape=shape, fold=False)
    path = picture.render(tmp_path / "deep" / "net")
    assert path == str(tmp_path / "deep" / "net.svg")
    assert (tmp_path / "deep" / "net").read_text() == picture.source
    text = Path(path).read_text()
    assert text == picture._repr_svg_() == picture._repr_mimebundle_()["image/svg+xml"] == picture.pipe("svg").decode()
    root = ElementTree.fromstring(text)
    shown = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    for label in ("data", "Convolution", "3x3/1x1, 16", "_plus0", "16x32x32", "softmax_label"):
        assert any(re.sub(r"\d+$", "", label) in s for s in shown if s), label
    boxes = [
        tuple(float(b.get(k)) for k in ("x", "y", "width", "height"))
        for b in root.iter("{http://www.w3.org/2000/svg}rect")
        if b.get("rx") == "3"
    ]
    assert len(boxes) == sum(not n.is_variable for n in net.graph.nodes)
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= 0 and x + w <= float(root.get("width")) and y + h <= float(root.get("height"))
        for x2, y2, w2, h2 in boxes[i + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, "boxes overlap"


def test_render_says_that_dot_is_missing(no_dot, tmp_path):
    picture = mx.viz.plot_network(pictures.mlp(mx))
    with pytest.warns(UserWarning, match="'dot' is missing"):
        path = picture.render(tmp_path / "net", cleanup=True)
    assert path.endswith("net.svg")
    assert not (tmp_path / "net").exists()
    with pytest.raises(ValueError, match="png"):
        picture.pipe(format="png")
    assert Path(picture.save("net.gv", directory=tmp_path)).read_text() == picture.source


def test_shown_weights_are_in_the_svg(no_dot):
    text = mx.viz.plot_network(pictures.mlp(mx), hide_weights=False)._repr_svg_()
    assert ">fc1_weight</text>" in text
    assert "fc1_weight" not in mx.viz.plot_network(pictures.mlp(mx))._repr_svg_()


def test_text_is_escaped(no_dot):
    net = mx.sym.relu(mx.sym.Variable('a<b & "c"'), name="r")
    picture = mx.viz.plot_network(net)
    ElementTree.fromstring(picture._repr_svg_())
    assert '"a<b & \\"c\\""' in picture.source


def test_names_that_repeat(no_dot):
    a = mx.sym.Variable("a")
    net = mx.sym.relu(mx.sym.relu(a, name="twice"), name="twice")
    with pytest.warns(RuntimeWarning, match="Repeated names: twice"):
        picture = mx.viz.plot_network(net)
    ElementTree.fromstring(picture._repr_svg_())


def test_custom_operator_shows_its_type(no_dot):
    class Prop(mx.operator.CustomOpProp):
        pass

    mx.operator.register("picture_me")(Prop)
    net = mx.sym.Custom(mx.sym.Variable("x"), op_type="picture_me", name="c")
    assert "label=picture_me" in mx.viz.plot_network(net).source


def test_errors():
    net = pictures.mlp(mx)
    for call in (mx.viz.plot_network, mx.viz.print_summary):
        with pytest.raises(TypeError, match="Symbol"):
            call(3)
        with pytest.raises(MXNetError, match="did you mean 'data'"):
            call(net, shape={"dat": (2, 3)})
        with pytest.warns(UserWarning, match="data"), pytest.raises(ValueError, match="incomplete"):
            call(net, shape={"data": (0, 3)})
    for attrs in (3, {"fontsize": 10}):
        with pytest.raises(TypeError, match="node_attrs"):
            mx.viz.plot_network(net, node_attrs=attrs)


def test_positions_of_columns(capsys):
    net = pictures.mlp(mx)
    with pytest.raises(IndexError, match="4 columns"):
        mx.viz.print_summary(net, positions=[0.3, 0.6])
    assert capsys.readouterr().out == ""
    assert pictures.printed(mx, net, positions=[0.44, 0.64, 0.74, 1.0, 1.0]) == pictures.printed(mx, net)


def test_spread_keeps_order_and_distance():
    assert spread([0, 0, 10], [1, 1, 1], [4, 4]) == pytest.approx([-2, 2, 10])
    assert spread([5, 0], [1, 3], [2]) == pytest.approx([-0.25, 1.75])


def test_layers_follow_the_inputs():
    sizes = dict.fromkeys(("a", "b", "c", "d"), (40.0, 20.0))
    layout = place(sizes, [("b", "a"), ("c", "b"), ("d", "c"), ("d", "a")])
    heights = [layout.centres[n][1] for n in "abcd"]
    assert heights == sorted(heights, reverse=True)
    assert len(layout.paths[3]) == 8, "the long edge passes both layers between, straight within each"
