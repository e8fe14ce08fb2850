# SPDX-License-Identifier: Apache-2.0
"""Augmenters: what they make, draw after draw, and what they dump. Runs in Python 3.8, too."""

from pictures import noise

EIGENVALUES = [55.46, 4.794, 1.148]
EIGENVECTORS = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]


def cases(mx, np, folder):
    """Functions of no arguments by name. Before each, both generators are seeded."""
    image = mx.image
    made = {
        "base": lambda: image.Augmenter(a=mx.nd.array([1]), b=np.arange(3), c="x"),
        "sequential": lambda: image.SequentialAug([image.CastAug(), image.BrightnessJitterAug(0.3)]),
        "order": lambda: image.RandomOrderAug([image.BrightnessJitterAug(0.3), image.HorizontalFlipAug(0.5)]),
        "nothing": lambda: image.SequentialAug([]),
        "resize": lambda: image.ResizeAug(8),
        "resize method": lambda: image.ResizeAug(20, interp=10),
        "force": lambda: image.ForceResizeAug((8, 5), 9),
        "crop": lambda: image.RandomCropAug((8, 5)),
        "sized": lambda: image.RandomSizedCropAug((8, 5), (0.1, 1.0), (0.75, 1.33)),
        "sized least": lambda: image.RandomSizedCropAug((8, 5), 0.08, (0.75, 1.33), 10),
        "sized keyword": lambda: image.RandomSizedCropAug((8, 5), 0.08, (0.75, 1.33), foo=1),
        "center": lambda: image.CenterCropAug((8, 5)),
        "flip": lambda: image.HorizontalFlipAug(0.5),
        "cast": lambda: image.CastAug("float64"),
        "brightness": lambda: image.BrightnessJitterAug(0.3),
        "contrast": lambda: image.ContrastJitterAug(0.3),
        "saturation": lambda: image.SaturationJitterAug(0.3),
        "hue": lambda: image.HueJitterAug(0.3),
        "colours": lambda: image.ColorJitterAug(0.3, 0.2, 0.1),
        "one colour": lambda: image.ColorJitterAug(0, 0.2, 0),
        "lighting": lambda: image.LightingAug(0.1, np.array(EIGENVALUES), np.array(EIGENVECTORS)),
        "normalize": lambda: image.ColorNormalizeAug(np.array([1, 2, 3]), [4, 5, 6]),
        "normalize mean": lambda: image.ColorNormalizeAug(mx.nd.array([1, 2, 3]), None),
        "normalize std": lambda: image.ColorNormalizeAug(None, (1, 2, 3)),
        "grey": lambda: image.RandomGrayAug(0.5),
    }
    found = {}
    for dtype in ("float32", "uint8"):
        for name, make in made.items():
            found[f"{name} {dtype}"] = lambda m=make, d=dtype: _uses(mx, np, m(), d)
    for name, make in made.items():
        found["dumps " + name] = lambda m=make: m().dumps()
    _usual(mx, np, found)
    return found


def _uses(mx, np, augmenter, dtype):
    found = []
    for _ in range(3):
        src = mx.nd.array(noise(np, 7, 9), dtype=dtype)
        out = augmenter(src)
        changed = not np.array_equal(src.asnumpy(), noise(np, 7, 9))
        found.append([out, out is src, changed])
    return found


def _usual(mx, np, found):
    lists = {
        "plain": {},
        "training": {"resize": 30, "rand_crop": True, "rand_mirror": True, "inter_method": 9},
        "sizes": {"rand_crop": True, "rand_resize": True},
        "sizes without crop": {"rand_resize": True},
        "imagenet": {"mean": True, "std": True},
        "mean": {"mean": np.array([1, 2, 3])},
        "mean of one": {"mean": np.array([1])},
        "mean list": {"mean": [1, 2, 3]},
        "mean of four": {"mean": np.array([1, 2, 3, 4])},
        "mean false": {"mean": False},
        "std": {"std": mx.nd.array([1, 2, 3])},
        "std of four": {"std": np.array([1, 2, 3, 4])},
        "colours": {"brightness": 0.1, "contrast": 0.2, "saturation": 0.3, "hue": 0.4, "pca_noise": 0.5},
        "grey": {"rand_gray": 0.6},
    }
    for name, options in lists.items():
        found["CreateAugmenter " + name] = lambda o=options: [
            a.dumps() for a in mx.image.CreateAugmenter((3, 22, 24), **o)
        ]
        found[f"CreateAugmenter {name} works"] = lambda o=options: _works(
            mx, np, mx.image.CreateAugmenter((3, 6, 5), **o)
        )


def _works(mx, np, augmenters):
    data = mx.nd.array(noise(np, 35, 40), dtype="uint8")
    for augmenter in augmenters:
        data = augmenter(data)
    return data
