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


def solve(sig: str, shapes: Shapes, sizes: Mapping[str, int]) -> Shapes:
    """Fill in what `sig` implies about each of `shapes` (inputs, then outputs).

    `sizes` are dimensions known by name, such as the integer parameters of an operator.
    Raises Mismatch when a known shape contradicts every alternative of the signature.
    """
    first: Mismatch | None = None
    for alternative in sig.split("|"):
        try:
            return _solve(alternative, shapes, dict(sizes))
        except Mismatch as e:
            first = first or e
    raise first or Mismatch(f"the signature {sig!r} is empty")


def _solve(sig: str, shapes: Shapes, dims: dict[str, int]) -> Shapes:
    arrays, _ = parse(sig)
    if len(arrays) != len(shapes):
        raise Mismatch(f"expected {len(arrays)} arrays, got {len(shapes)}")
    runs: dict[str, Shape] = {}
    shapes = list(shapes)
    for _ in range(len(arrays) + 1):  # one fact can travel at most once through every array
        before = list(shapes)
        for terms, shape in zip(arrays, shapes, strict=True):
            if shape is not None:
                _read(terms, shape, dims, runs)
        shapes = [_join_known(_write(terms, dims, runs), s) for terms, s in zip(arrays, shapes, strict=True)]
        if shapes == before:
            return shapes
    return shapes


def _join_known(new: Shape | None, old: Shape | None) -> Shape | None:
    return old if new is None else new if old is None else tuple(a or b for a, b in zip(new, old, strict=True))


def _read(terms: tuple[str, ...], shape: Shape, dims: dict[str, int], runs: dict[str, Shape]) -> None:
    star = next((i for i, t in enumerate(terms) if t[0] == "*"), None)
    n_run = len(shape) - (len(terms) - 1) if star is not None else 0
    if n_run < 0 or (star is None and len(shape) != len(terms)):
        raise Mismatch(f"expected ({', '.join(terms)}), got {shape}")
    sizes = iter(shape)
    for t in terms:
        if t[0] == "*":
            got = tuple(next(sizes) for _ in range(n_run))
            old = runs.get(t[1:], got)
            if len(old) != len(got):
                raise Mismatch(f"{t} is both {old} and {got}")
            runs[t[1:]] = tuple(join(a, b, f"a size of {t}") for a, b in zip(old, got, strict=True))
            continue
        size = next(sizes)
        if t.isdigit():
            join(int(t), size, "a fixed size")
        elif t[0] == "(":
            run = runs.get(t[2:-1])
            if run is not None and all(run):
                join(math.prod(run), size, t)
        else:
            dims[t] = join(dims.get(t, 0), size, t)


def _write(terms: tuple[str, ...], dims: dict[str, int], runs: dict[str, Shape]) -> Shape | None:
    out: list[int] = []
    for t in terms:
        if t[0] == "*":
            if t[1:] not in runs:
                return None
            out += runs[t[1:]]
        elif t.isdigit():
            out.append(int(t))
        elif t[0] == "(":
            run = runs.get(t[2:-1])
            out.append(math.prod(run) if run is not None and all(run) else 0)
        else:
            out.append(dims.get(t, 0))
    return tuple(out)


def solve_dtypes(sig: str | None, dtypes: Sequence[str | None], values: Mapping[str, Any]) -> DTypes:
    """Fill in what `sig` implies about each of `dtypes` (inputs, then outputs).

    None as a signature: all arrays have one dtype. `values` are the operator's parameters for ``{parameter}`` terms.
    """
    terms = [t for (t,) in parse(sig)[0]] if sig else ["t"] * len(dtypes)
    if len(terms) != len(dtypes):
        raise Mismatch(f"expected {len(terms)} arrays, got {len(dtypes)}")
    found: dict[str, str] = {}
    for t, dtype in zip(terms, dtypes, strict=True):
        if dtype is None:
            continue
        want = _fixed_dtype(t, values) or found.setdefault(t, dtype)
        if want != dtype:
            raise Mismatch(
                f"dtype {t} cannot be both {want} and {dtype}" if t in found else f"dtype {dtype} must be {want}"
            )
    return [d or _fixed_dtype(t, values) or found.get(t) for t, d in zip(terms, dtypes, strict=True)]


def _fixed_dtype(term: str, values: Mapping[str, Any]) -> str | None:
    if term[0] == "{":
        return values[term[1:-1]]
    return term if term in TYPE_FLAGS else None
