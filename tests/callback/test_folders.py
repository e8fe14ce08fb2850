# SPDX-License-Identifier: Apache-2.0
"""Checkpoints in folders of orbax: what comes back, errors of the background, several devices, kills."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite.serialize import sharded

pytest.importorskip("orbax.checkpoint")

HERE = Path(__file__).resolve().parent
X = np.random.default_rng(0).normal(size=(32, 6)).astype("f4")
Y = X[:, :3].argmax(1).astype("f4")


def module() -> Any:
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    return mx.mod.Module(mx.sym.SoftmaxOutput(mx.sym.BatchNorm(fc, name="bn"), name="softmax"))


def fit(made: Any, epochs: int, begin: int = 0, **keywords: Any) -> None:
    made.fit(mx.io.NDArrayIter(X, Y, 8), num_epoch=epochs, begin_epoch=begin, optimizer="adam", **keywords)


def test_a_training_goes_on_from_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    prefix, made = str(tmp_path / "net"), module()
    save = mx.callback.module_checkpoint(made, prefix, 2, save_optimizer_states=True, backend="orbax")
    plain = mx.callback.do_checkpoint(prefix, backend="orbax")
    with caplog.at_level("INFO"):
        fit(made, 2, epoch_end_callback=lambda *args: (plain(*args), save(*args)))
    for callback in (save, plain):
        callback.wait()  # type: ignore[attr-defined]
    assert f'Saving checkpoint to "{prefix}-0001.orbax"' in caplog.messages
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net-0001.orbax", "net-0002.orbax", "net-symbol.json"]
    symbol, args, aux = mx.model.load_checkpoint(prefix, 2, backend="orbax")
    assert symbol.tojson() == made.symbol.tojson()
    for found, held in zip((args, aux), made.get_params(), strict=True):
        assert found.keys() == held.keys()
        for name, value in held.items():
            np.testing.assert_array_equal(found[name].asnumpy(), value.asnumpy())
    again: Any = mx.mod.Module.load(prefix, 2, load_optimizer_states=True, backend="orbax")
    again.bind([("data", (8, 6))], [("softmax_label", (8,))])
    again.init_optimizer(optimizer="adam")
    for i, state in made._updates.states().items():
        for one, two in zip(state, again._updates.states()[i], strict=True):
            np.testing.assert_array_equal(one.asnumpy(), two.asnumpy())
    with pytest.raises(mx.MXNetError, match=r"net-0001.orbax' has no optimizer states; .*save_optimizer_states=True"):
        again.load_optimizer_states(f"{prefix}-0001.orbax")


def test_every_dtype_and_name_and_a_folder_that_is_there(tmp_path: Path) -> None:
    writer, path = sharded.Writer(), tmp_path / "a-0001.orbax"
    names = ["arg:a/b", "arg:ü", "state:0", "dotted.name"]
    for number in (1, 2):
        dtypes = ("float32", "bfloat16", "float16", "int32")
        arrays = {n: mx.nd.array([[number]], dtype=d) for n, d in zip(names, dtypes, strict=True)}
        writer.save(path, arrays, {"number": number})
        arrays["arg:a/b"][:] = 77  # it has been read already
        writer.wait()
        found, notes = sharded.load(path)
        assert notes == {"number": number} and list(found) == names
        assert [np.dtype(found[n].dtype).name for n in names] == list(dtypes)
        assert [found[n].astype("float32").asscalar() for n in names] == [number] * 4
    assert [p.name for p in tmp_path.iterdir()] == ["a-0001.orbax"]


def test_an_error_in_the_background_is_told_at_the_next_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save: Any = mx.callback.do_checkpoint(str(tmp_path / "net"), backend="orbax")
    arrays = {"w": mx.nd.ones(3)}

    real = save._writer._writer.wait_until_finished

    def full() -> None:
        if threading.current_thread() is not threading.main_thread():
            raise OSError(28, "No space left on device")
        real()

    for last in (lambda: save(1, None, arrays, {}), save.wait):
        with monkeypatch.context() as patch:
            patch.setattr(save._writer._writer, "wait_until_finished", full)
            save(0, None, arrays, {})
            save._writer._thread.join()
        with pytest.raises(mx.MXNetError, match=r"cannot write '.*net-0001.orbax': .*No space left on device"):
            last()
    save.wait()  # told once
    save(2, None, arrays, {})
    save.wait()
    assert mx.model.load_params(str(tmp_path / "net"), 3, backend="orbax")[0]["w"].shape == (3,)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="backend must be one of params, orbax, got 'orbx'"):
        mx.callback.do_checkpoint("net", backend="orbx")
    with pytest.raises(ValueError, match="backend must be one of params, orbax, got 'pickle'"):
        mx.callback.module_checkpoint(None, "net", backend="pickle")
    with pytest.raises(ValueError, match="backend must be params or orbax, got 'x'"):
        mx.model.load_params("net", 1, backend="x")
    with pytest.raises(mx.MXNetError, match=r"cannot open '.*net-0003.orbax': no such folder"):
        mx.model.load_params(str(tmp_path / "net"), 3, backend="orbax")
    with pytest.raises(mx.MXNetError, match=r"cannot write '.*': there is no folder '.*absent'"):
        mx.callback.do_checkpoint(str(tmp_path / "absent" / "net"), backend="orbax")(0, None, {}, {})
    (tmp_path / "net-0004.orbax").mkdir()
    with pytest.raises(mx.MXNetError, match=r"cannot read '.*net-0004.orbax': it is damaged, or no folder of arrays"):
        mx.model.load_params(str(tmp_path / "net"), 4, backend="orbax")
    writer = sharded.Writer()
    writer.save(tmp_path / "net-0005.orbax", {"arg:w": mx.nd.ones(300)})
    writer.wait()
    shutil.rmtree(tmp_path / "net-0005.orbax" / "arrays")
    with pytest.raises(mx.MXNetError, match="it is damaged"):
        mx.model.load_params(str(tmp_path / "net"), 5, backend="orbax")


def test_without_orbax(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("orbax", "orbax.checkpoint"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"orbax-checkpoint: pip install 'mxlite\[orbax\]'"):
        mx.callback.do_checkpoint("net", backend="orbax")


def test_arrays_on_four_devices_and_a_kill_while_a_folder_is_replaced(tmp_path: Path) -> None:
    roots = os.pathsep.join([str(HERE.parent.parent), str(HERE.parent.parent / "compiler")])
    done = subprocess.run(
        [sys.executable, str(HERE / "sharded.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": roots, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "4"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == -9, done.stderr[-2000:]
    assert json.loads(done.stdout) == {"devices": 4, "same": True}
    found, _ = sharded.load(tmp_path / "killed-0001.orbax")
    values = {float(x) for array in found.values() for x in np.unique(array.asnumpy())}
    assert len(found) == 8 and values in ({0.0}, {1.0})
    writer = sharded.Writer()  # what the killed one left is in nobody's way
    writer.save(tmp_path / "killed-0001.orbax", {"x": mx.nd.ones(2)})
    writer.wait()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed-0001.orbax", "spread-0001.orbax"]
