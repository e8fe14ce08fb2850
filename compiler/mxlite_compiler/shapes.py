# SPDX-License-Identifier: Apache-2.0
"""Shape signatures: ``"n *k, h (*k), h -> n h"``, solved in both directions.

A term is a dimension (``n``), a run of dimensions (``*k``), the product of a run (``(*k)``) or a literal size.
Arrays are separated by commas, alternatives by ``|``. As in MXNet an unknown size is 0 and an unknown rank is None.
Dtype signatures (``"i, t -> t"``) have the same form with one term an array: a type variable, a dtype, or
``{parameter}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from .errors import Mismatch
from .params import TYPE_FLAGS, Shape

Shapes = list[Shape | None]
DTypes = list[str | None]


@cache
def parse(sig: str) -> tuple[tuple[tuple[str, ...], ...], int]:
    """The terms of every array of `sig`, and how many of the arrays are inputs."""
    left, right = ([a for a in part.split(",") if a.strip()] for part in sig.split("->"))
    return tuple(tuple(array.split()) for array in left + right), len(left)


def join(a: int, b: int, what: str) -> int:
    """The one size that `a` and `b` (0: unknown) agree on."""
    if a and b and a != b:
        raise Mismatch(f"{what} cannot be both {a} and {b}")
    return a or b


def join_shapes(a: Shape | None, b: Shape | None, what: str = "shape") -> Shape | None:
    """What two partial shapes of one array say together."""
    if a is None or b is None:
        return a if b is None else b
    if len(a) != len(b):
        raise Mismatch(f"{what} cannot be both {a} and {b}")
    return tuple(join(x, y, f"axis {i} of {what}") for i, (x, y) in enumerate(zip(a, b, strict=True)))


def known(shape: Shape | None) -> bool:
    """Whether every size of `shape` is known."""
    return shape is not None and all(shape)


def broadcast(lhs: Shape | None, rhs: Shape | None) -> Shape | None:
    """The shape of `lhs` and `rhs` broadcast against each other, as far as it is known."""
    if lhs is None or rhs is None:
        return None
    n = max(len(lhs), len(rhs))
    left, right = (1,) * (n - len(lhs)) + tuple(lhs), (1,) * (n - len(rhs)) + tuple(rhs)
    for a, b in zip(left, right, strict=True):
        if a != b and 1 not in (a, b) and a and b:
            raise Mismatch(f"shapes {tuple(lhs)} and {tuple(rhs)} do not broadcast: {a} against {b}")
    # An unknown size against 1 stays unknown; against n > 1 it can only become n.
    return tuple(b if a == 1 else a if b == 1 else a or b for a, b in zip(left, right, strict=True))


def solve(sig: str, shapes: Shapes, sizes: Mapping[str, int], names: Sequence[str] = ()) -> Shapes:
    """Fill in what `sig` implies about each of `shapes` (inputs, then outputs).

    `sizes` are dimensions known by name, such as the integer parameters of an operator; `names` are those of the
    arrays, for errors. Raises Mismatch when a known shape contradicts every alternative of the signature.
    """
    names = names or [f"array {i}" for i in range(len(shapes))]
    first: Mismatch | None = None
    for alternative in sig.split("|"):
        try:
            return _Solver(sizes, names).solve(alternative, shapes)
        except Mismatch as e:
            first = first or e
    raise first or Mismatch(f"the signature {sig!r} is empty")


class _Solver:
    """What one alternative of a signature has learned: every size and run with the place that said it first."""

    def __init__(self, sizes: Mapping[str, int], names: Sequence[str]):
        self.names = names
        self.dims = {name: (size, name) for name, size in sizes.items()}
        self.runs: dict[str, tuple[Shape, list[str]]] = {}

    def solve(self, sig: str, shapes: Shapes) -> Shapes:
        arrays, _ = parse(sig)
        if len(arrays) != len(shapes):
            raise Mismatch(f"expected {len(arrays)} arrays, got {len(shapes)}")
        shapes = list(shapes)
        for _ in range(len(arrays) + 1):  # one fact can travel at most once through every array
            before = list(shapes)
            for name, terms, shape in zip(self.names, arrays, shapes, strict=True):
                if shape is not None:
                    self._read(name, terms, shape)
            shapes = [_join_known(self._write(terms), s) for terms, s in zip(arrays, shapes, strict=True)]
            if shapes == before:
                return shapes
        return shapes

    def _read(self, name: str, terms: tuple[str, ...], shape: Shape) -> None:
        star = next((i for i, t in enumerate(terms) if t[0] == "*"), None)
        n_run = len(shape) - (len(terms) - 1) if star is not None else 0
        if n_run < 0 or (star is None and len(shape) != len(terms)):
            many = f"{'at least ' if star is not None else ''}{len(terms) - (star is not None)}"
            raise Mismatch(f"{name}: expected {many} axes ({', '.join(terms)}), got {shape}")
        axis = 0
        for t in terms:
            if t[0] == "*":
                self._read_run(name, t[1:], shape[axis : axis + n_run], axis)
                axis += n_run
                continue
            size, here = shape[axis], f"axis {axis} of {name}"
            if t.isdigit():
                join(int(t), size, here)
            elif t[0] == "(":
                run, there = self.runs.get(t[2:-1], ((0,), []))
                if all(run):
                    _agree(math.prod(run), " times ".join(there) or "1", size, here)
            elif size or t not in self.dims:
                self.dims[t] = _agree(*self.dims.get(t, (0, "")), size, here)
            axis += 1

    def _read_run(self, name: str, run: str, sizes: Shape, axis: int) -> None:
        here = [f"axis {axis + i} of {name}" for i in range(len(sizes))]
        old, there = self.runs.get(run, (sizes, here))
        if len(old) != len(sizes):
            whose = there[0].partition(" of ")[2] if there else "another array"
            raise Mismatch(f"{name} has {len(sizes)} axes where {whose} has {len(old)}: {sizes} against {old}")
        agreed = [_agree(a, x, b, y) for a, x, b, y in zip(old, there, sizes, here, strict=True)]
        self.runs[run] = tuple(size for size, _ in agreed), [where for _, where in agreed]

    def _write(self, terms: tuple[str, ...]) -> Shape | None:
        out: list[int] = []
        for t in terms:
            if t[0] == "*":
                if t[1:] not in self.runs:
                    return None
                out += self.runs[t[1:]][0]
            elif t.isdigit():
                out.append(int(t))
            elif t[0] == "(":
                run = self.runs.get(t[2:-1], ((0,), []))[0]
                out.append(math.prod(run) if all(run) else 0)
            else:
                out.append(self.dims.get(t, (0, ""))[0])
        return tuple(out)


def _agree(a: int, there: str, b: int, here: str) -> tuple[int, str]:
    """The one size that two places (0: unknown) agree on, and the place that says it."""
    if a and b and a != b:
        raise Mismatch(f"{there} and {here} cannot be both {a} and {b}")
    return (a, there) if a else (b, here)


def _join_known(new: Shape | None, old: Shape | None) -> Shape | None:
    return old if new is None else new if old is None else tuple(a or b for a, b in zip(new, old, strict=True))


def solve_dtypes(
    sig: str | None, dtypes: Sequence[str | None], values: Mapping[str, Any], names: Sequence[str] = ()
) -> DTypes:
    """Fill in what `sig` implies about each of `dtypes` (inputs, then outputs).

    None as a signature: all arrays have one dtype. `values` are the operator's parameters for ``{parameter}`` terms,
    `names` those of the arrays, for errors.
    """
    terms = [t for (t,) in parse(sig)[0]] if sig else ["t"] * len(dtypes)
    if len(terms) != len(dtypes):
        raise Mismatch(f"expected {len(terms)} arrays, got {len(dtypes)}")
    names = names or [f"array {i}" for i in range(len(dtypes))]
    found: dict[str, tuple[str, str]] = {}
    for name, t, dtype in zip(names, terms, dtypes, strict=True):
        if dtype is None:
            continue
        fixed = _fixed_dtype(t, values)
        if fixed and fixed != dtype:
            raise Mismatch(f"the dtype of {name} must be {fixed}, got {dtype}")
        want, first = found.setdefault(t, (dtype, name))
        if want != dtype:
            raise Mismatch(f"the dtypes of {first} and {name} cannot be both {want} and {dtype}")
    return [d or _fixed_dtype(t, values) or found.get(t, (None, ""))[0] for t, d in zip(terms, dtypes, strict=True)]


def _fixed_dtype(term: str, values: Mapping[str, Any]) -> str | None:
    if term[0] == "{":
        return values[term[1:-1]]
    return term if term in TYPE_FLAGS else None
