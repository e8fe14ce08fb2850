# SPDX-License-Identifier: Apache-2.0
"""Optimizers (`mx.optimizer`): MXNet's update rules, step by step equal in numbers, as optax chains."""

from __future__ import annotations

from . import contrib as contrib
from . import optimizer as optimizer
from .adam import FTML as FTML
from .adam import Adam as Adam
from .adam import Adamax as Adamax
from .adam import Nadam as Nadam
from .adaptive import AdaDelta as AdaDelta
from .adaptive import AdaGrad as AdaGrad
from .adaptive import Ftrl as Ftrl
from .adaptive import RMSProp as RMSProp
from .base import Optimizer as Optimizer
from .base import create as create
from .base import register as register
from .from_optax import Optax as Optax
from .layerwise import LAMB as LAMB
from .layerwise import LARS as LARS
from .lbsgd import LBSGD as LBSGD
from .others import DCASGD as DCASGD
from .others import SGLD as SGLD
from .others import Test as Test
from .sgd import NAG as NAG
from .sgd import SGD as SGD
from .sgd import Signum as Signum
from .sgd import ccSGD as ccSGD
from .updater import Updater as Updater
from .updater import get_updater as get_updater
