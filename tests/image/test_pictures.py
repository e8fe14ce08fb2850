# SPDX-License-Identifier: Apache-2.0
"""Functions and augmenters on pictures, beyond what is recorded: views, messages, a machine without opencv."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite import image
from mxlite.recordio.opencv import exact

LABEL = [2, 5, 0, 0.1, 0.1, 0.9, 0.9]
GOLDEN = Path(__file__).parents[1] / "golden" / "image"


def noise(height: int, width: int, dtype: str = "uint8") -> mx.nd.NDArray:
    return mx.nd.array(np.random.randint(0, 256, (height, width, 3)), dtype=dtype)


def test_in_place_on_a_view():
    batch = mx.nd.ones((2, 4, 5, 3)) * 6
    mx.image.color_normalize(batch[1], mx.nd.array([1, 2, 3]), mx.nd.array([1, 2, 3]))
    np.testing.assert_array_equal(batch.asnumpy()[0], np.full((4, 5, 3), 6))
    np.testing.assert_array_equal(batch.asnumpy()[1], np.broadcast_to([5, 2, 1], (4, 5, 3)))


def test_results_do_not_follow_their_source():
    src = noise(6, 1)
    before = src.asnumpy()
    made = [mx.image.fixed_crop(src, 0, 0, 1, 6), mx.image.HorizontalFlipAug(1)(src), mx.image.CastAug("uint8")(src)]
    src += 1
    for result in made:
        np.testing.assert_array_equal(result.asnumpy(), before)


def test_pictures_of_computed_arrays():
    src = mx.nd.relu(noise(8, 9, "float32")) * 2
    np.testing.assert_array_equal(mx.image.fixed_crop(src, 2, 3, 4, 5).asnumpy(), src.asnumpy()[3:8, 2:6])


def test_numpy_arrays_stay_numpy():
    src = noise(8, 9).asnumpy()
    assert isinstance(mx.image.resize_short(src, 4), np.ndarray)
    assert isinstance(mx.image.center_crop(src, (3, 3))[0], np.ndarray)


@pytest.mark.parametrize("dtype", ["float16", "int32", "float64"])
def test_other_dtypes_are_resized_by_the_operator(dtype: str):
    src = noise(6, 7).astype(dtype)
    want = mx.image.imresize(src.astype("float32"), 4, 3).asnumpy()
    found = mx.image.imresize(src, 4, 3)
    assert found.dtype == np.dtype(dtype).type
    np.testing.assert_allclose(found.asnumpy(), want, atol=0.6 if dtype == "int32" else 0.2)


def test_intels_library_is_off_only_inside():
    cv2 = pytest.importorskip("cv2")
    before = cv2.ipp.useIPP()
    with exact(cv2):
        assert not cv2.ipp.useIPP()
    assert cv2.ipp.useIPP() == before


def test_without_opencv(monkeypatch: pytest.MonkeyPatch):
    data = (GOLDEN / "picture.png").read_bytes()
    src = mx.image.imdecode(data)
    calls = {
        "decoded": lambda: mx.image.imdecode(data),
        "resized": lambda: mx.image.imresize(src, 9, 7, 3),
        "cropped": lambda: mx.image.fixed_crop(src, 1, 2, 9, 5, (4, 3), 1),
        "bordered": lambda: mx.image.image.copyMakeBorder(src, 1, 2, 3, 4, type=0, value=7),
    }
    want = {name: call().asnumpy() for name, call in calls.items()}
    monkeypatch.setitem(sys.modules, "cv2", None)
    for name, call in calls.items():
        np.testing.assert_array_equal(call().asnumpy(), want[name], name)
    it = mx.image.ImageDetIter(1, (3, 8, 8), imglist=[[LABEL, "picture.png"]], path_root=GOLDEN)
    with pytest.raises(ImportError, match="drawing boxes needs opencv-python-headless"):
        next(iter(it.draw_next()))


def test_augmenters_travel_between_processes():
    for augmenter in mx.image.CreateAugmenter((3, 4, 5), mean=True, std=True, hue=0.1, pca_noise=0.1, rand_gray=0.1):
        assert pickle.loads(pickle.dumps(augmenter)).dumps() == augmenter.dumps()


ANY: Any = [1]
SRC = mx.nd.zeros((4, 5, 3), dtype="uint8")
MISTAKES = {
    "method": (lambda: image.resize_short(SRC, 3, 5), ValueError, "Unknown interp method 5; legal are 0 nearest"),
    "imresize method": (lambda: image.imresize(SRC, 3, 5, 9), mx.MXNetError, "interp=9 must be one of 0, 1"),
    "parameter": (lambda: image.imresize(SRC, 3, 5, interpolation=1), mx.MXNetError, "interpolation"),
    "twice": (lambda: image.imresize(SRC, 3, 5, 1, interp=1), TypeError, "got interp twice"),
    "too many": (lambda: image.imresize(SRC, 3, 5, 1, None, None, 7), TypeError, "takes at most 5 arguments"),
    "out": (lambda: image.imresize(SRC, 3, 2, out=SRC), mx.MXNetError, r"out is \(4, 5, 3\) of uint8, the result"),
    "crop": (
        lambda: image.fixed_crop(SRC, 5, 0, 2, 2),
        mx.MXNetError,
        r"x0=5, y0=0, w=2, h=2 has nothing of a picture of 5x4 \(width, height\)",
    ),
    "grey": (lambda: image.resize_short(SRC[0], 3), mx.MXNetError, r"a picture is \(height, width, channel\)"),
    "no array": (lambda: image.resize_short(ANY, 3), AssertionError, "src must be an NDArray .*, got list"),
    "uint8": (lambda: image.ContrastJitterAug(0.1)(SRC), mx.MXNetError, "of float32, got uint8\n.*CastAug"),
    "channels": (
        lambda: image.HueJitterAug(0.1)(mx.nd.ones((2, 2, 1))),
        mx.MXNetError,
        r"needs a picture \(height, width, 3\), got \(2, 2, 1\)",
    ),
    "mean": (lambda: image.color_normalize(SRC, mx.nd.array([1])), mx.MXNetError, "mean is float32, the picture uint8"),
    "range": (lambda: image.DetRandomCropAug(area_range=(0.9, 0.1)), TypeError, r"area_range=\(0.9, 0.1\) must be a"),
    "pair": (lambda: image.DetRandomCropAug(area_range=(1, 2, 3)), AssertionError, "a tuple of the least"),
    "border": (lambda: image.DetRandomPadAug(area_range=(0.5, 1)), ValueError, "with its end above 1"),
    "lists": (lambda: image.CreateMultiRandCropAugmenter([0.1, 0.2], max_attempts=[1, 2, 3]), ValueError, "attempts 3"),
    "text": (lambda: image.imdecode("a.png"), ValueError, "bytes, bytearray, .* got str; imread reads a file"),
    "file": (lambda: image.imread("nowhere.png"), mx.MXNetError, "cannot open 'nowhere.png': No such file"),
    "turn": (lambda: image.imrotate(SRC, 3), TypeError, "Only `float32` images.*got uint8"),
    "borrowed": (lambda: image.DetBorrowAug(ANY), TypeError, "list is none"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str):
    call, error, message = MISTAKES[name]
    with pytest.raises(error, match=message):
        call()
