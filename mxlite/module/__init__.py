# SPDX-License-Identifier: Apache-2.0
"""Training and inference by the batch (`mx.mod`)."""

from . import executor_group as executor_group
from .base_module import BaseModule as BaseModule
from .bucketing_module import BucketingModule as BucketingModule
from .module import Module as Module
from .python_module import PythonLossModule as PythonLossModule
from .python_module import PythonModule as PythonModule
from .sequential_module import SequentialModule as SequentialModule
