# SPDX-License-Identifier: Apache-2.0
"""`Initializer` and `InitDesc`: which initialisation a name asks for; the registry."""

from __future__ import annotations

import json
import logging
import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from .. import registry
from ..ndarray import NDArray

_log = logging.getLogger(__name__)
T = TypeVar("T", bound=type)


class InitDesc(str):
    """A parameter's name with what is known about it.

    Args:
        name: The name.
        attrs: The variable's attributes; ``__init__`` overrides the initializer.
        global_init: The initializer that was called first, for those that delegate to it.
    """

    attrs: Mapping[str, str]
    global_init: Any

    def __new__(cls, name: str, attrs: Mapping[str, str] | None = None, global_init: Any = None) -> InitDesc:
        self = super().__new__(cls, name)
        self.attrs = attrs or {}
        self.global_init = global_init
        return self


def fill(arr: NDArray, value: float) -> None:
    """``arr[:] = value`` from the host: a compiled fill would cost one compilation for each shape."""
    arr[:] = np.full(arr.shape, value, arr.dtype)


def _rms(x: NDArray) -> str:
    return str(np.sqrt(np.mean(np.square(x.asnumpy()))))


class Initializer:
    """The base class: chooses by the name which part of the array's initialisation applies.

    Subclasses override `_init_weight(name, arr)`, and `_init_bias` and so on where they differ from zeros and ones.

    Args:
        **kwargs: The parameters, for `dumps` and comparison.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = kwargs
        self._verbose = False
        self._print_func: Callable[[NDArray], str] | None = None

    def set_verbosity(self, verbose: bool = False, print_func: Callable[[NDArray], str] | None = None) -> Initializer:
        """Log each parameter that is initialised, with `print_func` of it (default: the root of its mean square)."""
        self._verbose = verbose
        self._print_func = print_func or _rms
        return self

    def _verbose_print(self, desc: str, init: str, arr: NDArray) -> None:
        if self._verbose and self._print_func:
            _log.info("Initialized %s as %s: %s", desc, init, self._print_func(arr))

    def dumps(self) -> str:
        """The JSON text ``["name", {parameters}]`` from which `create` makes an equal one."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Initializer) and type(self) is type(other) and self._kwargs == other._kwargs

    def __hash__(self) -> int:
        return hash(type(self))

    def __call__(self, desc: str, arr: NDArray) -> None:
        """Initialise `arr` in place.

        Args:
            desc: An `InitDesc`; a plain str takes the older rules of names, and a DeprecationWarning.
            arr: The array.

        Raises:
            ValueError: No rule fits the name.
            TypeError: `desc` is no str.
        """
        if not isinstance(desc, InitDesc):
            self._legacy_init(desc, arr)
            return
        if desc.global_init is None:
            desc.global_init = self
        init = desc.attrs.get("__init__", "")
        if init:
            create(init)._init_weight(desc, arr)
            self._verbose_print(desc, init, arr)
            return
        for end, rule in _RULES:
            if desc.endswith(end):
                getattr(self, rule)(desc, arr)
                self._verbose_print(desc, end, arr)
                return
        self._init_default(desc, arr)

    def _legacy_init(self, name: str, arr: NDArray) -> None:
        """The rules for names that are plain strings."""
        if not isinstance(name, str):
            raise TypeError(f"the name of a parameter must be a string, got {name!r}")
        warnings.warn(
            f"initializing {name!r} by a plain string is deprecated; call init(mx.init.InitDesc(name), array)",
            DeprecationWarning,
            stacklevel=3,
        )
        for pattern, rule in _LEGACY_RULES:
            if re.match(pattern, name):
                getattr(self, rule)(name, arr)
                return
        self._init_default(name, arr)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        raise NotImplementedError(f"{type(self).__name__} must override _init_weight to initialize {str(name)!r}")

    def _init_bias(self, name: str, arr: NDArray) -> None:
        fill(arr, 0)

    def _init_gamma(self, name: str, arr: NDArray) -> None:
        fill(arr, 1)

    def _init_beta(self, name: str, arr: NDArray) -> None:
        fill(arr, 0)

    def _init_zero(self, name: str, arr: NDArray) -> None:
        fill(arr, 0)

    def _init_one(self, name: str, arr: NDArray) -> None:
        fill(arr, 1)

    def _init_bilinear(self, name: str, arr: NDArray) -> None:
        arr[:] = bilinear(name, arr.shape)

    def _init_loc_bias(self, name: str, arr: NDArray) -> None:
        if arr.shape != (6,):
            raise AssertionError(f"{str(name)!r}: the bias of a spatial transformer has shape (6,), got {arr.shape}")
        arr[:] = np.array([1.0, 0, 0, 0, 1.0, 0])

    def _init_default(self, name: str, arr: NDArray) -> None:
        raise ValueError(
            f"Unknown initialization pattern for {name}. Names end in {', '.join(end for end, _ in _RULES)}; "
            "for others, give the variable an initializer: mx.sym.Variable(name, init=mx.init.Zero())"
        )


_RULES = (
    ("weight", "_init_weight"), ("bias", "_init_bias"), ("gamma", "_init_gamma"), ("beta", "_init_beta"),
    ("min", "_init_zero"), ("max", "_init_one"),
)  # fmt: skip

_LEGACY_RULES = (
    (r"upsampling", "_init_bilinear"), (r"stn_loc.*weight$", "_init_zero"), (r"stn_loc.*bias$", "_init_loc_bias"),
    (r".*bias$", "_init_bias"), (r".*gamma$", "_init_gamma"), (r".*beta$", "_init_beta"),
    (r".*weight$", "_init_weight"), (r".*moving_mean$", "_init_zero"), (r".*moving_var$", "_init_one"),
    (r".*moving_inv_var$", "_init_zero"), (r".*moving_avg$", "_init_zero"), (r".*min$", "_init_zero"),
    (r".*max$", "_init_one"),
)  # fmt: skip


def bilinear(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that interpolate linearly between the points of a coarser grid."""
    if len(shape) != 4:
        raise ValueError(f"Bilinear needs 4 dimensions (out, in, height, width); {str(name)!r} has shape {shape}")
    half = math.ceil(shape[3] / 2.0)
    centre = (2 * half - 1 - half % 2) / (2.0 * half)
    rows, columns = (1 - np.abs(np.arange(n) / half - centre) for n in shape[2:])
    return np.broadcast_to(np.outer(rows, columns).astype(np.float32), shape)


_register = registry.get_register_func(Initializer, "initializer")
alias = registry.get_alias_func(Initializer, "initializer")
create = registry.get_create_func(Initializer, "initializer")


def register(klass: T) -> T:
    """Class decorator: make an initializer known to `create` under its lower-cased name."""
    return _register(klass)
