# SPDX-License-Identifier: Apache-2.0
"""Random calls with random draws; the same code in mxlite and in the real MXNet (Python 3.8).

ORACLE tests/image/draws.py OUT.json
"""

import importlib
import json
import random
import sys

COUNT = 300
RATIOS = [(0.75, 1.33), (0.5, 2), (0.2, 0.4), (3, 5)]


def calls(mx, np):
    """Name and function of each call."""
    image, numbers = mx.image, np.random.RandomState(5)
    draw = random.Random(7)

    for _ in range(COUNT):
        height, width = draw.randint(3, 40), draw.randint(3, 40)
        src = mx.nd.array(numbers.randint(0, 256, (height, width, 3)), dtype="uint8")
        wanted, interp = (draw.randint(4, 30), draw.randint(4, 30)), draw.choice([0, 1, 2, 3, 4, 9, 10])
        area, ratio = draw.choice([0.2, (0.1, 0.5), (0.08, 1.0), (0.9, 3.0)]), draw.choice(RATIOS)
        box = draw.randint(0, width - 1), draw.randint(0, height - 1), draw.randint(1, 20), draw.randint(1, 20)
        yield "resize_short", lambda s=src, n=wanted[0], i=interp: image.resize_short(s, n, i)
        side = draw.randint(2, 30)
        yield "random_crop", lambda s=src, n=side, i=interp: image.random_crop(s, (n, n), i)
        yield (
            "random_size_crop",
            lambda s=src, w=wanted, a=area, r=ratio, i=interp: image.random_size_crop(s, w, a, r, i),
        )
        yield "fixed_crop", lambda s=src, b=box, w=wanted, i=interp: image.fixed_crop(*((s, *b)), size=w, interp=i)
        corners = np.sort(numbers.rand(draw.randint(1, 5), 2, 2), 1).reshape(-1, 4)
        label = np.hstack([numbers.randint(0, 5, (len(corners), 1)), corners])
        crop = {
            "min_object_covered": draw.choice([0, 0.1, 0.5, 0.9, 1.0]),
            "aspect_ratio_range": draw.choice(RATIOS),
            "area_range": draw.choice([(0.05, 1.0), (0.3, 0.6), (0.01, 0.05), (0.9, 3.0), (0, 1)]),
            "min_eject_coverage": draw.choice([0, 0.3, 0.7]),
            "max_attempts": draw.choice([1, 5, 50]),
        }
        pad = {
            "aspect_ratio_range": draw.choice(RATIOS),
            "area_range": draw.choice([(1.0, 3.0), (1.0, 1.1), (2, 4), (0.5, 2), (1.3, 2.9)]),
            "max_attempts": draw.choice([1, 5, 50]),
        }
        yield "crop", lambda s=src, x=label, o=crop: image.DetRandomCropAug(**o)(s, x.copy())
        yield "pad", lambda s=src, x=label, o=pad: image.DetRandomPadAug(**o)(s, x.copy())


def told(mx, np, value):
    """Shape and sum of pixels; the numbers of others."""
    if isinstance(value, mx.nd.NDArray):
        return [list(value.shape), int(value.asnumpy().astype("int64").sum())]
    if isinstance(value, (list, tuple)):
        return [told(mx, np, v) for v in value]
    return np.asarray(value).tolist()


def run(mx, np):
    """Each call, what came out, and what is drawn next."""
    found = []
    for seed, (name, call) in enumerate(calls(mx, np)):
        random.seed(seed)
        found.append([name, told(mx, np, call()), random.random()])
    return found


if __name__ == "__main__":
    with open(sys.argv[1], "w") as f:
        json.dump(run(importlib.import_module("mxnet"), importlib.import_module("numpy")), f)
