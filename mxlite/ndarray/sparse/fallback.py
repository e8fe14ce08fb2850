# SPDX-License-Identifier: Apache-2.0
"""Storage fallback: an operator without a sparse form computes on dense copies, and says so once.

``MXNET_STORAGE_FALLBACK_LOG_VERBOSE=0`` in the environment keeps it quiet.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

_logger = logging.getLogger("mxlite.storage")

#: What has been told; `told.clear()` starts anew.
told: set[tuple[str, tuple[str, ...]]] = set()


def log(op: str, inputs: Sequence[str], output: str) -> None:
    """Tell that `op` makes dense copies of its inputs, whose storages are `inputs`, for an output in `output`."""
    key = op, tuple(inputs)
    if key in told or os.environ.get("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "1") == "0":
        return
    told.add(key)
    _logger.warning(
        "storage fallback: %s of storages [%s] gives [%s] by way of dense copies. The result is right, and takes the "
        "memory of dense arrays. MXNET_STORAGE_FALLBACK_LOG_VERBOSE=0 silences this.", op, ", ".join(inputs), output,
    )  # fmt: skip
