# SPDX-License-Identifier: Apache-2.0
"""The examples that feed a network from files and from iterators of one's own, shortened."""

from __future__ import annotations

from pathlib import Path

import custom_iterator
import image_classification


def test_image_classification(tmp_path: Path) -> None:
    result = image_classification.main(["--epochs", "4", "--limit", "400", "--output", str(tmp_path)])
    assert result.tested == 80 and result.accuracy > 0.6
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 400
    assert (tmp_path / "digits_train.rec").exists() and (tmp_path / "digits_val.idx").exists()


def test_custom_iterator() -> None:
    result = custom_iterator.main(["--epochs", "4"])
    assert min(result) > 0.85
