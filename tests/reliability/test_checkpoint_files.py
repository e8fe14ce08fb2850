# SPDX-License-Identifier: Apache-2.0
"""Which checkpoint is taken, which is left out, which is deleted, and what is said of one that does not fit."""

from __future__ import annotations

import errno
import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest

import mxlite as mx
from mxlite.checkpoint import record
from mxlite_compiler import _atomic
from tests.reliability.trainings import quietly, weights


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A training of three epochs."""
    quietly("plain", mx.model.Checkpoint(tmp_path / "net"), 3)
    return tmp_path / "net"


def network(hidden: int):
    scores = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=hidden, name="fc1")
    return mx.sym.SoftmaxOutput(scores, name="softmax")


def names(prefix: Path) -> list[str]:
    return sorted(p.name.removeprefix("net-") for p in prefix.parent.iterdir())


def test_keep_deletes_the_oldest(tmp_path: Path):
    quietly("plain", mx.model.Checkpoint(tmp_path / "net", keep=2), 4)
    assert mx.model.Checkpoint(tmp_path / "net").epochs() == [3, 4]
    endings = ("params", "resume.json", "states")
    assert names(tmp_path / "net") == [*(f"{e}.{x}" for e in ("0003", "0004") for x in endings), "symbol.json"]


def test_damaged_ones_do_not_count_as_kept(prefix: Path):
    """Else the one that is newly written would be deleted in favour of them."""
    for epoch in (2, 3):
        shorten(prefix.with_name(f"net-000{epoch}.params"))

    def stop(param):
        if param.epoch == 2:
            raise KeyboardInterrupt

    checkpoint = mx.model.Checkpoint(prefix, keep=1)
    with pytest.raises(KeyboardInterrupt):
        quietly("plain", checkpoint, 3, batch_end_callback=stop)
    assert checkpoint.newest() == 2
    assert checkpoint.epochs() == [2, 3]


def test_a_run_that_was_killed_before_it_deleted_is_caught_up_with(prefix: Path):
    quietly("plain", mx.model.Checkpoint(prefix, keep=2), 3)
    assert mx.model.Checkpoint(prefix).epochs() == [2, 3]
    assert not prefix.with_name("net-0001.params").exists()


def test_period(tmp_path: Path):
    quietly("plain", mx.model.Checkpoint(tmp_path / "net", period=2), 5)
    assert mx.model.Checkpoint(tmp_path / "net").epochs() == [2, 4]


@pytest.mark.parametrize("arguments", [{"period": 0}, {"keep": 0}, {"keep": -1}, {"period": None}, {"keep": "all"}])
def test_numbers_that_are_none(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"{name} must be a positive number, got {arguments[name]!r}"):
        mx.model.Checkpoint("net", **arguments)


def shorten(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:-1])
    return "bytes, written were"


def change(path: Path) -> str:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return "has other bytes than were written"


def remove(path: Path) -> str:
    path.unlink()
    return "is missing: No such file"


def change_record(path: Path) -> str:
    path = path.with_name(re.sub(r"\.\w+$", ".resume.json", path.name))
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    return "is damaged"


@pytest.mark.parametrize("ending", ["params", "states"])
@pytest.mark.parametrize("damage", [shorten, change, remove, change_record])
def test_a_damaged_checkpoint_is_left_out(prefix: Path, damage, ending: str, caplog):
    whole = weights(quietly("plain", None, 3))
    said = damage(prefix.with_name(f"net-0003.{ending}"))
    checkpoint = mx.model.Checkpoint(prefix)
    assert checkpoint.newest() == 2
    (line,) = caplog.messages
    assert line.startswith("Checkpoint of epoch 3 is left out: ")
    assert "net-0003" in line
    assert said in line
    assert weights(quietly("plain", checkpoint, 3)) == whole
    assert checkpoint.newest() == 3


def test_a_record_of_a_later_version_is_left_out(prefix: Path):
    path = prefix.with_name("net-0003.resume.json")
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(record.Incomplete, match="has format 2, this version reads 1"):
        record.read(str(path))
    assert mx.model.Checkpoint(prefix).newest() == 2


def test_none_is_complete(tmp_path: Path):
    assert mx.model.Checkpoint(tmp_path / "net").newest() is None
    assert mx.model.Checkpoint(tmp_path / "nowhere" / "net").newest() is None


def test_begin_anew(prefix: Path):
    """With resume=False nothing of the old training is gone on with, by a later run neither."""
    stopped = mx.model.Checkpoint(prefix, resume=False)

    def stop(param):
        if param.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quietly("plain", stopped, 3, batch_end_callback=stop)
    assert mx.model.Checkpoint(prefix).epochs() == [1]
    assert prefix.with_name("net-0003.params").exists()


def test_an_older_checkpoint_than_begin_epoch_is_not_taken(prefix: Path, caplog):
    train = mx.io.NDArrayIter(np.ones((8, 6)), np.zeros(8), 8)
    made = mx.mod.Module(network(3))
    with caplog.at_level(logging.INFO):
        made.fit(train, begin_epoch=4, num_epoch=5, checkpoint=mx.model.Checkpoint(prefix))
    assert not any("Resumed" in m for m in caplog.messages)


def test_temporary_files_of_killed_runs_are_deleted_others_are_not(prefix: Path):
    ours = [
        ".net-0002.params.a_1.tmp",
        ".net-symbol.json.x.tmp",
        ".net-0002.resume.json.q.tmp",
        ".net-0002.0.states.t.tmp",
    ]
    others = [".network-0002.params.abc.tmp", ".net-0002.params", "net-0002.tmp", ".net-0002.params.abc.tmp.bak"]
    for name in [*ours, *others]:
        prefix.with_name(name).write_text("x")
    quietly("plain", mx.model.Checkpoint(prefix), 3)
    left = {p.name for p in prefix.parent.iterdir()}
    assert not left & set(ours)
    assert left >= set(others)


MISFITS = {
    "another optimizer": ({"optimizer": "adam"}, "it was trained with the optimizer Nadam, this one is Adam"),
    "another constant": (
        {"optimizer_params": {"beta1": 0.5}},
        r"it was trained with Nadam\(beta1=0.9\), this one has 0.5",
    ),
}


@pytest.mark.parametrize("options, said", MISFITS.values(), ids=MISFITS)
def test_another_optimizer_is_refused(prefix: Path, options, said: str):
    before = {p.name: p.read_bytes() for p in prefix.parent.iterdir()}
    with pytest.raises(mx.MXNetError, match=said) as caught:
        quietly("plain", mx.model.Checkpoint(prefix), 4, **options)
    assert "net-0003.resume.json" in str(caught.value)
    assert "resume=False) begins anew" in str(caught.value)
    assert before == {p.name: p.read_bytes() for p in prefix.parent.iterdir()}


@pytest.mark.parametrize(
    "rows, size, hidden, said",
    [
        (24, 16, 3, "train_data had batches of 8 rows, this one has 16"),
        (25, 8, 3, "the state is one of 24 rows, this NDArrayIter has 25"),
        (24, 8, 4, r"parameter fc1_bias has shape \(3,\), the module needs \(4,\)"),
    ],
)
def test_other_data_or_another_network_is_refused(prefix: Path, rows: int, size: int, hidden: int, said: str):
    train = mx.io.NDArrayIter(np.ones((rows, 6)), np.zeros(rows), size)
    with pytest.raises(mx.MXNetError, match=said):
        mx.mod.Module(network(hidden)).fit(
            train, num_epoch=4, optimizer="nadam", checkpoint=mx.model.Checkpoint(prefix)
        )


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """From the `after`-th file on, there is no space for half of the bytes."""

    class Full(type(os)):
        written = 0

        def __getattr__(self, name):
            return getattr(os, name)

        def fsync(self, descriptor):
            Full.written += 1
            if Full.written > after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)

    monkeypatch.setattr(_atomic, "os", Full("os"))


@pytest.mark.parametrize(
    "file, name", [(0, "symbol.json"), (1, "0003.params"), (2, "0003.states"), (3, "0003.resume.json")]
)
def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path, monkeypatch, file: int, name: str):
    quietly("plain", mx.model.Checkpoint(tmp_path / "net"), 2)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    whole = weights(quietly("plain", None, 3))
    # Four files an epoch, each with its folder.
    full_disk(monkeypatch, 2 * file)
    made = []

    def keep(epoch, symbol, args, aux):
        made.append({n: x.asnumpy().tobytes() for n, x in {**args, **aux}.items()})

    with pytest.raises(mx.MXNetError, match=rf"cannot write '.*/net-{name}': No space left on device"):
        quietly("plain", mx.model.Checkpoint(tmp_path / "net"), 3, epoch_end_callback=keep)
    assert made == [whole]
    after = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert {n: after[n] for n in before} == before
    assert not [n for n in after if n.endswith(".tmp")]
    assert mx.model.Checkpoint(tmp_path / "net").newest() == 2
    monkeypatch.undo()
    assert weights(quietly("plain", mx.model.Checkpoint(tmp_path / "net"), 3)) == whole


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(mx.MXNetError, match=r"cannot write '.*nowhere/net-symbol.json': No such file or directory"):
        quietly("plain", mx.model.Checkpoint(tmp_path / "nowhere" / "net"), 1)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_folder_that_may_not_be_written_is_told(prefix: Path):
    made = quietly("plain", mx.model.Checkpoint(prefix), 3)
    me, nobody = os.geteuid(), 65534
    prefix.parent.chmod(0o555)
    if me == 0:  # may write everywhere
        os.seteuid(nobody)
    try:
        with pytest.raises(mx.MXNetError, match=r"cannot write '.*net-symbol.json': Permission denied"):
            mx.model.Checkpoint(prefix).save(made, 4)
    finally:
        os.seteuid(me)
        prefix.parent.chmod(0o755)
    assert mx.model.Checkpoint(prefix).newest() == 3
