# SPDX-License-Identifier: Apache-2.0
"""Training and inference by the batch (`mx.mod`)."""

from .base_module import BaseModule as BaseModule
from .module import Module as Module
