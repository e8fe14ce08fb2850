# SPDX-License-Identifier: Apache-2.0
"""Operators on pictures, against what MXNet 1.9.1 with OpenCV 3.4.2 made of one of 11x13 pixels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mxlite as mx
from mxlite_compiler.op import OPS, Mode
from tests.archives import read_npz
from tests.ops.call import call

FOLDER = Path(__file__).parents[1] / "golden" / "image"
RECORDED = read_npz(FOLDER / "recorded.npz")
SOURCES = {"u8": RECORDED["picture"], "f32": RECORDED["picture"].astype(np.float32)}
SOURCES |= {"gray": RECORDED["gray"], "batch": RECORDED["batch"]}


def of(family: str) -> list[str]:
    return [name for name in RECORDED if name.startswith(f"{family}/")]


def check(got, want: np.ndarray, off_by: int = 0) -> None:
    got = np.asarray(got)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype == np.float32:
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    else:
        assert np.abs(got.astype(int) - want.astype(int)).max(initial=0) <= off_by


@pytest.mark.parametrize("name", of("resize"))
def test_resize(name: str):
    _, source, interp, size = name.split("/")
    width, height = map(int, size.split("x"))
    data = SOURCES[source]
    check(call("_image_resize", data, size=(width, height), interp=int(interp))[0], RECORDED[name])
    if data.ndim == 3:
        check(call("_cvimresize", data, w=width, h=height, interp=int(interp))[0], RECORDED[name])


def test_resize_keeps_the_ratio():
    wide, high = np.zeros((11, 13, 3), np.uint8), np.zeros((13, 11, 3), np.uint8)
    assert call("_image_resize", wide, size=6, keep_ratio=True)[0].shape == (6, 7, 3)
    assert call("_image_resize", high, size=6, keep_ratio=True)[0].shape == (7, 6, 3)
    assert call("_image_resize", wide, size=6)[0].shape == (6, 6, 3)
    assert call("_image_resize", wide, size=(6, 9), keep_ratio=True)[0].shape == (9, 6, 3)


@pytest.mark.parametrize("name", [n for f in ("brightness", "contrast", "saturation", "hue") for n in of(f)])
def test_colors(name: str):
    family, source, factor = name.split("/")
    got = call(f"_image_random_{family}", SOURCES[source], min_factor=float(factor), max_factor=float(factor))[0]
    # A hue is turned in float32 and then cut to an integer, so a last bit can make a difference of one.
    check(got, RECORDED[name], off_by=family == "hue")


@pytest.mark.parametrize("source", ["u8", "f32"])
def test_lighting(source: str):
    data = SOURCES[source][:4, :6]
    check(call("_image_adjust_lighting", data, alpha=(1, 2, 3))[0], RECORDED[f"lighting/{source}"])
    check(call("_image_random_lighting", data, alpha_std=0)[0], data)


@pytest.mark.parametrize("kind", range(5))
def test_borders(kind: int):
    around: dict[str, Any] = {"top": 2, "bot": 3, "left": 1, "right": 4, "type": kind, "value": 9}
    check(call("_cvcopyMakeBorder", SOURCES["u8"], **around)[0], RECORDED[f"border/{kind}"])
    check(call("_cvcopyMakeBorder", SOURCES["f32"], **around)[0], RECORDED[f"border/{kind}"].astype(np.float32))


def test_a_border_with_one_value_a_channel():
    got = call("_cvcopyMakeBorder", SOURCES["u8"], top=2, bot=3, left=1, right=4, values=(1, 2, 3))[0]
    check(got, RECORDED["border/values"])


@pytest.mark.parametrize(("value", "want"), [(7.6, 8), (6.5, 6), (7.5, 8), (300, 255), (-3, 0)])
def test_a_constant_border_is_rounded_and_limited(value: float, want: int):
    got = call("_cvcopyMakeBorder", np.zeros((1, 1, 1), np.uint8), top=1, bot=0, left=0, right=0, value=value)[0]
    np.testing.assert_array_equal(got.ravel(), [want, 0])


def test_normalized_integers_wrap():
    x = np.array([0, 1, 90, 100, 101, 200, 255, 30, 60], np.uint8).reshape(1, 3, 3)
    got = call("_image_normalize", x, mean=100, std=0.5)[0]
    np.testing.assert_array_equal(got.ravel(), [56, 58, 236, 0, 2, 200, 54, 116, 176])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "float16", "float64"])
def test_dtypes_stay(dtype: str):
    data = SOURCES["u8"][:4, :6].astype(dtype)
    for name in ("_image_random_brightness", "_image_random_hue"):
        assert call(name, data, min_factor=1.5, max_factor=1.5)[0].dtype == dtype
    brighter = call("_image_random_brightness", data, min_factor=1.5, max_factor=1.5)[0]
    if dtype == "int8":  # wraps, where uint8 stops at 255
        product = np.trunc(data.astype(np.float32) * 1.5)
        np.testing.assert_array_equal(brighter, product.astype(np.int32).astype(np.int8))
    assert call("_image_to_tensor", data)[0].dtype == np.float32


def test_random_flips_flip_or_not():
    data = SOURCES["u8"]
    op = OPS["_image_random_flip_left_right"]
    keys = jax.random.split(jax.random.PRNGKey(0), 20)
    flipped = jax.vmap(lambda key: op.apply(op.bind({}), jnp.asarray(data), mode=Mode(False, key))[0][0])(keys)
    seen = {np.asarray(picture).tobytes() for picture in flipped}
    assert seen == {data.tobytes(), data[:, ::-1].tobytes()}


def test_color_jitter_stays_within_its_bounds_and_orders_differently():
    data = jnp.full((1, 1, 3), 100, jnp.float32)
    op = OPS["_image_random_color_jitter"]
    p = op.bind({"brightness": 0.5, "contrast": 0, "saturation": 0, "hue": 0})
    keys = jax.random.split(jax.random.PRNGKey(0), 30)
    draws = jax.vmap(lambda key: op.apply(p, data, mode=Mode(False, key))[0][0][0, 0, 0])(keys).tolist()
    assert 50 <= min(draws) < 75 and 125 < max(draws) <= 150
    kept = call("_image_random_color_jitter", SOURCES["f32"], brightness=0, contrast=0, saturation=0, hue=0)[0]
    np.testing.assert_allclose(kept, SOURCES["f32"], rtol=1e-5, atol=1e-3)


def test_gradients_are_the_true_ones():
    data = jnp.asarray(SOURCES["f32"])
    weights = jnp.arange(data.size, dtype=jnp.float32).reshape(data.shape)

    def gradient(name: str, **attrs):
        def loss(x):
            out = call(name, x, **attrs)[0]
            return jnp.sum(out * jnp.ravel(weights)[: out.size].reshape(out.shape))

        return np.asarray(jax.grad(loss)(data))

    np.testing.assert_array_equal(gradient("_image_flip_left_right"), weights[:, ::-1])
    np.testing.assert_allclose(
        gradient("_image_random_brightness", min_factor=2, max_factor=2), 2 * np.asarray(weights)
    )
    cut = gradient("_image_crop", x=1, y=2, width=3, height=4)
    assert cut[2:6, 1:4].any() and not cut[:2].any() and not cut[:, 4:].any()
    np.testing.assert_allclose(gradient("_image_resize", size=(7, 5)).sum(), np.arange(7 * 5 * 3).sum(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize("to_rgb", [0, 1])
def test_decoding(kind: str, flag: int, to_rgb: int):
    pytest.importorskip("cv2", reason="OpenCV decodes pictures")
    path = FOLDER / f"picture.{kind}"
    buf = mx.nd.array(np.frombuffer(path.read_bytes(), np.uint8), dtype="uint8")
    want = RECORDED[f"decode/{kind}/{flag}/{to_rgb}"]
    # Decoders of JPEG round differently from version to version.
    check(mx.nd._internal._cvimdecode(buf, flag=flag, to_rgb=to_rgb).asnumpy(), want, off_by=2 * (kind == "jpg"))
    read = mx.nd._internal._cvimread(filename=str(path), flag=flag, to_rgb=to_rgb).asnumpy()
    check(read, want, off_by=2 * (kind == "jpg"))


def test_decoding_with_pillow():
    pytest.importorskip("PIL", reason="Pillow decodes pictures where OpenCV is not installed")
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "import mxlite as mx, numpy as np\n"
        f"read = mx.nd._internal._cvimread\npath = {str(FOLDER / 'picture.png')!r}\n"
        f"want = np.load({str(FOLDER / 'recorded.npz')!r})\n"
        "for rgb in (0, 1):\n"
        "    got = read(filename=path, to_rgb=rgb).asnumpy()\n"
        "    assert np.array_equal(got, want[f'decode/png/1/{rgb}']), rgb\n"
        "assert read(filename=path, flag=0).shape == (16, 20, 1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_graph_is_cut_where_a_picture_is_decoded():
    pytest.importorskip("cv2", reason="OpenCV decodes pictures")
    buf = mx.sym.Variable("buf")
    net = mx.sym.image.to_tensor(mx.sym._internal._cvimdecode(buf, name="decode"))
    assert net.infer_shape_partial(buf=(10,))[1] == [(3, 0, 0)]
    content = mx.nd.array(np.frombuffer((FOLDER / "picture.png").read_bytes(), np.uint8), dtype="uint8")
    (out,) = net.bind(mx.cpu(), {"buf": content}).forward()
    assert out.shape == (3, 16, 20)


U8 = np.zeros((4, 6, 3), np.uint8)
MISTAKES = {
    "size": (lambda: call("_image_resize", U8), r"size=\(\) must be one positive number or two, \(width, height\)"),
    "negative": (lambda: call("_image_resize", U8, size=(-1, 5)), r"size=\(-1, 5\)"),
    "plane": (lambda: call("_image_resize", U8[..., 0], size=2), r"must be \(height, width, channel\) or \(batch"),
    "interp": (lambda: call("_cvimresize", U8, w=2, h=2, interp=9), "interp=9 must be one of 0, 1, 2, 3, 4"),
    "factor": (lambda: call("_image_random_hue", U8, min_factor=-1, max_factor=1), "min_factor=-1 must be at least 0"),
    "batch": (lambda: call("_image_flip_top_bottom", U8[None]), r"data must be \(height, width, channel\)"),
    "channels": (lambda: call("_image_normalize", U8[:2]), "must have 1 or 3 channels"),
    "mean": (lambda: call("_image_normalize", U8[:3], mean=(1, 2)), r"mean=\(1.0, 2.0\) must have 1 or 3 numbers"),
    "crop": (lambda: call("_image_crop", U8, x=5, y=0, width=3, height=1), "beyond the width 6"),
    "outside": (lambda: call("_image_crop", U8, x=-1, y=0, width=3, height=1), "x=-1 must not be negative"),
    "empty": (lambda: call("_image_crop", U8, x=0, y=0, width=0, height=1), "width=0 must be at least 1"),
    "alpha": (lambda: call("_image_adjust_lighting", U8, alpha=(1, 2)), "must have three numbers"),
    "border": (lambda: call("_cvcopyMakeBorder", U8, top=1, bot=1, left=1, right=1, type=7), "type=7"),
    "values": (lambda: call("_cvcopyMakeBorder", U8, top=1, bot=1, left=1, right=1, values=(1, 2)), "each of the 3"),
    "bytes": (lambda: mx.nd._internal._cvimdecode(mx.nd.array([1, 2], dtype="uint8")), "no whole picture"),
    "nothing": (lambda: mx.nd._internal._cvimdecode(mx.nd.array([], dtype="uint8")), "the buffer is empty"),
    "floats": (lambda: mx.nd._internal._cvimdecode(mx.nd.ones((3,))), "uint8, got float32"),
    "file": (lambda: mx.nd._internal._cvimread(filename="nowhere.png"), "cannot open 'nowhere.png'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str):
    if name == "bytes":
        pytest.importorskip("cv2", reason="OpenCV decodes pictures")
    make, message = MISTAKES[name]
    with pytest.raises(mx.MXNetError, match=message):
        make()
