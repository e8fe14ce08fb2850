# SPDX-License-Identifier: Apache-2.0
"""The methods of a Symbol that run it, or prepare it to be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

from mxlite_compiler.errors import explain, nearest
from mxlite_compiler.graph import Graph

from ..base import MXNetError
from ..context import Context, current_context
from . import inference

#: What `Symbol.optimize_for` takes. XLA fuses and lays out every program, so nothing is left to do for the graph.
BACKENDS = ("XLA",)


class Binder(NamedTuple):
    """How a symbol becomes an executor; see `Executable._executor_factory`."""

    bind: Callable[..., Any]
    simple_bind: Callable[..., Any]


class Executable:
    """`bind`, `eval` and their like."""

    #: `mxlite.executor` stands above this module and sets this when it is imported, so that `bind` needs no import
    #: from below: layers import only downwards, and a graph can be built without the machinery that runs it.
    _executor_factory: ClassVar[Binder | None] = None

    __slots__ = ()

    _graph: Graph

    def _binder(self) -> Binder:
        if self._executor_factory is None:
            raise MXNetError("nothing to run symbols with is loaded; import mxlite.executor, or all of mxlite")
        return self._executor_factory

    def bind(
        self,
        ctx: Context | None,
        args: Any,
        args_grad: Any = None,
        grad_req: Any = "write",
        aux_states: Any = None,
        group2ctx: Mapping[str, Context] | None = None,
        shared_exec: Any = None,
    ) -> Any:
        """An `Executor` that runs this symbol on the given arrays.

        Args:
            ctx: the device.
            args: the arguments, a list in the order of `list_arguments` or a dict by name. The executor keeps these
                very arrays, in their storage; the graph computes densely, whatever that is.
            args_grad: where gradients go, as a list or dict; no gradient for what is left out. A row_sparse array gets
                the rows that the ids of an Embedding or the columns of a csr matrix name, or those that are not zero.
            grad_req: "write", "add" or "null", for all, as a list or by name.
            aux_states: the auxiliary states, as a list or dict.
            group2ctx: devices by the attribute ``ctx_group``; nodes without it are on `ctx`.
            shared_exec: accepted for MXNet's signature. All arrays are given, so nothing is left to share but what XLA
                allocates inside of its programs.

        Raises:
            ValueError: an array is missing.
            TypeError: something is no NDArray.
            MXNetError: a shape or dtype does not fit; the message names the node.
        """
        return self._binder().bind(self, ctx, args, args_grad, grad_req, aux_states, group2ctx, shared_exec)

    _bind = bind

    def simple_bind(
        self,
        ctx: Context | None = None,
        grad_req: Any = "write",
        type_dict: Mapping[str, Any] | None = None,
        stype_dict: Mapping[str, str] | None = None,
        group2ctx: Mapping[str, Context] | None = None,
        shared_arg_names: Any = None,
        shared_exec: Any = None,
        shared_buffer: Any = None,
        **kwargs: Any,
    ) -> Any:
        """An `Executor` with arrays of its own, whose shapes are inferred from the keywords.

        Args:
            ctx: the device.
            grad_req: "write", "add" or "null", for all, as a list or by name. No array is made for "null".
            type_dict: dtypes by name.
            stype_dict: storages by name, "default", "csr" or "row_sparse", before those that Variables have; what
                neither names is dense. Gradients and outputs get the storage that MXNet infers; the graph itself
                computes densely.
            group2ctx: devices by the attribute ``ctx_group``; arrays are made where the nodes that read them are.
            shared_arg_names: the arguments that this executor takes from `shared_exec`, with their gradients.
            shared_exec: the executor to share them, and the auxiliary states, with; without `shared_buffer` nothing
                is shared, as in MXNet.
            shared_buffer: a dict of arrays by name. The other arguments are beginnings of its arrays where these are
                large enough; new ones are put into it. Sparse arrays are not shared in this way.
            kwargs: shapes by name.

        Raises:
            RuntimeError: the shapes cannot be decided or contradict.
        """
        return self._binder().simple_bind(
            self,
            ctx,
            grad_req,
            type_dict,
            stype_dict,
            group2ctx,
            shared_arg_names,
            shared_exec,
            shared_buffer,
            **kwargs,
        )

    def eval(self, ctx: Context | None = None, **kwargs: Any) -> Any:
        """The outputs, a list of NDArrays, for the arrays given by name.

        Raises:
            ValueError: an argument is missing.
        """
        return self.bind(current_context() if ctx is None else ctx, kwargs).forward()

    def gradient(self, wrt: Any) -> NoReturn:
        """Not there, as in MXNet: bind the symbol and call `backward`. Raises MXNetError."""
        hint = "bind the symbol and call backward(), or use mx.autograd"
        raise MXNetError(explain("not implemented", op="Symbol.gradient", hint=hint))

    def get_backend_symbol(self, backend: str) -> Self:
        """This symbol as `backend` wants it: a copy, because XLA rewrites programs itself.

        Args:
            backend: "XLA", in capitals or not.

        Raises:
            MXNetError: there is no such backend.
        """
        _check_backend(backend)
        return copy(self)

    def optimize_for(
        self,
        backend: str,
        args: Mapping[str, Any] | None = None,
        aux: Mapping[str, Any] | None = None,
        ctx: Context | None = None,
        shape_dict: Mapping[str, Any] | None = None,
        type_dict: Mapping[str, Any] | None = None,
        stype_dict: Mapping[str, str] | None = None,
        skip_infer: bool = False,
        **kwargs: Any,
    ) -> Self:
        """This symbol as `backend` wants it: a copy, because XLA rewrites programs itself.

        Args:
            backend: "XLA", in capitals or not.
            args: the arguments by name; shapes are inferred from them, so that contradictions show early.
            aux: the auxiliary states by name.
            ctx, stype_dict, kwargs: accepted for MXNet's signature.
            shape_dict: shapes by name, instead of arrays.
            type_dict: dtypes by name, instead of arrays.
            skip_infer: infer nothing.

        Raises:
            AssertionError: `backend` is no text, or `args` or `aux` no dict.
            MXNetError: there is no such backend, or shapes or dtypes contradict.
        """
        for what, value in (("args", args), ("aux", aux)):
            if value is not None and not isinstance(value, Mapping):
                raise AssertionError(f"optimize_for: {what} must be a dict of NDArrays by name, got {value!r:.80}")
        _check_backend(backend)
        given = {**(args or {}), **(aux or {})}
        shapes = {**{k: v.shape for k, v in given.items()}, **(shape_dict or {})}
        types = {**{k: v.dtype for k, v in given.items()}, **(type_dict or {})}
        if not skip_infer:
            names = [*self._graph.argument_names, *self._graph.aux_names]  # checkpoints may hold more
            inference.shapes_partial(self._graph, (), {k: shapes[k] for k in names if k in shapes})
            inference.dtypes_partial(self._graph, (), {k: types[k] for k in names if k in types})
        return copy(self)


def _check_backend(name: Any) -> None:
    if not isinstance(name, str):
        raise AssertionError(f"the backend must be given by its name, got {name!r}")
    if name.upper() not in BACKENDS:
        raise MXNetError(
            f"backend {name!r} cannot be found{nearest(name.upper(), BACKENDS)}; there is: {', '.join(BACKENDS)}, "
            "which every program is compiled with anyway"
        )
