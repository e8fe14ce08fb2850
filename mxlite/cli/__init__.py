# SPDX-License-Identifier: Apache-2.0
"""The command ``mxlite``: look at a network, export it, run an exported one, examine the installation."""

from __future__ import annotations

from .main import main as main
