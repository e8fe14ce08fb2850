# SPDX-License-Identifier: Apache-2.0
"""mxlite's own pictures: everything is there once, nothing lies on anything else, equal blocks are drawn once."""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import mxlite as mx
from mxlite.cli.main import main
from mxlite.viz import blocks, columns, network, notebook, svg

sys.path.insert(0, str(Path(__file__).parent))

import pictures

GOLDEN = Path(__file__).parent.parent / "golden"
NETS = sorted(set(json.loads((GOLDEN / "nets" / "nets.json").read_text())) - {"custom_op"})


def load(name):
    if name == "resnet20":
        return pictures.resnet20(mx)
    return mx.sym.load(str(GOLDEN / "nets" / f"{name}-symbol.json"))


def arranged(net, fold=False, **options):
    """The arrangement of a network, with the sizes of its boxes."""
    shown = network.network_of(net, **options)
    boxes = svg._boxes(shown)
    faces = {name: face.whole for name, face in svg._faces(boxes, shown.arrows).items()}
    edges = [(a.reader, a.source) for a in shown.arrows]
    kinds = {name: box.kind for name, box in boxes.items()}
    parts = blocks.blocks(list(boxes), [(r, s, "") for r, s in edges], kinds, fold)
    return columns.arrange(parts, faces, edges, [0.0] * len(edges)), faces, edges, parts


def points_of(path):
    """Points along an edge, as it is drawn: a bend is an S between two heights."""
    for (x, y), (nx, ny) in itertools.pairwise(path):
        for i in range(11):
            t = i / 10
            yield x + (nx - x) * (3 * t * t - 2 * t**3), y + (ny - y) * (1.5 * t - 1.5 * t * t + t**3)


@pytest.mark.parametrize("weights", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("name", [*NETS, "resnet20"])
def test_nothing_lies_on_anything_else(name, weights):
    made, sizes, edges, _ = arranged(load(name), hide_weights=not weights)
    assert made.centres.keys() == sizes.keys()
    assert made.paths.keys() == set(range(len(edges)))
    areas = {
        n: (x - sizes[n][0] / 2, y - sizes[n][1] / 2, x + sizes[n][0] / 2, y + sizes[n][1] / 2)
        for n, (x, y) in made.centres.items()
    }
    for left, top, right, bottom in areas.values():
        assert left >= 0 and top >= 0 and right <= made.width and bottom <= made.height
    for (a, one), (b, other) in itertools.combinations(areas.items(), 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (a, b)
    for i, (reader, source) in enumerate(edges):
        for x, y in points_of(made.paths[i]):
            for n, (left, top, right, bottom) in areas.items():
                inside = left < x < right and top + 0.1 < y < bottom - 0.1
                assert n in (reader, source) or not inside, (reader, source, n)


@pytest.mark.parametrize("name", NETS)
def test_valid_and_the_same_every_time(name):
    net = load(name)
    text = svg.to_svg(network.network_of(net))
    ElementTree.fromstring(text)
    assert text == svg.to_svg(network.network_of(net))


def test_equal_blocks_are_drawn_once():
    net = load("resnet20")
    *_, parts = arranged(net, fold=True, shape={"data": (1, 3, 32, 32)})
    # A change of width in the first unit of a stage makes it different.
    assert [(b.count, b.title) for b in parts if b.title] == [
        (3, "s0u0 to s0u2"),
        (1, "s1u0"),
        (2, "s1u1 to s1u2"),
        (1, "s2u0"),
        (2, "s2u1 to s2u2"),
    ]
    folded, full = (svg.to_svg(network.network_of(net), fold) for fold in (True, False))
    assert ">3 times</text>" in folded and "s0u1_bn1</text>" not in folded
    assert "times</text>" not in full and "s0u1_bn1</text>" in full


def test_blocks_cover_everything():
    *_, edges, parts = arranged(load("resnet20"))
    names = [n for block in parts for n in block.names]
    assert len(names) == len(set(names))
    for reader, source in edges:
        block = next(b for b in parts if reader in b.names)
        assert source in block.names or source == block.entry


def test_outputs_on_the_way_keep_a_network_together():
    x = mx.sym.relu(mx.sym.Variable("x"), name="r")
    net = mx.sym.Group([mx.sym.tanh(x, name="side"), mx.sym.exp(mx.sym.sin(x, name="s"), name="e")])
    *_, parts = arranged(net)
    assert [b.names for b in parts] == [("x",), ("r",), ("side", "s", "e")]


def test_long_edges_are_straight():
    made, *_ = arranged(load("resnet20"))
    for path in made.paths.values():
        assert len({round(x, 1) for x, _ in path[2:-2]}) <= 1


def test_small_svg():
    net = mx.sym.FullyConnected(mx.sym.Variable("x<"), num_hidden=2, name="fc")
    text = svg.to_svg(network.network_of(net, "small", {"x<": (1, 3)}))
    assert text == (GOLDEN / "viz" / "small.svg").read_text()


def test_tips_tell_parameters_and_shapes():
    text = svg.to_svg(network.network_of(load("mlp"), shape={"data": (4, 6)}))
    assert re.search(r"<title>fc1: FullyConnected\nnum_hidden: \d+\nreads data: \(4, 6\)", text)
    assert "parameters: " in text


class TestNotebook:
    def test_a_symbol_shows_its_picture(self):
        shown = mx.sym.relu(mx.sym.Variable("x", shape=(2, 3)), name="r")._repr_html_()
        assert shown is not None
        assert "<svg" in shown and ">3</text>" in shown and "1 operators" in shown

    def test_variables_groups_and_contradictions(self):
        a = mx.sym.Variable("a", shape=(2, 3))
        for net in (a, mx.sym.Group([a, mx.sym.relu(a)]), mx.sym.dot(a, a)):
            assert "<svg" in (net._repr_html_() or "")

    def test_a_large_one_is_words(self, monkeypatch):
        monkeypatch.setattr(notebook, "DRAWN_UP_TO", 5)
        assert "<svg" not in (load("mlp")._repr_html_() or "")


class TestCommand:
    def test_writes_a_picture(self, tmp_path, capsys):
        path = str(GOLDEN / "nets" / "mlp-symbol.json")
        for name, start in (("net.svg", "<svg"), ("net.dot", "digraph")):
            assert main(["plot", path, "--shape", "data=4,6", "-o", str(tmp_path / name)]) == 0
            assert (tmp_path / name).read_text().startswith(start)
        assert capsys.readouterr().out.split() == [str(tmp_path / "net.svg"), str(tmp_path / "net.dot")]

    def test_mistakes(self, tmp_path, capsys):
        path = str(GOLDEN / "nets" / "mlp-symbol.json")
        assert main(["plot", path, "-o", "net.png"]) == 2
        assert ".svg" in capsys.readouterr().err
        assert main(["plot", path, "--shape", "dat=4,6", "-o", str(tmp_path / "x.svg")]) == 2
        assert "did you mean 'data'" in capsys.readouterr().err
