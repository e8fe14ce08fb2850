# SPDX-License-Identifier: Apache-2.0
"""Metrics (`mx.metric`).

The metrics that come with mxlite count on the device, inside the training step where there is one, and wait for
nothing until `get` is called. Those from functions of numpy arrays wait for the outputs of every batch.
"""

from __future__ import annotations

from .base import DeviceMetric as DeviceMetric
from .base import EvalMetric as EvalMetric
from .base import MetricError as MetricError
from .base import MetricIndexError as MetricIndexError
from .base import alias as alias
from .base import check_label_shapes as check_label_shapes
from .base import on_device as on_device
from .base import register as register
from .classification import F1 as F1
from .classification import MCC as MCC
from .classification import Accuracy as Accuracy
from .classification import TopKAccuracy as TopKAccuracy
from .correlation import PCC as PCC
from .correlation import PearsonCorrelation as PearsonCorrelation
from .custom import CompositeEvalMetric as CompositeEvalMetric
from .custom import CustomMetric as CustomMetric
from .custom import create as create
from .custom import np as np
from .likelihood import CrossEntropy as CrossEntropy
from .likelihood import NegativeLogLikelihood as NegativeLogLikelihood
from .likelihood import Perplexity as Perplexity
from .regression import MAE as MAE
from .regression import MSE as MSE
from .regression import RMSE as RMSE
from .regression import Caffe as Caffe
from .regression import Loss as Loss
from .regression import Torch as Torch
