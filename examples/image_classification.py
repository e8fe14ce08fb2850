# SPDX-License-Identifier: Apache-2.0
"""From pictures on disk to a trained network: folders of files, `mxlite im2rec`, `ImageRecordIter`, `Module.fit`.

    python examples/image_classification.py --output build/pictures

The pictures are real handwritten digits, scaled up to 32 x 32 and written as PNG files into one folder a digit. The
training pictures are cropped anywhere, turned and made brighter or darker as they are read, anew in every epoch.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from sklearn.datasets import load_digits

import mxlite as mx
from mxlite.cli import main as mxlite_command
from networks import lenet

SIZE = 28


class Result(NamedTuple):
    """Accuracy on the pictures that were not trained on, and how many these are."""

    accuracy: float
    tested: int


def write_pictures(folder: Path, limit: int | None) -> None:
    """The digits as 32 x 32 PNG files, one folder each."""
    scans: Any = load_digits()
    for number, (scan, digit) in enumerate(zip(scans.images[:limit], scans.target, strict=False)):
        picture = cv2.resize((scan * 255 / 16).astype(np.uint8), (32, 32), interpolation=cv2.INTER_CUBIC)
        target = folder / str(digit)
        target.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target / f"{number:04}.png"), picture)


def pack(folder: Path, prefix: Path) -> None:
    """What one types: two lists, 80 % to train with, and their files of records."""
    for options in (["--list", "--recursive", "--train-ratio", "0.8"], ["--pass-through", "--num-thread", "1"]):
        words = ["im2rec", str(prefix), str(folder), *options]
        print("mxlite", *words)
        if mxlite_command(words):
            raise SystemExit("packing the pictures has failed")


def iterators(prefix: Path, batch_size: int, threads: int) -> tuple[mx.io.MXDataIter, mx.io.MXDataIter]:
    """Training batches with random changes, and test batches without."""
    shared = {
        "data_shape": (1, SIZE, SIZE),
        "batch_size": batch_size,
        "preprocess_threads": threads,
        "scale": 1 / 255,
    }
    train = mx.io.ImageRecordIter(
        path_imgrec=f"{prefix}_train.rec",
        path_imgidx=f"{prefix}_train.idx",
        shuffle=True,
        rand_crop=True,
        max_rotate_angle=10,
        min_random_scale=0.9,
        max_random_scale=1.1,
        fill_value=0,
        max_random_contrast=0.2,
        **shared,
    )
    return train, mx.io.ImageRecordIter(path_imgrec=f"{prefix}_val.rec", **shared)


def right(module: mx.mod.Module, test: mx.io.MXDataIter) -> np.ndarray:
    """Which of the pictures were recognised; those that only fill up a batch are left out."""
    hits = []
    for (chances,), _, batch in module.iter_predict(test):
        labels = batch.label[0].asnumpy()[: len(chances)]
        hits.append(chances.asnumpy().argmax(axis=1) == labels)
    return np.concatenate(hits)


def main(argv: list[str] | None = None) -> Result:
    """Write, pack, train, test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--limit", type=int, metavar="N", help="use only the first N pictures")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2, help="that decode pictures")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="for the pictures and records; by default none")
    args = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        write_pictures(folder / "pictures", args.limit)
        pack(folder / "pictures", folder / "digits")
        train, test = iterators(folder / "digits", args.batch_size, args.threads)
        mx.random.seed(0)
        module = mx.mod.Module(lenet())
        module.fit(
            train,
            eval_data=test,
            num_epoch=args.epochs,
            optimizer="adam",
            optimizer_params={"learning_rate": 0.002},
            initializer=mx.init.Xavier(),
            batch_end_callback=mx.callback.Speedometer(args.batch_size, 20),
        )
        # The iterator goes on behind the pictures that filled up its last batch; one that is new has each once.
        hits = right(module, iterators(folder / "digits", args.batch_size, args.threads)[1])
    print(f"accuracy on {len(hits)} pictures that were not trained on: {hits.mean():.4f}")
    return Result(float(hits.mean()), len(hits))


if __name__ == "__main__":
    main()
