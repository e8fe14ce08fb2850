# SPDX-License-Identifier: Apache-2.0
"""`mx.error`: the classes of exceptions by name, and the registration of further ones."""

from __future__ import annotations

from .base import InternalError as InternalError
from .base import MXNetError as MXNetError
from .base import register_error as register_error

register = register_error
