# SPDX-License-Identifier: Apache-2.0
"""The log-uniform distribution of candidate classes, for arrays and symbols alike."""

from __future__ import annotations

import math
from typing import Any


def zipfian(draws: Any, true_classes: Any, num_sampled: int, range_max: int) -> tuple[Any, Any, Any]:
    """Sampled classes, and how often the true ones and they are expected among the samples.

    Args:
        draws: float64 numbers from the uniform distribution on [0, log(range_max + 1)), one for each sample.
        true_classes: integers of any dtype below `range_max`.
        num_sampled: how many samples.
        range_max: how many classes.
    """
    width = math.log(range_max + 1)
    samples = (draws.exp() - 1).astype("int64") % range_max

    def expected(classes: Any) -> Any:
        numbers = classes.astype("float64")
        return ((numbers + 2.0) / (numbers + 1.0)).log() / width * num_sampled

    return samples, expected(true_classes), expected(samples)
