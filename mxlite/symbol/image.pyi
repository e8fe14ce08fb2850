# SPDX-License-Identifier: Apache-2.0
# ruff: noqa
# Written by `make stubs` from the operator table; do not edit.
from collections.abc import Sequence
from typing import Any, Literal

from .symbol import Symbol as Symbol

