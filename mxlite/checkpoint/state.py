# SPDX-License-Identifier: Apache-2.0
"""What a training is made of besides its arrays: counts and rates of optimizers, random numbers, iterators."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _rng
from ..base import MXNetError
from ..io.desc import state_of
from ..lr_scheduler import LRScheduler
from ..optimizer import Optimizer
from ..optimizer.loss_scaling import Skipping
from .values import encode

#: Attributes of an optimizer that describe the network, or are told by others.
_DESCRIBING = ("param_dict", "sym_info", "idx2name", "_index_update_count")
#: What users change between two runs, which is then as it was saved: told by a log line.
_RATES = ("lr", "wd", "rescale_grad")


# ---------------------------------------------------------------- optimizers


def counting(optimizer: Any) -> Optimizer:
    """The optimizer that counts the updates: behind a scaling of the loss, which keeps what it needs in its arrays."""
    return optimizer.optimizer if isinstance(optimizer, Skipping) else optimizer


def optimizer_state(optimizer: Optimizer, logger: Any) -> dict[str, Any]:
    """The counts, rates and further attributes of an optimizer and its scheduler.

    What cannot be written (a function, an object of the user's) is left out, and named by a debug line of `logger`.
    """
    counts = optimizer._all_index_update_counts
    device = next((d for d, found in counts.items() if found is optimizer._index_update_count), 0)
    constants = {name: getattr(optimizer, name, None) for name in optimizer.static}
    return {
        "class": type(optimizer).__name__,
        "constants": _writable(constants, type(optimizer).__name__, logger),
        "attributes": _attributes(optimizer, logger),
        "device": device,
    }


def _attributes(of: Any, logger: Any) -> dict[str, Any]:
    kept = {k: v for k, v in vars(of).items() if k not in _DESCRIBING}
    nested = {k: v for k, v in kept.items() if isinstance(v, LRScheduler | Optimizer) or k == "lr_scheduler"}
    values = _writable({k: v for k, v in kept.items() if k not in nested}, type(of).__name__, logger)
    inner = {k: _attributes(v, logger) for k, v in nested.items() if hasattr(v, "__dict__")}
    return {"values": values, "objects": inner}


def _writable(values: Mapping[str, Any], owner: str, logger: Any) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        try:
            encode(value, f"{owner}.{name}")
        except TypeError as e:
            logger.debug("not in the checkpoint: %s", e)
        else:
            found[name] = value
    return found


def check_optimizer(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Raise MXNetError when `saved` belongs to another optimizer, or to one with other constants."""
    name = type(optimizer).__name__
    if saved["class"] != name:
        raise MXNetError(f"it was trained with the optimizer {saved['class']}, this one is {name}")
    for key, value in saved["constants"].items():
        if key in optimizer.static and getattr(optimizer, key, None) != value:
            raise MXNetError(f"it was trained with {name}({key}={value!r}), this one has {getattr(optimizer, key)!r}")


def load_optimizer(optimizer: Optimizer, saved: Mapping[str, Any], logger: Any) -> None:
    """Give `optimizer` back what `optimizer_state` wrote down; the classes are the program's own."""
    values = saved["attributes"]["values"]
    for key in _RATES:
        if key in values and getattr(optimizer, key, None) != values[key]:
            logger.info("the optimizer's %s is %r, as saved, not %r", key, values[key], getattr(optimizer, key, None))
    _load_attributes(optimizer, saved["attributes"])
    counts = optimizer._all_index_update_counts
    optimizer._index_update_count = counts.setdefault(saved["device"], {})


def _load_attributes(to: Any, saved: Mapping[str, Any]) -> None:
    vars(to).update(saved["values"])
    for key, inner in saved["objects"].items():
        held = getattr(to, key, None)
        if held is not None and hasattr(held, "__dict__"):
            _load_attributes(held, inner)


# ---------------------------------------------------------------- random numbers


def random_state() -> dict[str, Any]:
    """Where the generators of mxlite, numpy and Python stand."""
    version, numbers, gauss = random.getstate()
    python = {"version": version, "numbers": np.array(numbers, np.uint64), "gauss": gauss}
    return {"mxlite": _rng.state_dict(), "numpy": np.random.get_state(legacy=False), "python": python}


def load_random(saved: Mapping[str, Any]) -> None:
    """Set the generators to what `random_state` gave."""
    _rng.load_state_dict(saved["mxlite"])
    np.random.set_state(saved["numpy"])
    python = saved["python"]
    random.setstate((python["version"], tuple(python["numbers"].tolist()), python["gauss"]))


# ---------------------------------------------------------------- iterators


def iterator_state(iterator: Any) -> dict[str, Any]:
    """Where an iterator stands, None when it has no `state_dict` or cannot tell, and the rows of its batches."""
    return {"batch_size": getattr(iterator, "batch_size", None), "position": state_of(iterator)}


def check_iterator(name: str, iterator: Any, saved: Mapping[str, Any]) -> None:
    """Raise MXNetError when the batches have another size: the optimizer's scale would be wrong."""
    size = getattr(iterator, "batch_size", None)
    if saved["batch_size"] != size:
        raise MXNetError(f"{name} had batches of {saved['batch_size']} rows, this one has {size}")


def load_iterator(iterator: Any, saved: Mapping[str, Any]) -> None:
    """Let an iterator stand where `iterator_state` found it."""
    if saved["position"] is not None:
        iterator.load_state_dict(saved["position"])
