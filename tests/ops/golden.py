# SPDX-License-Identifier: Apache-2.0
"""Recorded results of MXNet 1.9.1 operators, and the same calls made with `mxlite_compiler`.

``tests/golden/ops/golden_ops.json`` lists the cases; the numbers lie in ``golden_ops.npz``, one flat buffer a dtype.
An array is written ``[dtype, offset, shape]``. All cases of one operator run in one compiled program: compiling 1,200
small programs one by one would take minutes.
"""

from __future__ import annotations

import dataclasses
import json
import math
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mxlite_compiler.ops  # noqa: F401 - registers the operators
from mxlite_compiler.op import OPS, Mode, Op

FOLDER = Path(__file__).parents[1] / "golden" / "ops"
KEY = np.array([0, 42], np.uint32)

Arrays = dict[int, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """One recorded call of the function `fn`. Dictionaries go from the number of an input or output to an array."""

    id: str
    op: str
    fn: str
    attrs: dict[str, Any]
    train: bool
    inputs: tuple[np.ndarray, ...]
    input_names: tuple[str | None, ...]
    outputs: tuple[np.ndarray, ...]
    head_grads: Arrays
    grads: Arrays
    inputs_after: Arrays
    stochastic: bool
    note: str

    @property
    def operator(self) -> Op:
        return OPS[self.op]

    def bind(self) -> Any:
        """The parameters, with the number of inputs that the front ends fill in."""
        attrs = of_operator(self)
        if self.operator.variadic and self.operator.variadic in self.operator.param_types:
            attrs.setdefault(self.operator.variadic, len(self.inputs))
        return self.operator.bind(attrs)

    def order(self, p: Any) -> list[int]:
        """For every input of the operator the number of the recorded input."""
        names = self.operator.inputs(p)
        if not any(self.input_names):
            return list(range(len(self.inputs)))
        given = {n or names[i]: i for i, n in enumerate(self.input_names)}
        return [given[n] for n in names]


@dataclasses.dataclass(frozen=True)
class Result:
    """What `mxlite_compiler` makes of a case, hidden outputs included, or the exception it raised."""

    outputs: tuple[np.ndarray, ...] = ()
    grads: Arrays = dataclasses.field(default_factory=dict)
    inputs_after: Arrays = dataclasses.field(default_factory=dict)
    error: Exception | None = None


@lru_cache(maxsize=1)
def all_cases() -> dict[str, Case]:
    """Every recorded case by its id."""
    with np.load(FOLDER / "golden_ops.npz") as buffers:
        flat = {name: buffers[name] for name in buffers.files}
    records = json.loads((FOLDER / "golden_ops.json").read_text())["cases"]

    def array(ref: list[Any]) -> np.ndarray:
        dtype, offset, shape = ref
        return flat[dtype][offset : offset + math.prod(shape)].reshape(shape)

    def numbered(refs: dict[str, list[Any]]) -> Arrays:
        return {int(i): array(ref) for i, ref in refs.items()}

    return {
        r["id"]: Case(
            id=r["id"],
            op=r["op"],
            fn=r["fn"],
            attrs={k: _tuples(v) for k, v in r["attrs"].items()},
            train=r["mode"] == "train",
            inputs=tuple(map(array, r["inputs"])),
            input_names=tuple(r.get("input_names", [None] * len(r["inputs"]))),
            outputs=tuple(map(array, r["outputs"])),
            head_grads=numbered(r.get("head_grads", {})),
            grads=numbered(r.get("grads", {})),
            inputs_after=numbered(r.get("inputs_after", {})),
            stochastic=bool(r.get("stochastic")),
            note=r.get("note", ""),
        )
        for r in records
    }


def of_operator(case: Case) -> dict[str, Any]:
    """The operator's own parameters, where the recorded function is a wrapper written in Python."""
    attrs = dict(case.attrs)
    if "indices_or_sections" in attrs:
        parts = attrs.pop("indices_or_sections")
        many = isinstance(parts, tuple)
        attrs = {"axis": 0, **attrs, "indices": (0, *parts) if many else (), "sections": 0 if many else parts}
    if case.op == "_contrib_boolean_mask":  # the compiled form is told how many rows are kept
        attrs["size"] = len(case.outputs[0])
    return attrs


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


#: Optimising the code of a program that runs once costs more than it gives back.
_QUICK = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}


@cache
def quick_compile() -> dict[str, Any]:
    """Those compiler options that this XLA knows and that make it compile faster; none but on a CPU."""

    def known(name: str) -> bool:
        try:
            jax.jit(lambda x: x, compiler_options={name: _QUICK[name]})(np.float32(0))
        except Exception:  # noqa: BLE001 - XLA raises what it likes
            return False
        return True

    return {name: value for name, value in _QUICK.items() if known(name)} if jax.default_backend() == "cpu" else {}


@cache
def results(op: str, ids: tuple[str, ...]) -> dict[str, Result]:
    """Run the cases `ids`, all of operator `op`, in one program."""
    cases = [all_cases()[i] for i in ids]
    errors: dict[str, Exception] = {}

    def run_all(arrays: list[Any], heads: list[dict[int, Any]]) -> list[Any]:
        out = []
        for case, xs, hs in zip(cases, arrays, heads, strict=True):
            try:
                out.append(call(case, xs, hs))
            except Exception as e:  # noqa: BLE001 - it belongs to the test of this one case
                errors[case.id] = e
                out.append(None)
        return out

    program = jax.jit(run_all, compiler_options=quick_compile())
    done = jax.device_get(program([c.inputs for c in cases], [c.head_grads for c in cases]))
    return {
        case.id: Result(error=errors[case.id]) if case.id in errors else Result(*out)
        for case, out in zip(cases, done, strict=True)
    }


def call(case: Case, arrays: Any, heads: dict[int, Any]) -> tuple[Any, Any, Any]:
    """Outputs, gradients and modified inputs of `case`, as traced values."""
    p = case.bind()
    order = case.order(p)
    wanted = sorted(case.grads)
    fixed = [jnp.asarray(x) for x in arrays]

    def forward(*chosen: Any) -> Any:
        xs = list(fixed)
        for i, x in zip(wanted, chosen, strict=True):
            xs[i] = x
        return case.operator.apply(p, *(xs[i] for i in order), mode=Mode(case.train, jnp.asarray(KEY)))

    if not wanted:
        outs, written = forward()
        grads = {}
    else:
        outs, pull, written = jax.vjp(forward, *(fixed[i] for i in wanted), has_aux=True)
        grads = dict(zip(wanted, pull(tuple(_head(heads.get(i), y) for i, y in enumerate(outs))), strict=True))
    names = case.operator.inputs(p)
    after = {order[names.index(n)]: w for n, w in zip(case.operator.mutates(p), written, strict=True)}
    return tuple(outs), grads, after


def _head(head: Any, y: jax.Array) -> Any:
    if not jnp.issubdtype(y.dtype, jnp.inexact):
        return np.zeros(y.shape, jax.dtypes.float0)
    return jnp.zeros_like(y) if head is None else jnp.asarray(head).astype(y.dtype).reshape(y.shape)


def cases_of_registered(exclude: Any = ()) -> list[Case]:
    """The cases whose operator exists, without the ids in `exclude`."""
    return [c for c in all_cases().values() if c.op in OPS and c.id not in exclude]


def assert_close(got: np.ndarray, want: np.ndarray, rtol: float, what: str) -> None:
    """Same shape, dtype, places of nan and inf, and values within `rtol` of the value or of the array's scale."""
    assert got.shape == want.shape, f"{what}: shape {got.shape}, MXNet {want.shape}"
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype}, MXNet {want.dtype}"
    if not np.issubdtype(want.dtype, np.inexact):
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    finite = np.abs(want[np.isfinite(want)], dtype=np.float64)
    atol = rtol / 10 * max(1.0, float(finite.max(initial=0)))
    np.testing.assert_allclose(
        got.astype(np.float64), want.astype(np.float64), rtol, atol, equal_nan=True, err_msg=what
    )
