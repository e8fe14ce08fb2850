# SPDX-License-Identifier: Apache-2.0
"""``python -m mxlite`` is the command ``mxlite``."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
