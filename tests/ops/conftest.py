# SPDX-License-Identifier: Apache-2.0
"""MXNet has float64 and int64, so the operators are tested with them, as `import mxlite` turns them on."""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)
