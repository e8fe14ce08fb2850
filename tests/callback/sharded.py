# SPDX-License-Identifier: Apache-2.0
"""A process with four devices for test_folders.py: writes arrays that are spread over them, and is killed."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

import mxlite as mx
from mxlite.serialize import sharded

ROWS = 1 << 20


def main(folder: Path) -> None:
    mesh = jax.make_mesh((4,), ("x",))
    spread = jax.device_put(jnp.arange(32.0).reshape(8, 4), NamedSharding(mesh, PartitionSpec("x")))
    save = mx.callback.do_checkpoint(str(folder / "spread"), backend="orbax")
    save(0, None, {"w": mx.nd.from_jax(spread), "b": mx.nd.ones(3)}, {})
    save.wait()  # type: ignore[attr-defined]
    args, _ = mx.model.load_params(str(folder / "spread"), 1, backend="orbax")
    same = np.array_equal(args["w"].asnumpy(), np.asarray(spread))
    print(json.dumps({"devices": len(spread.sharding.device_set), "same": bool(same)}), flush=True)

    # The same folder again and again, until somebody kills: it is whole at every moment.
    writer = sharded.Writer()
    for round_ in range(3):
        writer.save(folder / "killed-0001.orbax", {str(i): jnp.full(ROWS, round_, "float32") for i in range(8)})
        if round_ == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        writer.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
