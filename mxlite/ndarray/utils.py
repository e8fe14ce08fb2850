# SPDX-License-Identifier: Apache-2.0
"""`mx.nd.utils`: arrays of any storage from nothing and from Python. Its `save` and `load` are `mx.nd`'s."""

from __future__ import annotations

from typing import Any

from .storages import array as array
from .storages import empty as empty
from .storages import zeros as zeros

#: Set where files are known.
save: Any
load: Any
load_frombuffer: Any
