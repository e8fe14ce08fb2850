# SPDX-License-Identifier: Apache-2.0
"""`mx.random`: the seed, and the functions of `mx.nd.random`."""

from __future__ import annotations

from ._rng import draw_key as draw_key
from ._rng import seed as seed
from .ndarray.random import exponential as exponential
from .ndarray.random import gamma as gamma
from .ndarray.random import generalized_negative_binomial as generalized_negative_binomial
from .ndarray.random import multinomial as multinomial
from .ndarray.random import negative_binomial as negative_binomial
from .ndarray.random import normal as normal
from .ndarray.random import poisson as poisson
from .ndarray.random import randint as randint
from .ndarray.random import randn as randn
from .ndarray.random import shuffle as shuffle
from .ndarray.random import uniform as uniform
