# SPDX-License-Identifier: Apache-2.0
"""Checkpoints from which a training goes on as if it had never been interrupted: `Checkpoint`."""

from __future__ import annotations

from .checkpoint import Checkpoint as Checkpoint
