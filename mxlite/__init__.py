# SPDX-License-Identifier: Apache-2.0
"""mxlite: Apache MXNet 1.x programs, symbols and model files on JAX and XLA.

``import mxlite as mx``. Importing it switches JAX's 64-bit types on, because MXNet has float64 and int64;
``MXLITE_ENABLE_X64=0`` in the environment keeps them off.
"""

from __future__ import annotations

# First: it may join a job of several processes, which must happen before anything uses a device.
from . import distributed as distributed  # isort: skip
from . import attribute as attribute
from . import autograd as autograd
from . import base as base
from . import callback as callback
from . import context as context
from . import contrib as contrib
from . import deploy as deploy
from . import engine as engine
from . import environment as environment
from . import error as error
from . import executor as executor
from . import executor_manager as executor_manager
from . import image as image
from . import initializer as initializer
from . import io as io
from . import kvstore as kvstore
from . import libinfo as libinfo
from . import log as log
from . import lr_scheduler as lr_scheduler
from . import metric as metric
from . import model as model
from . import module as module
from . import monitor as monitor
from . import name as name
from . import ndarray as ndarray
from . import operator as operator
from . import optimizer as optimizer
from . import random as random
from . import recordio as recordio
from . import registry as registry
from . import rnn as rnn
from . import runtime as runtime
from . import symbol as symbol
from . import test_utils as test_utils
from . import util as util
from . import viz as viz

# MXNet's short names; an assignment would be no module to a type checker.
from . import image as img  # noqa: F401, isort: skip
from . import initializer as init  # noqa: F401, isort: skip
from . import kvstore as kv  # noqa: F401, isort: skip
from . import module as mod  # noqa: F401, isort: skip
from . import monitor as mon  # noqa: F401, isort: skip
from . import ndarray as nd  # isort: skip
from . import random as rnd  # noqa: F401, isort: skip
from . import symbol as sym  # noqa: F401, isort: skip
from . import viz as visualization  # noqa: F401, isort: skip
from .attribute import AttrScope as AttrScope
from .base import MXNetError as MXNetError
from .checkpoint import Checkpoint as _Checkpoint
from .context import Context as Context
from .context import cpu as cpu
from .context import cpu_pinned as cpu_pinned
from .context import current_context as current_context
from .context import gpu as gpu
from .context import num_gpus as num_gpus
from .context import tpu as tpu
from .executor_manager import DataParallelExecutorManager as _DataParallelExecutorManager
from .module.feed_forward import FeedForward as _FeedForward
from .serialize import params as _params
from .util import is_np_array as is_np_array
from .util import is_np_shape as is_np_shape
from .util import np_array as np_array
from .util import np_shape as np_shape
from .util import set_np_shape as set_np_shape
from .util import use_np as use_np
from .util import use_np_array as use_np_array
from .util import use_np_shape as use_np_shape

__version__ = "0.1.0"

# What stands above the arrays, or the checkpoints, and yet belongs to `mx.nd` and `mx.model`.
model.FeedForward = _FeedForward
model.DataParallelExecutorManager = _DataParallelExecutorManager
model.Checkpoint = _Checkpoint
nd.Custom = operator.custom
nd.save = nd.utils.save = _params.save
nd.load = nd.utils.load = _params.load
nd.load_frombuffer = nd.utils.load_frombuffer = _params.load_frombuffer
