# SPDX-License-Identifier: Apache-2.0
"""Learning rates as functions of the number of updates (`mx.lr_scheduler`).

A scheduler runs on the host; its number enters the compiled update as an argument, so no schedule ever recompiles.
An optimizer that is given a ``learning_rate`` overwrites `base_lr`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from itertools import pairwise

_log = logging.getLogger(__name__)


class LRScheduler:
    """The base class: a warm-up, and a rule for what follows it (`__call__` of the subclass).

    Args:
        base_lr: The rate after the warm-up; default 0.01.
        warmup_steps: Number of updates of the warm-up; default 0.
        warmup_begin_lr: The rate it starts from; default 0.
        warmup_mode: "linear", or "constant": `warmup_begin_lr` all the time.

    Raises:
        ValueError: A rate that is no finite number, a negative `warmup_steps`, a warm-up from above `base_lr`, or an
            unknown `warmup_mode`.
    """

    def __init__(
        self,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        for name, value in (("base_lr", base_lr), ("warmup_begin_lr", warmup_begin_lr)):
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value!r}")
        _whole("warmup_steps", warmup_steps)
        if warmup_begin_lr > base_lr:
            raise ValueError(f"base_lr ({base_lr}) must not be below warmup_begin_lr ({warmup_begin_lr})")
        if warmup_steps < 0:
            raise ValueError(f"warmup_steps must not be negative, got {warmup_steps}")
        if warmup_mode not in ("linear", "constant"):
            raise ValueError(f"warmup_mode must be 'linear' or 'constant', got {warmup_mode!r}")
        self.base_lr = base_lr
        self.warmup_steps = warmup_steps
        self.warmup_final_lr = base_lr
        self.warmup_begin_lr = warmup_begin_lr
        self.warmup_mode = warmup_mode

    def get_warmup_lr(self, num_update: int) -> float:
        """The rate of the warm-up at update `num_update`, which must lie before its end."""
        if num_update >= self.warmup_steps:
            raise AssertionError(f"update {num_update} is not in the warm-up of {self.warmup_steps} updates")
        if self.warmup_mode == "constant":
            return self.warmup_begin_lr
        rise = (self.warmup_final_lr - self.warmup_begin_lr) * float(num_update) / float(self.warmup_steps)
        return self.warmup_begin_lr + rise

    def __call__(self, num_update: int) -> float:
        """The rate for update number `num_update`, counted from 1."""
        raise NotImplementedError(f"{type(self).__name__} must override __call__(num_update)")


class FactorScheduler(LRScheduler):
    """Multiply the rate by `factor` every `step` updates; the first time at update ``step + 1``.

    Args:
        step: Updates between two changes, at least 1.
        factor: At most 1; default 1.
        stop_factor_lr: The rate never falls below this; default 1e-8.
        base_lr: The first rate; default 0.01.
        warmup_steps: As `LRScheduler`.
        warmup_begin_lr: As `LRScheduler`.
        warmup_mode: As `LRScheduler`.

    Raises:
        ValueError: `step` below 1 or `factor` above 1.
    """

    def __init__(
        self,
        step: int,
        factor: float = 1,
        stop_factor_lr: float = 1e-8,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        if step < 1:
            raise ValueError(f"step must be at least 1, got {step}")
        _factor(factor)
        self.step = step
        self.factor = factor
        self.stop_factor_lr = stop_factor_lr
        self.count = 0

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        # The state moves forward only: a resumed run that starts at a high count catches up here.
        while num_update > self.count + self.step:
            self.count += self.step
            self.base_lr *= self.factor
            if self.base_lr < self.stop_factor_lr:
                self.base_lr = self.stop_factor_lr
                _log.info("Update[%d]: now learning rate arrived at %0.5e, will not change in the future",
                          num_update, self.base_lr)  # fmt: skip
            else:
                _log.info("Update[%d]: Change learning rate to %0.5e", num_update, self.base_lr)
        return self.base_lr


class MultiFactorScheduler(LRScheduler):
    """Multiply the rate by `factor` after each update number listed in `step`.

    Args:
        step: Increasing list of update numbers, at least 1.
        factor: At most 1; default 1.
        base_lr: The first rate; default 0.01.
        warmup_steps: As `LRScheduler`.
        warmup_begin_lr: As `LRScheduler`.
        warmup_mode: As `LRScheduler`.

    Raises:
        ValueError: A step below 1, steps that do not increase, or `factor` above 1.
        AssertionError: `step` is not a list, or empty.
    """

    def __init__(
        self,
        step: Sequence[int],
        factor: float = 1,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        if not isinstance(step, list | tuple) or not step:
            raise AssertionError(f"step must be a list of at least one update number, got {step!r}")
        if min(step) < 1:
            raise ValueError(f"step: every update number must be at least 1, got {step}")
        if any(late <= early for early, late in pairwise(step)):
            raise ValueError(f"step must be an increasing list of update numbers, got {step}")
        _factor(factor)
        self.step = list(step)
        self.cur_step_ind = 0
        self.factor = factor
        self.count = 0

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        while self.cur_step_ind < len(self.step) and num_update > self.step[self.cur_step_ind]:
            self.count = self.step[self.cur_step_ind]
            self.cur_step_ind += 1
            self.base_lr *= self.factor
            _log.info("Update[%d]: Change learning rate to %0.5e", num_update, self.base_lr)
        return self.base_lr


class _Falling(LRScheduler):
    """From `base_lr` to `final_lr` over `max_update` updates, along a curve that subclasses give."""

    def __init__(
        self,
        max_update: int,
        base_lr: float,
        final_lr: float,
        warmup_steps: int,
        warmup_begin_lr: float,
        warmup_mode: str,
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        _whole("max_update", max_update)
        if max_update < 1:
            raise ValueError(f"max_update must be at least 1, got {max_update}")
        self.base_lr_orig = base_lr
        self.max_update = max_update
        self.final_lr = final_lr
        self.max_steps = max_update - warmup_steps

    def _left(self, done: float) -> float:
        """What is left of the fall, 1 to 0, when the part `done` of the updates is over."""
        raise NotImplementedError

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        if num_update <= self.max_update:
            # MXNet divides by zero where the warm-up lasts until max_update; the schedule is simply over then.
            done = float(num_update - self.warmup_steps) / float(self.max_steps) if self.max_steps else 1.0
            self.base_lr = self.final_lr + (self.base_lr_orig - self.final_lr) * self._left(done)
        return self.base_lr


class PolyScheduler(_Falling):
    """Fall from `base_lr` to `final_lr` with the power `pwr` of the remaining part of `max_update`.

    Args:
        max_update: The update at which `final_lr` is reached, at least 1.
        base_lr: The first rate; default 0.01.
        pwr: Default 2.
        final_lr: Default 0.
        warmup_steps: As `LRScheduler`; they are part of `max_update`.
        warmup_begin_lr: As `LRScheduler`.
        warmup_mode: As `LRScheduler`.

    Raises:
        ValueError: `max_update` below 1.
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        pwr: float = 2,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        self.power = pwr

    def _left(self, done: float) -> float:
        return pow(1 - done, self.power)


class CosineScheduler(_Falling):
    """Fall from `base_lr` to `final_lr` along half a cosine.

    Args:
        max_update: The update at which `final_lr` is reached, at least 1.
        base_lr: The first rate; default 0.01.
        final_lr: Default 0.
        warmup_steps: As `LRScheduler`; they are part of `max_update`.
        warmup_begin_lr: As `LRScheduler`.
        warmup_mode: As `LRScheduler`.

    Raises:
        ValueError: `max_update` below 1.
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)

    def _left(self, done: float) -> float:
        return (1 + math.cos(math.pi * done)) / 2


def _whole(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise AssertionError(f"{name} must be an integer, got {value!r}")


def _factor(value: float) -> None:
    if not value <= 1:
        raise ValueError(f"factor must not be above 1, or the rate would grow; got {value}")
