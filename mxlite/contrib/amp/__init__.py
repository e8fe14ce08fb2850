# SPDX-License-Identifier: Apache-2.0
"""Automatic mixed precision (`mx.contrib.amp`): most of a network in float16 or bfloat16, weights in float32.

`init` before modules are made, or `convert_module`, trains so; `convert_symbol` and `convert_model` convert networks.
"""

from __future__ import annotations

from ...optimizer.loss_scaling import LossScale as LossScale
from . import amp as amp
from . import lists as lists
from . import loss_scaler as loss_scaler
from .amp import AmpError as AmpError
from .amp import convert_model as convert_model
from .amp import convert_module as convert_module
from .amp import convert_symbol as convert_symbol
from .amp import init as init
from .amp import init_trainer as init_trainer
from .amp import list_conditional_fp32_ops as list_conditional_fp32_ops
from .amp import list_fp32_ops as list_fp32_ops
from .amp import list_loss_output_functions as list_loss_output_functions
from .amp import list_lp16_fp32_ops as list_lp16_fp32_ops
from .amp import list_lp16_ops as list_lp16_ops
from .amp import list_lp16_use_fp32_params as list_lp16_use_fp32_params
from .amp import list_widest_type_cast as list_widest_type_cast
from .amp import reset as reset
from .amp import scale_loss as scale_loss
from .amp import unscale as unscale
