# SPDX-License-Identifier: Apache-2.0
"""`BucketingModule`: networks of several lengths that share their parameters, chosen by the batch."""

from __future__ import annotations

import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from ..context import Context
from ..initializer import Uniform
from ..io import DataDesc
from ..model import load_params
from ..ndarray import NDArray, array
from ..serialize.params import load as load_arrays
from ..serialize.params import save as save_arrays
from ..symbol import Symbol
from ..symbol.symbol import load as load_symbol
from .base_module import BaseModule, StateError
from .description import descriptions
from .module import Module

#: Buckets that are kept bound. Past it, the one that was used longest ago is let go, and bound anew when it returns.
MAX_BUCKETS = 128

#: Gives the symbol, the names of its data and of its labels for a bucket's key.
SymGen = Callable[[Any], tuple[Symbol, Sequence[str] | None, Sequence[str] | None]]


class BucketingModule(BaseModule):
    """A `Module` for each bucket, all with the same parameters and one optimizer.

    A batch says in `bucket_key` which network it needs, and in `provide_data` and `provide_label` its shapes. A bucket
    is bound, and its program compiled, when the first batch comes that needs it.

    Args:
        sym_gen: called with a key; gives a symbol, its data names and its label names. Symbols of all buckets have the
            parameters of the default one, or some of them.
        default_bucket_key: the bucket that `bind` makes; the largest.
        logger: where `fit` logs.
        context, work_load_list, fixed_param_names, state_names, group2ctxs, compression_params: as for `Module`.

    Raises:
        StateError: `default_bucket_key` is missing.
        TypeError: `sym_gen` gives something else.
    """

    def __init__(
        self,
        sym_gen: SymGen,
        default_bucket_key: Hashable = None,
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Any = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Any = None,
    ):
        super().__init__(logger)
        if default_bucket_key is None:
            raise StateError("BucketingModule needs default_bucket_key, the key of the largest bucket")
        self._sym_gen, self._default_bucket_key = sym_gen, default_bucket_key
        self._options: dict[str, Any] = {
            "logger": logger,
            "context": context,
            "work_load_list": work_load_list,
            "fixed_param_names": fixed_param_names,
            "state_names": state_names,
            "group2ctxs": group2ctxs,
            "compression_params": compression_params,
        }
        self._symbols: Mapping[Any, Symbol] = {}
        self._loaded: tuple[Mapping[str, NDArray], Mapping[str, NDArray]] | None = None
        self._forget()
        self._module_of(default_bucket_key)  # its mistakes are told here

    def _forget(self) -> None:
        self._buckets: OrderedDict[Any, Module] = OrderedDict()
        self._let_go: set[Any] = set()
        self._curr_module: Module | None = None
        self._curr_bucket_key: Any = None
        self._monitor: Any = None
        self._grad_req: Any = None

    def _generated(self, key: Any) -> tuple[Symbol, Sequence[str] | None, Sequence[str] | None]:
        made = self._sym_gen(key)
        if not isinstance(made, tuple | list) or len(made) != 3:
            raise TypeError(f"sym_gen({key!r}) must give (symbol, data_names, label_names), got {made!r:.80}")
        return self._symbols.get(key, made[0]), made[1], made[2]

    def _module_of(self, key: Any) -> Module:
        return Module(*self._generated(key), **self._options)

    @staticmethod
    def load(
        prefix: str, epoch: int, sym_gen: SymGen | None = None, default_bucket_key: Hashable = None, **kwargs: Any
    ) -> BucketingModule:
        """A module from what `save_checkpoint` wrote; bind it before use.

        Args:
            prefix, epoch: as given to `save_checkpoint`.
            sym_gen, default_bucket_key, **kwargs: as for `BucketingModule`.

        Raises:
            StateError: `sym_gen` or `default_bucket_key` is missing.
            MXNetError: a file is missing or damaged.
        """
        _refuse_none(sym_gen, default_bucket_key)
        found = load_arrays(f"{prefix}.buckets")
        if isinstance(found, dict) or len(found) != 1:
            raise MXNetError(f"{prefix}.buckets holds no list of keys; BucketingModule.save_checkpoint writes it")
        keys = found[0].asnumpy().tolist()
        symbols = {key: load_symbol(f"{prefix}-{key}-symbol.json") for key in map(_hashable, keys)}
        return BucketingModule.load_dict(symbols, sym_gen, default_bucket_key, *load_params(prefix, epoch), **kwargs)

    @staticmethod
    def load_dict(
        sym_dict: Mapping[Any, Symbol] | None = None,
        sym_gen: SymGen | None = None,
        default_bucket_key: Hashable = None,
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        **kwargs: Any,
    ) -> BucketingModule:
        """A module with symbols and parameters; bind it before use.

        Args:
            sym_dict: the symbols of buckets, which count instead of those that `sym_gen` gives.
            sym_gen, default_bucket_key, **kwargs: as for `BucketingModule`.
            arg_params, aux_params: parameters and auxiliary states by name.

        Raises:
            StateError: `sym_gen` or `default_bucket_key` is missing.
        """
        _refuse_none(sym_gen, default_bucket_key)
        module = BucketingModule(sym_gen, default_bucket_key, **kwargs)  # type: ignore[arg-type]
        module._symbols = dict(sym_dict or {})
        module._loaded, module.params_initialized = (arg_params or {}, aux_params or {}), True
        return module

    # Names and shapes, of the bucket of the latest batch.

    def _current(self, call: str, **needs: bool) -> Module:
        self._require(call, **needs)
        if self._curr_module is None:
            raise StateError(f"{call}: the module has no shapes yet; call bind(data_shapes, label_shapes) first")
        return self._curr_module

    @property
    def data_names(self) -> Sequence[str]:
        """Names of the data inputs."""
        if self._curr_module is None:
            return self._generated(self._default_bucket_key)[1] or ()
        return self._curr_module.data_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        if self._curr_module is None:
            return self._generated(self._default_bucket_key)[0].list_outputs()
        return self._curr_module.output_names

    @property
    def data_shapes(self) -> list[DataDesc]:
        """The data descriptions of the current bucket."""
        return self._current("data_shapes").data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """The label descriptions of the current bucket, None without labels."""
        return self._current("label_shapes").label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of each output of the current bucket."""
        return self._current("output_shapes").output_shapes

    @property
    def symbol(self) -> Symbol:
        """The symbol of the current bucket."""
        return self._current("symbol").symbol

    # Binding.

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Any = None,
        grad_req: Any = "write",
    ) -> None:
        """Bind the default bucket; the arguments are those of `Module.bind`.

        Raises:
            StateError: there is a `shared_module`, which buckets do not support, and what `Module.bind` raises.
        """
        if shared_module is not None:
            raise StateError("shared_module for BucketingModule is not supported: its buckets share among themselves")
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        kept = self.get_params() if self.binded and self.params_initialized else self._loaded
        module = self._module_of(self._default_bucket_key)
        if kept is not None:
            module._loaded, module.params_initialized = kept, True
        module.bind(data_shapes, label_shapes, for_training, inputs_need_grad, grad_req=grad_req)
        self._forget()
        self._loaded = None
        self._curr_module, self._curr_bucket_key = module, self._default_bucket_key
        self._buckets[self._default_bucket_key] = module
        self._grad_req = grad_req
        self.binded, self.for_training, self.inputs_need_grad = True, for_training, inputs_need_grad
        self.optimizer_initialized = False

    def switch_bucket(self, bucket_key: Any, data_shapes: Any, label_shapes: Any = None) -> None:
        """Make another bucket the current one; it is bound when it is new.

        Args:
            bucket_key: its key.
            data_shapes, label_shapes: what it is bound to.

        Raises:
            StateError: the module is not bound, or the bucket's symbol has parameters that the default one lacks.
            RuntimeError: shapes do not fit the symbol, or a parameter would have another shape than in the default
                bucket.
        """
        current = self._current("switch_bucket")
        current._settle()
        if bucket_key not in self._buckets:
            self._buckets[bucket_key] = self._bound(bucket_key, data_shapes, label_shapes)
            self._make_room(bucket_key)
        self._buckets.move_to_end(bucket_key)
        self._curr_module, self._curr_bucket_key = self._buckets[bucket_key], bucket_key

    def _bound(self, key: Any, data_shapes: Any, label_shapes: Any) -> Module:
        default = self._buckets[self._default_bucket_key]
        module = self._module_of(key)
        extra = [
            n
            for n in (*module._param_names, *module._aux_names)
            if n not in {*default._param_names, *default._aux_names}
        ]
        if extra:
            raise StateError(
                f"the symbol of bucket {key!r} has parameters that the default bucket {self._default_bucket_key!r} "
                f"lacks: {', '.join(extra)}; all buckets share those of the default one"
            )
        if key in self._let_go:
            shapes = {d.name: tuple(d.shape) for d in [*descriptions(data_shapes), *descriptions(label_shapes)]}
            warnings.warn(
                f"bucket {key!r} is bound and compiled again, for {shapes}: there are more than {MAX_BUCKETS} buckets, "
                "which is what is kept; use fewer, or set mx.mod.bucketing_module.MAX_BUCKETS",
                stacklevel=4,
            )
        module.bind(
            data_shapes,
            label_shapes,
            self.for_training,
            self.inputs_need_grad,
            shared_module=default,
            grad_req=self._grad_req,
        )
        if self.optimizer_initialized:
            module.borrow_optimizer(default)
        if self._monitor is not None:
            module.install_monitor(self._monitor)
        return module

    def _make_room(self, newest: Any) -> None:
        kept = (newest, self._default_bucket_key, self._curr_bucket_key)
        for key in [k for k in self._buckets if k not in kept][: max(0, len(self._buckets) - MAX_BUCKETS)]:
            del self._buckets[key]
            self._let_go.add(key)

    def prepare(self, data_batch: Any, sparse_row_id_fn: Any = None) -> None:
        """Bind the bucket of the next batch; the current one stays."""
        self._require("prepare", params=True)
        key = self._curr_bucket_key
        self._switch_to(data_batch, "prepare")
        self._current("prepare").prepare(data_batch, sparse_row_id_fn)
        self._curr_module, self._curr_bucket_key = self._buckets[key], key

    def _switch_to(self, batch: Any, call: str) -> None:
        key, shapes = getattr(batch, "bucket_key", None), getattr(batch, "provide_data", None)
        if key is None or shapes is None:
            raise TypeError(
                f"{call}: a batch for a BucketingModule has bucket_key and provide_data (and provide_label), as "
                f"mx.io.DataBatch takes them; this one has bucket_key={key!r}, provide_data={shapes!r}"
            )
        self.switch_bucket(key, shapes, getattr(batch, "provide_label", None))

    # Parameters and optimizer.

    def _parts(self) -> list[Module]:
        return [self._buckets[self._default_bucket_key]]

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - MXNet's default, immutable
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give every parameter a value, for all buckets; the arguments are those of `Module.init_params`."""
        if self.params_initialized and not force_init:
            return
        self._require("init_params")
        default = self._buckets[self._default_bucket_key]
        default.init_params(initializer, arg_params, aux_params, allow_missing, force_init, allow_extra)
        for module in self._buckets.values():
            module.params_initialized = True
        self.params_initialized = True

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Copies of the parameters and the auxiliary states, by name."""
        self._require("get_params", params=True)
        self._current("get_params")._settle()
        return self._buckets[self._default_bucket_key].get_params()

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Give all buckets one optimizer; the arguments are those of `Module.init_optimizer`."""
        self._require("init_optimizer", params=True)
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        default = self._buckets[self._default_bucket_key]
        default.init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        for module in self._buckets.values():
            if module is not default:
                module.borrow_optimizer(default)
        self.optimizer_initialized = True

    # By the batch, in its bucket.

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Switch to the bucket of the batch and compute its outputs; see `Module.forward`.

        Raises:
            TypeError: the batch names no bucket.
        """
        self._require("forward", params=True)
        self._switch_to(data_batch, "forward")
        self._current("forward").forward(data_batch, is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients; see `Module.backward`."""
        self._current("backward", params=True).backward(out_grads)

    def update(self) -> None:
        """Step the optimizer; see `Module.update`. Parameters that the current bucket lacks stay as they are."""
        self._current("update", params=True, optimizer=True).update()

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """The outputs of the last forward; see `Module.get_outputs`."""
        return self._current("get_outputs", params=True).get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """The gradients of the data inputs; see `Module.get_input_grads`."""
        return self._current("get_input_grads", params=True).get_input_grads(merge_multi_context)

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """The arrays of `state_names`; see `Module.get_states`."""
        return self._current("get_states", params=True).get_states(merge_multi_context)

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the arrays of `state_names`; see `Module.set_states`."""
        self._current("set_states", params=True).set_states(states, value)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Count the outputs of the last forward into `eval_metric`; see `Module.update_metric`."""
        self._current("update_metric", params=True).update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a `mx.mon.Monitor` see the values inside of all buckets, those to come included."""
        self._require("install_monitor")
        self._monitor = mon
        for module in self._buckets.values():
            module.install_monitor(mon)

    def save_checkpoint(self, prefix: str, epoch: int, remove_amp_cast: bool = False) -> None:
        """Write ``PREFIX.buckets``, a symbol ``PREFIX-KEY-symbol.json`` for each bucket, and ``PREFIX-EPOCH.params``.

        Args:
            prefix: path without the endings.
            epoch: goes into the name as four digits.
            remove_amp_cast: leave nodes that only cast for mixed precision out of the symbols.

        Raises:
            MXNetError: the keys are no numbers and no tuples of numbers of one length.
        """
        self._require("save_checkpoint", params=True)
        keys = list(self._buckets)
        try:
            table = np.array(keys, np.int32)
        except (TypeError, ValueError) as e:
            raise MXNetError(
                f"save_checkpoint: the keys of buckets must be numbers or tuples of them, got {keys}"
            ) from e
        for key, module in self._buckets.items():
            module.symbol.save(f"{prefix}-{key}-symbol.json", remove_amp_cast=remove_amp_cast)
        save_arrays(f"{prefix}.buckets", [array(table, dtype=np.int32)])
        self.save_params(f"{prefix}-{epoch:04d}.params")


def _hashable(key: Any) -> Any:
    return tuple(map(_hashable, key)) if isinstance(key, list) else key


def _refuse_none(sym_gen: Any, default_bucket_key: Any) -> None:
    for name, given in (("sym_gen", sym_gen), ("default_bucket_key", default_bucket_key)):
        if given is None:
            raise StateError(f"{name} is required for loading BucketingModule")
