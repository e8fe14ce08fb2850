# SPDX-License-Identifier: Apache-2.0
"""Records what MXNet 1.9.1 makes of files of pictures, into `tests/golden/io/images/`.

`python tests/io/record_images.py`, with a Python that has MXNet 1.9.1, numpy and opencv.
"""

import json
import os
import sys

import cv2
import mxnet as mx  # pyright: ignore[reportMissingImports]
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from image_cases import CASES, SAMPLED, features, sampled_label, sampled_pictures  # noqa: E402

FOLDER = os.path.join(HERE, "..", "golden", "io", "images")
SIZES = [(24, 30), (33, 21), (18, 18), (26, 40), (20, 26), (35, 35), (17, 29)]


def picture(draw, height, width, channels):
    noise = draw.randint(0, 256, (height, width, channels)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0)


def write(name, labels, channels=3, fmt=".png", quality=9, seed=0):
    draw = np.random.RandomState(seed)
    records = mx.recordio.MXIndexedRecordIO(name + ".idx", name + ".rec", "w")
    for number, label in enumerate(labels):
        header = mx.recordio.IRHeader(0, label, number, 0)
        image = picture(draw, *SIZES[number], channels)
        records.write_idx(number, mx.recordio.pack_img(header, image, quality=quality, img_fmt=fmt))
    records.close()


def write_sampled(name, image):
    records = mx.recordio.MXRecordIO("sampled.rec", "w")
    for number in range(400):
        header = mx.recordio.IRHeader(0, sampled_label(name, number), number, 0)
        records.write(mx.recordio.pack_img(header, image, quality=3, img_fmt=".png"))
    records.close()


def sample_all():
    found = {}
    for name, (picture_name, params) in SAMPLED.items():
        write_sampled(name, sampled_pictures()[picture_name])
        maker = mx.io.ImageDetRecordIter if name.startswith("det_") else mx.io.ImageRecordIter
        made = list(maker(path_imgrec="sampled.rec", verbose=False, **params))
        data, label = (np.concatenate([getattr(b, x)[0].asnumpy() for b in made]) for x in ("data", "label"))
        found[name] = features(data, label).astype(np.float32)
    np.savez_compressed("sampled.npz", **found)
    os.remove("sampled.rec")


def box_label(*boxes):
    return [2, 5, *[x for box in boxes for x in box]]


def write_all():
    write("small", [float(i) for i in range(7)])
    write("vector", [[i, i + 0.5, 9] for i in range(2)], seed=1)
    write("alpha", [0.0, 1.0], channels=4, seed=2)
    write("jpeg", [0.0, 1.0, 2.0], fmt=".jpg", quality=90, seed=3)
    many = [(1, 0.2, 0.2, 0.9, 0.8), (2, 0.5, 0.5, 0.7, 0.9)]
    boxes = [(0, 0.1, 0.1, 0.6, 0.6)], many, [(3, 0, 0, 1, 1)], [(4, 0.3, 0, 0.5, 0.25)]
    write("boxes", [box_label(*each) for each in boxes], seed=4)
    with open("small.lst", "w") as lines:
        lines.writelines(f"{i}\t{10 + i:f}\t{20.5 + i:f}\tx/{i}.png\n" for i in range(7))
    mean = np.random.RandomState(5).uniform(90, 160, (3, 16, 16)).astype(np.float32)
    mx.nd.save("mean.bin", {"mean_img": mx.nd.array(mean)})


def main():
    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)
    write_all()
    facts, arrays = {}, {}
    for name, (iterator, params, epochs) in CASES.items():
        made = getattr(mx.io, iterator)(verbose=False, **params)
        (data,), (label,) = made.provide_data, made.provide_label
        described = [data.name, list(data.shape), np.dtype(data.dtype).name], [label.name, list(label.shape)]
        facts[name] = {"data": described[0], "label": described[1], "epochs": []}
        for epoch in range(epochs):
            if epoch:
                made.reset()
            pads = []
            for at, batch in enumerate(made):
                pads.append(batch.pad)
                key = f"{name}/{epoch}/{at}"
                data = batch.data[0].asnumpy()
                arrays[key] = data.astype(np.uint8) if (data == data.astype(np.uint8)).all() else data
                arrays[key + "/label"] = batch.label[0].asnumpy()
            facts[name]["epochs"].append(pads)
        if params.get("mean_img") == "new.bin":
            arrays[name + "/mean"] = mx.nd.load("new.bin")["mean_img"].asnumpy()
            os.remove("new.bin")
    sample_all()
    np.savez_compressed("recorded.npz", **arrays)
    with open("recorded.json", "w") as file:
        json.dump({"source": "MXNet " + mx.__version__, "cases": facts}, file, indent=0)


if __name__ == "__main__":
    main()
