# SPDX-License-Identifier: Apache-2.0
"""The operator lists of mixed precision, by dtype."""

from __future__ import annotations

from . import symbol_bf16 as symbol_bf16
from . import symbol_fp16 as symbol_fp16
