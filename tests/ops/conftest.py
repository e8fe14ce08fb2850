# SPDX-License-Identifier: Apache-2.0
"""MXNet has float64 and int64, so the operators are tested with them, as `import mxlite` turns them on."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture(scope="module")
def quick_compile() -> Iterator[None]:
    """Programs that run once or twice need no optimising."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
