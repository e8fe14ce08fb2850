# SPDX-License-Identifier: Apache-2.0
"""`Module.fit` on a case. Plain MXNet code: mxlite runs it, and so does the real MXNet in `oracle_worker.py`."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any

import numpy as np

import mxlite as mx
import networks
from cases import Case, arrays, optimizer_params


def make_network(name: str) -> mx.sym.Symbol:
    """The Symbol of a case."""
    return networks.get_symbol(name)


class FitTimer:
    """Trains one case, an epoch at a time."""

    def __init__(self, case: Case, batches: int | None = None, context: list[mx.Context] | None = None) -> None:
        self.case = case
        self.batches = batches or case.batches
        images, labels = arrays(case, self.batches)
        self.data = mx.io.NDArrayIter(images, labels, case.shape[0])
        quiet = logging.getLogger("benchmark")  # fit warns that the Module is bound already, and reports epochs
        quiet.setLevel(logging.CRITICAL)
        mx.random.seed(0)
        np.random.seed(0)
        self.module = mx.mod.Module(make_network(case.name), logger=quiet, context=context or mx.cpu())
        self.module.bind(self.data.provide_data, self.data.provide_label)
        self.module.init_params(mx.init.Xavier())

    def params(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Weights and auxiliary states as numpy arrays."""
        args, aux = self.module.get_params()
        return {n: a.asnumpy() for n, a in args.items()}, {n: a.asnumpy() for n, a in aux.items()}

    def epoch(self) -> dict[str, Any]:
        """One epoch of `fit`; returns the metric."""
        metric = mx.metric.create("acc")
        self.data.reset()
        with warnings.catch_warnings():  # the parameters are there already: that is what is wanted
            warnings.simplefilter("ignore", UserWarning)
            self.module.fit(
                self.data, eval_metric=metric, optimizer="sgd", optimizer_params=optimizer_params(), num_epoch=1
            )
        mx.nd.waitall()
        return dict(metric.get_name_value())

    def seconds(self) -> float:
        """Seconds of one step, from one epoch."""
        start = time.perf_counter()
        self.epoch()
        return (time.perf_counter() - start) / self.batches


class EagerTimer:
    """`a + b` of two 10x10 NDArrays."""

    def __init__(self, count: int = 3000) -> None:
        self.count = count
        self.a, self.b = mx.nd.ones((10, 10)), mx.nd.ones((10, 10))
        self.seconds()

    def seconds(self) -> float:
        """Seconds of one addition."""
        a, b = self.a, self.b
        start = time.perf_counter()
        c = a + b
        for _ in range(self.count - 1):
            c = a + b
        c.wait_to_read()
        return (time.perf_counter() - start) / self.count
