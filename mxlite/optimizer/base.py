# SPDX-License-Identifier: Apache-2.0
"""`Optimizer`: rates, decays, update counts, MXNet's state forms; the arithmetic is an optax chain."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

import jax
import numpy as np
import optax

from mxlite_compiler.errors import nearest

from ..lr_scheduler import LRScheduler
from ..ndarray import NDArray
from . import lazy
from .forms import Form, State, mx_state, tree, with_mx_state, write
from .transforms import is_half, master_weights

Transformation = optax.GradientTransformationExtraArgs
Hyper = dict[str, np.ndarray]
C = TypeVar("C", bound=type)


def check_rate(value: Any, what: str) -> Any:
    """Return the learning rate `value`, or say why it cannot be one.

    Raises:
        ValueError: It is not a number, or NaN, infinite or negative.
    """
    try:
        good = math.isfinite(value) and value >= 0
    except TypeError:
        good = False
    if not good:
        raise ValueError(f"{what} must be a finite number that is not negative, got {value!r}")
    return value


def _number(name: str, value: Any) -> Any:
    if not isinstance(value, int | float | np.number) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return value


class Optimizer:
    """The base class of all optimizers.

    A subclass either overrides `build` (an optax chain, which `Module` fuses with the network into one program) and
    names its constants in `static` and its state arrays in `slots`, or, as in MXNet, `create_state` and `update`.

    Args:
        rescale_grad: Factor of every gradient; `Module` sets 1 / batch size.
        param_idx2name: ``{index: name}``; indices without a name have multipliers 1.
        wd: Weight decay; applies to names ending in ``_weight`` and ``_gamma`` only, see `set_wd_mult`.
        clip_gradient: Limit of the absolute value of each gradient element, after `rescale_grad`.
        learning_rate: Default 0.01; overrides `lr_scheduler`'s base rate.
        lr_scheduler: Gives the rate from the number of updates.
        sym: A Symbol whose ``__lr_mult__`` and ``__wd_mult__`` attributes count.
        begin_num_update: The update count to start from.
        multi_precision: Keep float32 copies of float16 weights.
        param_dict: ``{index: gluon parameter}`` with ``lr_mult`` and ``wd_mult``.

    Raises:
        ValueError: A rate is NaN, infinite or negative; another number is none; `param_idx2name` is no dict.
    """

    opt_registry: ClassVar[dict[str, type[Optimizer]]] = {}
    #: Attributes that are constants of the compiled update.
    static: ClassVar[tuple[str, ...]] = ("clip_gradient",)
    #: The state arrays in MXNet's order, and how they are arranged; see `Form`.
    slots: ClassVar[tuple[str, ...]] = ()
    always_tuple: ClassVar[bool] = False
    master_first: ClassVar[bool] = True

    def __init__(
        self,
        rescale_grad: float = 1.0,
        param_idx2name: Mapping[Any, str] | None = None,
        wd: float = 0.0,
        clip_gradient: float | None = None,
        learning_rate: float | None = None,
        lr_scheduler: LRScheduler | None = None,
        sym: Any = None,
        begin_num_update: int = 0,
        multi_precision: bool = False,
        param_dict: Mapping[Any, Any] | None = None,
    ) -> None:
        self.rescale_grad = _number("rescale_grad", rescale_grad)
        self.lr_scheduler = lr_scheduler
        if lr_scheduler is None:
            self.lr = check_rate(0.01 if learning_rate is None else learning_rate, "learning_rate")
        else:
            self.lr = None if learning_rate is None else check_rate(learning_rate, "learning_rate")
            base = getattr(lr_scheduler, "base_lr", learning_rate)
            if learning_rate is None:
                check_rate(0.01 if base is None else base, "base_lr of lr_scheduler")
            elif base != learning_rate:
                lr_scheduler.base_lr = learning_rate
        self.wd = _number("wd", wd)
        self.lr_mult: dict[Any, float] = {}
        self.wd_mult: dict[Any, float] = {}
        self.begin_num_update = begin_num_update
        self.num_update = begin_num_update
        self._all_index_update_counts: dict[int, dict[Any, int]] = {0: {}}
        self._index_update_count = self._all_index_update_counts[0]
        self.clip_gradient = None if clip_gradient is None else _number("clip_gradient", clip_gradient)
        self.multi_precision = multi_precision
        self.aggregate_num = 0
        if param_idx2name is not None and not isinstance(param_idx2name, Mapping):
            raise AssertionError(f"param_idx2name must be a dict {{index: name}}, got {type(param_idx2name).__name__}")
        self.idx2name: dict[Any, str] = dict(param_idx2name or {})
        self.sym_info: tuple[Any, ...] = (sym.attr_dict(), sym.list_arguments()) if sym is not None else ()
        self.param_dict: dict[Any, Any] = dict(param_dict or {})
        self.allow_np_array = False
        self.set_lr_mult({})
        self.set_wd_mult({})

    # ---------------------------------------------------------------- registry

    @staticmethod
    def register(klass: C) -> C:
        """Class decorator: make the class known to `create` under its lower-cased name."""
        name = klass.__name__.lower()
        old = Optimizer.opt_registry.get(name)
        if old is not None and old is not klass:
            warnings.warn(f"optimizer {name!r}: {klass} replaces {old}", stacklevel=2)
        Optimizer.opt_registry[name] = klass
        return klass

    @staticmethod
    def create_optimizer(name: str | Optimizer, **kwargs: Any) -> Optimizer:
        """An optimizer by its registered name, any case.

        Raises:
            ValueError: No such optimizer.
            TypeError: It does not take one of the parameters.
        """
        if isinstance(name, Optimizer):
            if kwargs:
                raise TypeError(f"parameters {sorted(kwargs)} cannot be given with an optimizer that exists already")
            return name
        if not isinstance(name, str):
            raise TypeError(f"an optimizer is created from its name, got {name!r}")
        klass = Optimizer.opt_registry.get(name.lower())
        if klass is None:
            known = sorted(Optimizer.opt_registry)
            raise ValueError(f"Cannot find optimizer {name}{nearest(name.lower(), known)} (known: {', '.join(known)})")
        legal = _parameters(klass)
        for key in kwargs:
            if legal is not None and key not in legal:
                raise TypeError(
                    f"{klass.__name__} got an unexpected keyword argument {key!r}{nearest(key, legal)}"
                    f" (legal: {', '.join(legal)})"
                )
        return klass(**kwargs)

    # ---------------------------------------------------------------- rates, decays, counts

    @property
    def learning_rate(self) -> float:
        """The rate now: the scheduler's at the current update count, else the one set."""
        return self.lr_scheduler(self.num_update) if self.lr_scheduler is not None else self.lr  # type: ignore[return-value]

    def set_learning_rate(self, lr: float) -> None:
        """Set the rate.

        Raises:
            UserWarning: A scheduler owns the rate (MXNet raises this class, too).
            ValueError: `lr` is NaN, infinite or negative.
        """
        if self.lr_scheduler is not None:
            raise UserWarning("the lr_scheduler of this optimizer owns its rate; set lr_scheduler.base_lr instead")
        self.lr = check_rate(lr, "learning_rate")

    def set_lr_scale(self, args_lrscale: Any) -> None:
        """Removed from MXNet long ago, where it raises the same."""
        raise DeprecationWarning("set_lr_scale was removed; use set_lr_mult")

    def set_lr_mult(self, args_lr_mult: Mapping[Any, float]) -> None:
        """Set factors of the rate by name or index; ``__lr_mult__`` attributes of the symbol count first."""
        self.lr_mult = self._multipliers("__lr_mult__")
        self.lr_mult.update(args_lr_mult)

    def set_wd_mult(self, args_wd_mult: Mapping[Any, float]) -> None:
        """Set factors of the decay by name or index.

        Parameters whose names end neither in ``_weight`` nor in ``_gamma`` start with 0; ``__wd_mult__`` attributes
        of the symbol count next, `args_wd_mult` last.
        """
        self.wd_mult = {n: 0.0 for n in self.idx2name.values() if not n.endswith(("_weight", "_gamma"))}
        self.wd_mult.update(self._multipliers("__wd_mult__"))
        self.wd_mult.update(args_wd_mult)

    def _multipliers(self, key: str) -> dict[Any, float]:
        if not self.sym_info:
            return {}
        attributes, names = self.sym_info
        return {name: float(attributes[name][key]) for name in names if key in attributes.get(name, {})}

    def _set_current_context(self, device_id: int) -> None:
        self._index_update_count = self._all_index_update_counts.setdefault(device_id, {})

    def _update_count(self, index: Any) -> None:
        counts = self._index_update_count
        for i in index if isinstance(index, list | tuple) else (index,):
            counts[i] = counts.get(i, self.begin_num_update) + 1
            self.num_update = max(counts[i], self.num_update)

    def _factors(self, indices: Sequence[Any], which: str) -> list[float]:
        factors, names, params = getattr(self, which), self.idx2name, self.param_dict
        # A gluon parameter knows best, then the index, then the name.
        return [
            getattr(params[i], which)
            if i in params
            else factors[i]
            if i in factors
            else factors.get(names.get(i, i), 1.0)
            for i in indices
        ]

    def _get_lrs(self, indices: Sequence[Any]) -> list[float]:
        if self.lr_scheduler is None:
            rate = check_rate(self.lr, "learning_rate")
        else:
            rate = check_rate(self.lr_scheduler(self.num_update), f"the rate of lr_scheduler at {self.num_update}")
        return [rate * factor for factor in self._factors(indices, "lr_mult")]

    def _get_lr(self, index: Any) -> float:
        return self._get_lrs([index])[0]

    def _get_wds(self, indices: Sequence[Any]) -> list[float]:
        return [self.wd * factor for factor in self._factors(indices, "wd_mult")]

    def _get_wd(self, index: Any) -> float:
        return self._get_wds([index])[0]

    # ---------------------------------------------------------------- the compiled update

    def build(self) -> Transformation:
        """The optax chain of one update, from the attributes named in `static`."""
        raise NotImplementedError(f"{type(self).__name__} must override update(index, weight, grad, state), or build()")

    def scalars(self, indices: Sequence[Any], lr: np.ndarray, wd: np.ndarray) -> dict[str, np.ndarray]:
        """What changes from step to step, after the update has been counted.

        Args:
            indices: The parameters, n of them.
            lr: Their rates, float64 (n,).
            wd: Their decays, float64 (n,).

        Returns:
            Arrays of shape (n, ...) for the attributes of the rules' ``h``.
        """
        return {"lr": lr, "wd": wd}

    def _counts(self, indices: Sequence[Any]) -> np.ndarray:
        counts = self._index_update_count
        return np.array([counts[i] for i in indices], np.float64)

    @property
    def fused(self) -> bool:
        """Whether `transformation` is all there is to an update: no subclass replaced a part of the classic way."""
        mine, base = type(self), Optimizer
        return mine.build is not base.build and all(
            getattr(mine, name) is getattr(base, name)
            for name in ("create_state", "create_state_multi_precision", "update", "update_multi_precision")
        )

    @classmethod
    def _form(cls) -> Form:
        return Form(cls.__name__, cls.slots, cls.always_tuple, cls.master_first)

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.static)

    def transformation(self) -> Transformation:
        """The update as one transformation of dictionaries ``{name: array}``.

        ``update(grads, state, params, **spread(hyper(indices), names))`` gives the steps for `optax.apply_updates`.
        Equal settings give the same object, so compiled programs can be keyed by it.
        """
        return _transformation(type(self), self.static, self._key(), bool(self.multi_precision))

    def hyper(self, indices: Sequence[Any]) -> Hyper:
        """Count one update of the parameters `indices` and give its scalars.

        Returns:
            ``lr`` and ``wd`` as float32 (n,), ``rescale_grad`` as float32 (); some optimizers have more arrays of
            shape (n,) or (n, ...).

        Raises:
            ValueError: The learning rate is NaN, infinite or negative.
        """
        self._update_count(list(indices))
        lr, wd = np.array(self._get_lrs(indices), np.float64), np.array(self._get_wds(indices), np.float64)
        found = self.scalars(indices, lr, wd)
        out = {key: value.astype(np.float32) if value.dtype.kind == "f" else value for key, value in found.items()}
        out["rescale_grad"] = np.float32(self.rescale_grad)  # type: ignore[assignment]
        return out

    @staticmethod
    def spread(hyper: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Keyword arguments of the transformation's update: row i of each array belongs to ``names[i]``."""
        return {k: {name: v[i] for i, name in enumerate(names)} if v.ndim else v for k, v in hyper.items()}

    # ---------------------------------------------------------------- state in MXNet's form

    def mx_state(self, opt_state: Any, name: str) -> State:
        """The state of parameter `name` inside the transformation's state, in MXNet's form."""
        return mx_state(self._form(), opt_state, name, bool(self.multi_precision))

    def with_mx_state(self, opt_state: Any, name: str, state: State) -> Any:
        """A transformation's state in which the parameter `name` has MXNet's `state`.

        Raises:
            ValueError: `state` has another form than this optimizer's.
        """
        return with_mx_state(self._form(), opt_state, name, state, bool(self.multi_precision))

    # ---------------------------------------------------------------- the classic way

    def create_state(self, index: Any, weight: NDArray) -> State:
        """A fresh state for `weight`: None, an NDArray, or a tuple of them."""
        if type(self).build is Optimizer.build:
            return None
        params = {"0": lazy.content(weight)}
        state = mx_state(self._form(), self._plain().init(params), "0", False)
        return tree(lambda x: NDArray._wrap(x, weight.context), state)

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> State:
        """As `create_state`; with `multi_precision`, a 16-bit weight's state holds its float32 copy, too."""
        if self._wants_master(weight):
            wide = weight.astype("float32")
            inner = self.create_state(index, wide)
            return (wide, inner) if self.master_first else (inner, wide)
        if is_half(weight.dtype):
            warnings.warn(
                "Accumulating with float16 in optimizer can lead to poor accuracy or slow convergence. "
                "Consider using multi_precision=True option of the optimizer",
                stacklevel=2,
            )
        return self.create_state(index, weight)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Update `weight` and `state` in place; lists of all four update many parameters in one program."""
        self._run(index, weight, grad, state, False)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """As `update`, for states made by `create_state_multi_precision`."""
        if isinstance(index, list | tuple):
            if not self.fused:
                for one in zip(index, weight, grad, state, strict=True):
                    self.update_multi_precision(*one)
                return
        elif type(self).update is not Optimizer.update or not self.fused:
            if not self._wants_master(weight):
                self.update(index, weight, grad, state)
                return
            wide, inner = state if self.master_first else state[::-1]
            self.update(index, wide, grad.astype("float32"), inner)
            wide.astype(weight.dtype).copyto(weight)
            return
        self._run(index, weight, grad, state, bool(self.multi_precision))

    def _lazy(self, weight: NDArray) -> bool | None:
        """Whether rows that a row_sparse gradient lacks are left alone; None where the rule has no such form."""
        return getattr(self, "lazy_update", None)

    def _wants_master(self, weight: NDArray) -> bool:
        return bool(self.multi_precision) and is_half(weight.dtype)

    def _plain(self) -> Transformation:
        return _transformation(type(self), self.static, self._key(), False)

    def _run(self, index: Any, weight: Any, grad: Any, state: Any, master: bool) -> None:
        if not isinstance(index, list | tuple):
            index, weight, grad, state = [index], [weight], [grad], [state]
        for i, w, g in zip(index, weight, grad, strict=True):
            if w.shape != g.shape:
                raise ValueError(
                    f"{type(self).__name__}: the gradient of {self.idx2name.get(i, i)!r} has shape {g.shape}, "
                    f"its weight {w.shape}"
                )
        hyper = self.hyper(index)
        run = _program(type(self), self.static, self._key(), master)
        if any(x.stype != "default" for x in (*weight, *grad)):
            for i, (w, g, s) in enumerate(zip(weight, grad, state, strict=True)):
                one = {k: v[i : i + 1] if v.ndim else v for k, v in hyper.items()}
                lazy.update(run, type(self).__name__, self._lazy(w), w, g, s, one)
            return
        arrays = [tree(lambda x: x._data, s) for s in state]
        weights, states = run([w._data for w in weight], [g._data for g in grad], arrays, hyper)
        for handle, new in zip(weight, weights, strict=True):
            handle._set(new)
        for handles, new in zip(state, states, strict=True):
            write(handles, new)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but `param_dict`, whose parameters belong to somebody else."""
        return {key: value for key, value in self.__dict__.items() if key != "param_dict"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self.param_dict = {}


def _parameters(klass: type) -> list[str] | None:
    """The constructor's keywords through all ``**kwargs`` of its bases; None where a class takes any."""
    names: list[str] = []
    for base in klass.__mro__:
        if "__init__" not in base.__dict__ or base is object:
            continue
        signature = inspect.signature(base.__dict__["__init__"]).parameters.values()
        names += [p.name for p in list(signature)[1:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind == p.VAR_KEYWORD for p in signature):
            return list(dict.fromkeys(names))
    return None


@lru_cache(maxsize=256)
def _transformation(klass: type[Optimizer], static: tuple[str, ...], key: tuple[Any, ...], master: bool) -> Any:
    bare = klass.__new__(klass)
    bare.__dict__.update(zip(static, key, strict=True))
    chain = bare.build()
    return master_weights(chain) if master else chain


@lru_cache(maxsize=256)
def _program(klass: type[Optimizer], static: tuple[str, ...], key: tuple[Any, ...], master: bool) -> Callable[..., Any]:
    chain, form = _transformation(klass, static, key, master), klass._form()

    def run(weights: list[Any], grads: list[Any], states: list[State], hyper: Hyper) -> tuple[list[Any], list[State]]:
        names = [str(i) for i in range(len(weights))]
        params = dict(zip(names, weights, strict=True))
        opt_state = chain.init(params)
        for name, state in zip(names, states, strict=True):
            opt_state = with_mx_state(form, opt_state, name, state, master)
        scalars = Optimizer.spread(hyper, names)
        steps, opt_state = chain.update(dict(zip(names, grads, strict=True)), opt_state, params, **scalars)
        new: Any = optax.apply_updates(params, steps)
        return [new[name] for name in names], [mx_state(form, opt_state, name, master) for name in names]

    return jax.jit(run)


def register(klass: C) -> C:
    """Class decorator: make an optimizer known to `create` under its lower-cased name."""
    return Optimizer.register(klass)


def create(name: str | Optimizer, **kwargs: Any) -> Optimizer:
    """An optimizer by its registered name, any case; see `Optimizer.create_optimizer`."""
    return Optimizer.create_optimizer(name, **kwargs)
