# SPDX-License-Identifier: Apache-2.0
"""`mx.autograd`: record what is computed with arrays, and differentiate it."""

from __future__ import annotations

from .differentiate import backward as backward
from .differentiate import grad as grad
from .differentiate import mark_variables as mark_variables
from .function import Function as Function
from .scopes import is_recording as is_recording
from .scopes import is_training as is_training
from .scopes import pause as pause
from .scopes import predict_mode as predict_mode
from .scopes import record as record
from .scopes import set_recording as set_recording
from .scopes import set_training as set_training
from .scopes import train_mode as train_mode
from .symbols import get_symbol as get_symbol
