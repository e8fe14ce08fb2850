# SPDX-License-Identifier: Apache-2.0
"""A checkpoint becomes one file that runs with jax alone, in a process where importing mxlite is an error.

    python examples/train_digits.py --epochs 20
    python examples/export_and_serve.py build/digits/lenet 20

Without arguments it makes a small checkpoint of its own first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import digits
import mxlite as mx
import networks

SHAPE = ("batch", 1, 28, 28)  # a size that has a name stays open
# What the serving process runs first: from here on nobody can import mxlite or its compiler.
FORBID = """
import runpy, sys
class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mxlite", "mxlite_compiler"):
            raise ImportError(name + " must not be imported here")
sys.meta_path.insert(0, Forbid())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def predict(prefix: str, epoch: int, images: np.ndarray) -> np.ndarray:
    """What the Module says about `images`: (N, classes)."""
    module = mx.mod.Module.load(prefix, epoch)
    module.bind([("data", images.shape)], [("softmax_label", images.shape[:1])], for_training=False)
    return module.predict(mx.io.NDArrayIter(images, batch_size=len(images))).asnumpy()


def export(prefix: str, epoch: int, path: Path) -> str:
    """Write the checkpoint as an exported network and return its description."""
    artefact = mx.deploy.export_checkpoint(prefix, epoch, {"data": SHAPE})
    artefact.save(path)
    return artefact.describe()


def serve(path: Path, images: np.ndarray) -> tuple[np.ndarray, str]:
    """Run the exported network in a process without mxlite: its output, and what that process printed."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder, "inputs.npz"), Path(folder, "outputs.npz")
        np.savez(inputs, data=images)
        script = Path(__file__).with_name("serve.py")
        command = [sys.executable, "-c", FORBID, str(script), str(path), str(inputs), str(outputs)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the serving process failed:\n{done.stderr}")
        with np.load(outputs) as arrays:
            return arrays["softmax_output"], done.stdout


def untrained(folder: Path) -> tuple[str, int]:
    """A checkpoint of LeNet with random weights."""
    module = mx.mod.Module(networks.lenet())
    module.bind([("data", (1, *SHAPE[1:]))], [("softmax_label", (1,))])
    module.init_params(mx.init.Xavier())
    module.save_checkpoint(str(folder / "lenet"), 0)
    return str(folder / "lenet"), 0


def main(argv: list[str] | None = None) -> float:
    """Export, serve, compare; returns the largest difference."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("prefix", nargs="?", help="of a checkpoint that train_digits.py wrote")
    p.add_argument("epoch", nargs="?", type=int, default=0)
    args = p.parse_args(argv)
    images = digits.load().test_images[:100]
    with tempfile.TemporaryDirectory() as folder:
        prefix, epoch = (args.prefix, args.epoch) if args.prefix else untrained(Path(folder))
        path = Path(f"{prefix}.mxhlo")
        print(export(prefix, epoch, path))
        served, said = serve(path, images)
        print(f"--- the other process, {path.stat().st_size} bytes read\n{said}---")
        difference = float(np.abs(served - predict(prefix, epoch, images)).max())
    print(f"largest difference between the Module and the file without mxlite: {difference:.2e}")
    return difference


if __name__ == "__main__":
    if main() > 1e-5:
        sys.exit("the outputs differ")
