# SPDX-License-Identifier: Apache-2.0
"""From a folder of pictures to batches: the script that `get_im2rec_path` names, and `ImageIter` on what it wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mxlite as mx
from mxlite import cli
from mxlite.recordio.pictures import encode


def test_from_a_folder_to_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number, kind in enumerate(("cats", "dogs")):
        (tmp_path / "all" / kind).mkdir(parents=True)
        for i in range(3):
            picture = np.full((6, 8, 3), 100 * number + 10 * i, np.uint8)
            (tmp_path / "all" / kind / f"{i}.png").write_bytes(encode(picture, 3, ".png"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["im2rec", "--list", "--recursive", "pets", "all"]) == 0
    script = [sys.executable, mx.test_utils.get_im2rec_path(), "--pass-through", "--num-thread", "1", "pets", "all"]
    subprocess.run(script, check=True, capture_output=True, timeout=300)
    paths: dict[str, Any] = {"path_imgrec": str(tmp_path / "pets.rec"), "path_imgidx": str(tmp_path / "pets.idx")}
    it = mx.image.ImageIter(6, (3, 6, 8), **paths)
    batch = it.next()
    found = {
        (int(k), int(x)) for k, x in zip(batch.label[0].asnumpy(), batch.data[0].asnumpy()[:, 0, 0, 0], strict=True)
    }
    assert found == {(number, 100 * number + 10 * i) for number in range(2) for i in range(3)}
