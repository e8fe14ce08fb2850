# SPDX-License-Identifier: Apache-2.0
"""`Function`: a computation with a gradient that the user writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax

from ..base import EagerScope, MXNetError, eager_mode, explain
from ..ndarray import NDArray, zeros
from ..ndarray.tape import Arrays, Call, Cotangents, check_targets, record


class Function:
    """A differentiable function of arrays, written in Python: subclass it, define `forward` and `backward`, call it.

    ```python
    class Sigmoid(mx.autograd.Function):
        def forward(self, x):
            y = 1 / (1 + mx.nd.exp(-x))
            self.save_for_backward(y)
            return y

        def backward(self, dy):
            (y,) = self.saved_tensors
            return dy * y * (1 - y)

    with mx.autograd.record():
        y = Sigmoid()(x)
    ```

    Nothing inside `forward` and `backward` is recorded. An instance serves one call.
    """

    def __init__(self) -> None:
        self._used = False
        self.saved_tensors: Sequence[Any] = ()

    def save_for_backward(self, *args: Any) -> None:
        """Keep arrays for `backward`, which finds them in `saved_tensors`."""
        self.saved_tensors = args

    def __call__(self, *inputs: NDArray) -> Any:
        """Run `forward`, and record it where calls are recorded.

        Raises AssertionError for a second call of one instance, MXNetError when `forward` returns an array that is
        part of a recorded computation already.
        """
        if self._used:
            raise AssertionError(f"an instance of {type(self).__name__} serves one call; make another one")
        self._used = True
        recording = eager_mode.recording
        values = [x._data for x in inputs if isinstance(x, NDArray)] if recording else []
        with EagerScope(recording=False), _user_code(self, "forward"):
            outputs = self.forward(*inputs)
        if recording:
            results = [outputs] if isinstance(outputs, NDArray) else list(outputs)
            arrays = [x for x in inputs if isinstance(x, NDArray)]
            for i, result in enumerate(results):
                if not isinstance(result, NDArray):
                    raise TypeError(f"{type(self).__name__}.forward: output {i} is no NDArray but {result!r:.80}")
            check_targets(results, arrays)
            record(_FUNCTION, self, arrays, values, [r._data for r in results], results)
        return outputs

    def forward(self, *inputs: NDArray) -> Any:
        """The output, or a tuple of them, from the inputs."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, *inputs)")

    def backward(self, *output_grads: NDArray) -> Any:
        """The gradient of the input, or a tuple of those of all inputs, from the gradients of the outputs."""
        raise NotImplementedError(f"{type(self).__name__} must define backward(self, *output_grads)")


@contextmanager
def _user_code(function: Function, method: str) -> Iterator[None]:
    """Let an exception of user code surface as itself, with a note that says where it comes from."""
    try:
        yield
    except Exception as e:
        e.add_note(f"raised by {method} of the autograd.Function {type(function).__name__}")
        raise


class _FunctionCall(Call):
    """How a `Function`, the extras of its node, is on the tape."""

    __slots__ = ()
    name = "_CustomFunction"
    host = True

    def host_backward(
        self, extras: Any, inputs: Arrays, outs: Arrays, heads: Cotangents, train: bool
    ) -> list[jax.Array | None]:
        given = [
            zeros(o.shape, dtype=o.dtype, ctx=_context(o)) if h is None else NDArray._wrap(h)
            for h, o in zip(heads, outs, strict=True)
        ]
        with EagerScope(False, train), _user_code(extras, "backward"):
            found = extras.backward(*given)
        found = [found] if isinstance(found, NDArray) else list(found)
        if len(found) != len(inputs):
            raise MXNetError(
                explain(f"backward returned {len(found)} gradients for {len(inputs)} inputs", op=type(extras).__name__)
            )
        return [self._fitted(extras, i, g, x) for i, (g, x) in enumerate(zip(found, inputs, strict=True))]

    def _fitted(self, function: Function, i: int, gradient: Any, x: jax.Array) -> jax.Array | None:
        """The gradient of input `i` in its shape and dtype."""
        if gradient is None:
            return None
        if not isinstance(gradient, NDArray):
            raise MXNetError(
                explain(f"the gradient of input {i} is no NDArray but {gradient!r:.80}", op=type(function).__name__)
            )
        if gradient.shape == x.shape and gradient.dtype == x.dtype and gradient._data.devices() == x.devices():
            return gradient._data
        like = zeros(x.shape, dtype=x.dtype, ctx=_context(x))
        try:
            like[:] = gradient
        except ValueError as e:
            raise MXNetError(explain(f"the gradient of input {i}: {e}", op=type(function).__name__)) from None
        return like._data

    def operators(self, extras: Any) -> list[tuple[str, dict[str, Any]]]:
        raise MXNetError(explain("a Function is Python code, which a symbol cannot hold", op=type(extras).__name__))


_FUNCTION = _FunctionCall()


def _context(x: jax.Array) -> Any:
    return NDArray._wrap(x).context
