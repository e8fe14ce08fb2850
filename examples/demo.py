# SPDX-License-Identifier: Apache-2.0
"""The whole line once: train LeNet on real digits, save, draw, reload, score, export, serve without mxlite.

    python examples/demo.py --output build/demo

It ends with an error unless the test accuracy is over 98 %, the reloaded checkpoint scores the same number, and the
exported file gives the same outputs in a process that cannot import mxlite.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import digits
import export_and_serve
import mxlite as mx
import train_digits

GOAL = 0.98
# The same program compiled twice, for other batch sizes: rounding differs in the last digits.
TOLERANCE = 1e-5


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--output", type=Path, default=Path("build/demo"))
    p.add_argument("--epochs", type=int, default=20)
    args = p.parse_args(argv)
    start = time.perf_counter()

    data = digits.load()
    print(f"1. LeNet on {len(data.train_images)} handwritten digits, tested on {len(data.test_images)} others")
    options = ["--network", "lenet", "--epochs", str(args.epochs), "--output", str(args.output)]
    trained = train_digits.train(train_digits.parser().parse_args(options), data)
    prefix, epoch = str(trained.prefix), args.epochs

    print("2. the picture of the network")
    picture = mx.viz.plot_network(
        trained.module.symbol, title="lenet", save_format="svg", shape={"data": (1, 1, 28, 28)}
    ).render(filename="lenet-network", directory=str(args.output), cleanup=True)

    print("3. the checkpoint again, from its files")
    reloaded = mx.mod.Module.load(prefix, epoch)
    batches = train_digits.test_batches(data)
    reloaded.bind(batches.provide_data, batches.provide_label, for_training=False)
    again = dict(reloaded.score(batches, "acc"))["accuracy"]

    print("4. exported, and run in a process that cannot import mxlite")
    exported = Path(f"{prefix}.mxhlo")
    export_and_serve.export(prefix, epoch, exported)
    served, _ = export_and_serve.serve(exported, data.test_images)
    batches.reset()
    difference = float(np.abs(served - reloaded.predict(batches).asnumpy()).max())
    served_accuracy = float((served.argmax(axis=1) == data.test_labels).mean())

    checks = {
        f"test accuracy {trained.accuracy:.4f}, goal over {GOAL}": trained.accuracy > GOAL,
        f"reloaded checkpoint {again:.4f}, the same": again == trained.accuracy,
        f"exported file without mxlite {served_accuracy:.4f}, outputs within {difference:.1e}": (
            served_accuracy == trained.accuracy and difference <= TOLERANCE
        ),
    }
    print(f"\ntraining took {trained.seconds:.1f} s, everything {time.perf_counter() - start:.1f} s")
    for line, passed in checks.items():
        print(f"{'ok    ' if passed else 'FAILED'}  {line}")
    for path in (trained.curve, picture, f"{prefix}-symbol.json", f"{prefix}-{epoch:04d}.params", exported):
        print(f"wrote   {path}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
