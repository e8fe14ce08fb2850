# SPDX-License-Identifier: Apache-2.0
"""Whether calls are recorded, and whether they are training or prediction: per thread, switched by scopes."""

from __future__ import annotations

from ..base import EagerScope, eager_mode


def record(train_mode: bool = True) -> EagerScope:
    """A scope whose calls are recorded: ``with autograd.record(): loss = net(x)``, then ``loss.backward()``.

    Args:
        train_mode: operators such as Dropout and BatchNorm behave as in training (default), or as in prediction.
    """
    return EagerScope(True, train_mode)


def pause(train_mode: bool = False) -> EagerScope:
    """A scope inside `record` whose calls are not recorded.

    Args:
        train_mode: whether operators behave as in training; by default they do not.
    """
    return EagerScope(False, train_mode)


def train_mode() -> EagerScope:
    """A scope whose operators behave as in training, recorded or not."""
    return EagerScope(None, True)


def predict_mode() -> EagerScope:
    """A scope whose operators behave as in prediction, recorded or not."""
    return EagerScope(None, False)


def is_recording() -> bool:
    """Whether calls of this thread are recorded."""
    return eager_mode.recording


def is_training() -> bool:
    """Whether operators of this thread behave as in training."""
    return eager_mode.train


def set_recording(is_recording: bool) -> bool:
    """Switch recording on or off for this thread; a scope is the safer way. Returns what it was."""
    before, eager_mode.recording = eager_mode.recording, bool(is_recording)
    return before


def set_training(train_mode: bool) -> bool:
    """Switch training mode on or off for this thread; a scope is the safer way. Returns what it was."""
    before, eager_mode.train = eager_mode.train, bool(train_mode)
    return before
