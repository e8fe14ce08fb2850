# SPDX-License-Identifier: Apache-2.0
"""Reading `.npz` files whole: an open one is a warning, hence a failure, of whatever test runs when it is collected."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file, by name."""
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}
