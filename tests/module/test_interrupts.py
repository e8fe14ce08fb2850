# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C at any moment of a training leaves a module that goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, threading, time, warnings
import numpy as np
import mxlite as mx

warnings.simplefilter("ignore")
hidden = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=256, name="fc1")
net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.BatchNorm(hidden), num_hidden=3, name="fc2"), name="softmax")
batches = mx.io.NDArrayIter(np.random.rand(1000, 64), np.zeros(1000), 100)
module = mx.mod.Module(net)
module.fit(batches, num_epoch=1, optimizer="adam")

def looking():
    for _ in range(10000):
        batches.reset()
        for batch in batches:
            module.forward_backward(batch)
            module.get_outputs()
            module.update()

def not_looking():
    batches.reset()  # where it was stopped may be its end
    module.fit(batches, num_epoch=10000, optimizer="adam")

for i in range(8):
    after = 0.003 + 0.0025 * i
    killer = threading.Thread(target=lambda: (time.sleep(after), os.kill(os.getpid(), signal.SIGINT)))
    try:
        killer.start()
        (looking if i % 2 else not_looking)()
    except KeyboardInterrupt:
        killer.join()
    weight = module.get_params()[0]["fc2_weight"].asnumpy()
    assert np.isfinite(weight).all()
    module.score(batches, "acc")
    module.save_optimizer_states("states")
    module.forward_backward(next(iter(mx.io.NDArrayIter(np.ones((100, 64)), np.zeros(100), 100))))
    module.update()
    assert (module.get_params()[0]["fc2_weight"].asnumpy() != weight).any()
print("went on 8 times")
"""


def test_a_module_goes_on_after_ctrl_c(tmp_path: Path):
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), str(root / "compiler"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert "went on 8 times" in done.stdout, done.stderr[-2000:]
