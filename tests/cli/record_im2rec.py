# SPDX-License-Identifier: Apache-2.0
"""Records what tools/im2rec.py of MXNet 1.9.1 writes, into `tests/golden/io/im2rec/`.

`python tests/cli/record_im2rec.py`, with a Python that has MXNet 1.9.1, numpy and opencv.
"""

import os
import shutil
import subprocess
import sys

import cv2
import mxnet.test_utils  # pyright: ignore[reportMissingImports]
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from im2rec_cases import LISTS, PICTURES, RECORDS, list_for  # noqa: E402

FOLDER = os.path.join(HERE, "..", "golden", "io", "im2rec")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    draw = np.random.RandomState(1)
    for number, path in enumerate(PICTURES):
        target = os.path.join(FOLDER, "tree", path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        noise = draw.randint(0, 256, (20 + 3 * number, 30 - 2 * number, 3)).astype(np.uint8)
        _, data = cv2.imencode(".png" if "png" in path else ".jpg", cv2.GaussianBlur(noise, (5, 5), 0))
        with open(target, "wb") as file:
            file.write(data.tobytes())
    os.chdir(FOLDER)
    tool = [sys.executable, mxnet.test_utils.get_im2rec_path()]
    for prefix, options in LISTS.items():
        subprocess.run([*tool, prefix, "tree", "--list", *options], check=True)
    with open("plain.lst") as file:
        plain = file.read()
    for prefix, options in RECORDS.items():
        with open(prefix + ".lst", "w") as file:
            file.write(list_for(prefix, plain))
        subprocess.run([*tool, prefix, "tree", *options], check=True)
        os.remove(prefix + ".lst")


if __name__ == "__main__":
    main()
