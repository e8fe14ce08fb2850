# SPDX-License-Identifier: Apache-2.0
"""Graph to graph: one file a pass."""

from __future__ import annotations

from .loss_scaling import scale_losses as scale_losses
from .mixed_precision import OpLists as OpLists
from .mixed_precision import mixed_precision as mixed_precision
