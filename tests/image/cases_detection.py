# SPDX-License-Identifier: Apache-2.0
"""Augmenters of pictures with boxes. Runs in Python 3.8, too."""

from pictures import noise

LABEL = [[0, 0.1, 0.2, 0.5, 0.6], [1, 0.3, 0.3, 0.9, 0.8], [2, 0.05, 0.7, 0.15, 0.95]]


def cases(mx, np, folder):
    """Functions of no arguments by name. Before each, both generators are seeded."""
    image = mx.image
    flip, crop, pad = image.DetHorizontalFlipAug, image.DetRandomCropAug, image.DetRandomPadAug
    made = {
        "base": lambda: image.DetAugmenter(a=np.array([1, 2]), b=mx.nd.array([1, 2])),
        "borrow": lambda: image.DetBorrowAug(image.ForceResizeAug((3, 4))),
        "borrow a number": lambda: image.DetBorrowAug(3),
        "borrow detection": lambda: image.DetBorrowAug(flip(0.5)),
        "select": lambda: image.DetRandomSelectAug([flip(0.5), crop()], 0.3),
        "select one": lambda: image.DetRandomSelectAug(flip(0.5), 0),
        "select nothing": lambda: image.DetRandomSelectAug([], 0.3),
        "select pictures": lambda: image.DetRandomSelectAug([image.HorizontalFlipAug(0.5)]),
        "flip": lambda: flip(0.5),
        "crop": lambda: crop(),
        "crop covering": lambda: crop(min_object_covered=0.9, area_range=(0.3, 1.0)),
        "crop large": lambda: crop(area_range=(0.3, 3.0)),
        "crop never": lambda: crop(area_range=(2, 3.0)),
        "crop of nothing": lambda: crop(area_range=(0, 1), max_attempts=3),
        "crop without attempts": lambda: crop(max_attempts=0),
        "crop ejecting": lambda: crop(min_eject_coverage=0.9, area_range=(0.3, 1.0)),
        "crop numbers": lambda: crop(aspect_ratio_range=0.9, area_range=0.5),
        "crop areas reversed": lambda: crop(area_range=(0.9, 0.2)),
        "crop ratios reversed": lambda: crop(aspect_ratio_range=(0.9, 0.2)),
        "crop no area": lambda: crop(area_range=(0, 0)),
        "crop text": lambda: crop(aspect_ratio_range="ab"),
        "pad": lambda: pad(),
        "pad colours": lambda: pad(pad_val=[1, 2, 3], area_range=(2, 4)),
        "pad numbers": lambda: pad(aspect_ratio_range=1.2, area_range=4.0, pad_val=(5, 5, 5)),
        "pad never": lambda: pad(aspect_ratio_range=(9, 10), area_range=(1.0, 1.1)),
        "pad smaller": lambda: pad(area_range=(0.5, 0.9)),
        "pad same": lambda: pad(area_range=(1, 1)),
        "pad reversed": lambda: pad(area_range=(2, 1)),
        "pad text": lambda: pad(pad_val="a"),
        "multi": lambda: image.CreateMultiRandCropAugmenter(),
        "multi lists": lambda: image.CreateMultiRandCropAugmenter(
            min_object_covered=[0.1, 0.3], aspect_ratio_range=[(0.5, 1), (0.7, 0.9)], max_attempts=[7], skip_prob=0.3
        ),
        "multi lengths": lambda: image.CreateMultiRandCropAugmenter([0.1, 0.3], area_range=[(0.1, 1)] * 3),
    }
    found = {}
    for name, make in made.items():
        found["dumps " + name] = lambda m=make: m().dumps()
        found["uses " + name] = lambda m=make: _uses(mx, np, m(), np.array(LABEL))
    found["more columns"] = lambda: _uses(mx, np, crop(), np.hstack([np.array(LABEL), [[7], [8], [9]]]))
    found["filled up"] = lambda: _uses(mx, np, crop(), np.vstack([np.array(LABEL), -np.ones((2, 5))]))
    found["no objects"] = lambda: _uses(mx, np, crop(), np.zeros((0, 5)))
    _usual(mx, np, found)
    return found


def _uses(mx, np, augmenter, label):
    found = []
    for _ in range(4):
        src, given = mx.nd.array(noise(np, 40, 60), dtype="uint8"), label.copy()
        out, boxes = augmenter(src, given)
        digest = int(out.asnumpy().astype("int64").sum())  # of the pixels, which cases of pictures compare one by one
        corners = out.asnumpy()[[0, 0, -1, -1], [0, -1, 0, -1]]
        found.append([list(out.shape), digest, mx.nd.array(corners), mx.nd.array(boxes), out is src, boxes is given])
    return found


def _usual(mx, np, found):
    lists = {
        "plain": {},
        "all": {
            "resize": 5, "rand_crop": 0.5, "rand_pad": 0.4, "rand_gray": 0.3, "rand_mirror": True, "mean": True,
            "std": True, "brightness": 0.1, "contrast": 0.2, "saturation": 0.3, "pca_noise": 0.4, "hue": 0.5,
        },
        "crops": {"rand_crop": 0.5, "min_object_covered": [0.1, 0.2], "area_range": [(0.1, 0.2), (0.3, 0.4)]},
        "mean list": {"mean": [1, 2, 3]},
    }  # fmt: skip
    for name, options in lists.items():
        found["CreateDetAugmenter " + name] = lambda o=options: [
            a.dumps() for a in mx.image.CreateDetAugmenter((3, 22, 24), **o)
        ]
        found[f"CreateDetAugmenter {name} works"] = lambda o=options: _works(mx, np, o)


def _works(mx, np, options):
    found = []
    for _ in range(3):
        data, label = mx.nd.array(noise(np, 40, 60), dtype="uint8"), np.array(LABEL)
        for augmenter in mx.image.CreateDetAugmenter((3, 4, 5), **options):
            data, label = augmenter(data, label)
        found.append([data, mx.nd.array(label)])
    return found
