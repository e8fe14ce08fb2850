# SPDX-License-Identifier: Apache-2.0
"""What the operators on boxes share: overlaps, greedy suppression, greedy matching, orders.

Nothing here makes an n x n array: suppression goes on by blocks of boxes, matching by single rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from ..errors import Mismatch
from ..shapes import DTypes, solve_dtypes

Format = Literal["center", "corner"]

#: Boxes that are decided at once in `suppress`: a block against all is the largest array there.
BLOCK = 512


def floating(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    """The dtype rule: one floating type for all arrays."""
    done = solve_dtypes(None, [*ins, *outs], {})
    if done[0] is not None and done[0] not in ("float16", "float32", "float64", "bfloat16"):
        raise Mismatch(f"boxes must be floating point numbers, got {done[0]}")
    return done[: len(ins)], done[len(ins) :]


def single(p: Any, ins: DTypes, outs: DTypes) -> tuple[DTypes, DTypes]:
    """The dtype rule: all arrays are float32, the one type that MXNet's older operators on boxes know."""
    for given in (*ins, *outs):
        if given not in (None, "float32"):
            raise Mismatch(f"all arrays must be float32, got {given}")
    return ["float32"] * len(ins), ["float32"] * len(outs)


def variances_of(p: Any) -> None:
    """Check that there are four `variances`, each more than 0."""
    if len(p.variances) != 4 or not all(v > 0 for v in p.variances):
        raise Mismatch(f"variances={p.variances} must be 4 positive numbers, for x, y, width and height")


def corners(boxes: jax.Array, given: Format = "corner") -> tuple[jax.Array, ...]:
    """Left, top, right and bottom of `boxes` (..., 4): four arrays (...)."""
    a, b, c, d = (boxes[..., i] for i in range(4))
    if given == "corner":
        return a, b, c, d
    w, h = c / 2, d / 2
    return a - w, b - h, a + w, b + h


def centers(boxes: jax.Array, given: Format = "corner") -> tuple[jax.Array, ...]:
    """Center x and y, width and height of `boxes` (..., 4): four arrays (...)."""
    a, b, c, d = (boxes[..., i] for i in range(4))
    return (a, b, c, d) if given == "center" else ((a + c) / 2, (b + d) / 2, c - a, d - b)


def overlap(a: Any, b: Any, pixel: float = 0) -> jax.Array:
    """Intersection over union of boxes `a` and `b`, each left, top, right, bottom and area; they broadcast.

    Boxes that do not meet have 0. `pixel` is added to each side: 1 where the last pixel belongs to a box.
    """
    width = jnp.maximum(jnp.minimum(a[2], b[2]) - jnp.maximum(a[0], b[0]) + pixel, 0)
    height = jnp.maximum(jnp.minimum(a[3], b[3]) - jnp.maximum(a[1], b[1]) + pixel, 0)
    both = width * height
    union = a[4] + b[4] - both
    return jnp.where(both > 0, both / jnp.where(union == 0, 1, union), 0)


def with_area(sides: Any, pixel: float = 0) -> tuple[jax.Array, ...]:
    """`sides` (left, top, right, bottom) and the area, which is 0 for boxes turned inside out."""
    left, top, right, bottom = sides
    width, height = right - left + pixel, bottom - top + pixel
    return left, top, right, bottom, jnp.where((width < 0) | (height < 0), 0, width * height)


def descending(scores: jax.Array, valid: jax.Array, count: int = 0) -> jax.Array:
    """Places of `scores` (..., n), highest first and ties in order; those that are not `valid` come last.

    With `count`, only the first so many: (..., count), which takes much less time than a whole order.
    """
    if 0 < count < scores.shape[-1]:
        scores = jnp.where(scores == 0, 0, scores)  # top_k takes -0 for less than 0
        return lax.top_k(jnp.where(valid, scores, -jnp.inf), count)[1]
    key = jnp.where(valid, -scores, jnp.nan)  # which comes behind all numbers
    places = lax.broadcasted_iota(jnp.int32, key.shape, key.ndim - 1)
    return lax.sort((key, places), num_keys=1, is_stable=True)[1]


def compact(chosen: jax.Array, values: jax.Array) -> jax.Array:
    """The integers `values` (n,) where `chosen` (n,) is true, one after the other, and -1 behind them."""
    n = chosen.shape[0]
    to = jnp.where(chosen, jnp.cumsum(chosen, dtype=jnp.int32) - 1, n)
    return jnp.full(n, -1, jnp.int32).at[to].set(values, mode="drop")


def suppress(hits: Callable[[Any, Any], jax.Array], boxes: Any, valid: jax.Array, limit: int = 0) -> jax.Array:
    """Greedy non-maximum suppression: keep each box that no box kept before it hits.

    The first `BLOCK` boxes that are still undecided are decided among themselves, by iterating "kept is what no kept
    one before it hits" until it is true, and then they strike out all others that they hit. So the number of steps
    depends on how many boxes are kept, not on how many there are.

    Args:
        hits: (boxes, boxes) -> whether the first hits the second; broadcasts.
        boxes: arrays (n,), best box first.
        valid: (n,) which of them take part.
        limit: stop when that many are kept; 0: keep as many as there are. A few more than `limit` may be marked.

    Returns:
        (n,) which are kept.
    """
    n = valid.shape[0]
    block = min(BLOCK, n)
    places = jnp.arange(1, block + 1, dtype=jnp.int32)
    earlier = places[:, None] < places

    def undone(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        alive, kept = state
        more = jnp.any(alive)
        return more & (jnp.sum(kept, dtype=jnp.int32) < limit) if limit else more

    def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        alive, kept = state
        count = jnp.cumsum(alive, dtype=jnp.int32)
        pick = jnp.searchsorted(count, places).astype(jnp.int32)  # n where there are fewer than a block
        there = places <= count[-1]
        mine = jax.tree.map(lambda x: jnp.take(x, pick, mode="clip"), boxes)
        rows = jax.tree.map(lambda x: x[:, None], mine)
        before = hits(rows, mine) & earlier & there[:, None]

        def better(pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            return pair[1], there & ~jnp.any(before & pair[1][:, None], 0)

        stay = lax.while_loop(lambda pair: jnp.any(pair[0] != pair[1]), better, (jnp.zeros_like(there), there))[1]
        struck = jnp.any(hits(rows, boxes) & stay[:, None], 0)
        kept = kept.at[pick].set(stay, mode="drop")
        last = jnp.where(there[-1], pick[-1], n)
        return alive & ~struck & (jnp.arange(n, dtype=jnp.int32) > last), kept

    return lax.while_loop(undone, step, (valid, jnp.zeros_like(valid)))[1] if n else valid


def match(scores: jax.Array, threshold: float, limit: int = 0) -> tuple[jax.Array, jax.Array]:
    """Greedy bipartite matching: again and again the highest score whose row and column are free.

    Ties go to the lower row, then to the lower column. The best partner of each member of the shorter side is kept; it
    is looked for anew only when it turns out to be taken. So a match costs about one row, not the whole matrix.

    Args:
        scores: (rows, columns).
        threshold: only scores above it match.
        limit: number of matches; 0: as many as there are.

    Returns:
        (rows,) the column of every row, and (columns,) the row of every column; int32, -1 where there is none.
    """
    flip = scores.shape[0] > scores.shape[1]
    table = scores.T if flip else scores  # (short, long)
    table = jnp.where(table > threshold, table, -jnp.inf)  # NaN goes, too
    short, long = table.shape
    mine, theirs = jnp.arange(short, dtype=jnp.int32), jnp.arange(long, dtype=jnp.int32)

    def best_of(row: jax.Array) -> tuple[jax.Array, jax.Array]:
        top = jnp.max(row, -1)
        return top, jnp.min(jnp.where(row == top[..., None], theirs, long - 1), -1).astype(jnp.int32)

    def undone(state: Any) -> jax.Array:
        top, _, partner, _ = state
        more = jnp.max(top) > -jnp.inf
        return more & (jnp.sum(partner >= 0, dtype=jnp.int32) < limit) if limit > 0 else more

    def step(state: Any) -> Any:
        top, at, partner, free = state
        ties = top == jnp.max(top)
        order = at * short + mine if flip else mine * long + at
        s = lax.argmin(jnp.where(ties, order, short * long), 0, jnp.int32)
        to = at[s]
        good = free[to]
        new_top, new_at = best_of(jnp.where(free, table[s], -jnp.inf))
        top = top.at[s].set(jnp.where(good, -jnp.inf, new_top))
        return top, at.at[s].set(new_at), partner.at[s].set(jnp.where(good, to, -1)), free & (theirs != to)

    begin = (*best_of(table), jnp.full(short, -1, jnp.int32), jnp.ones(long, bool))
    partner = lax.while_loop(undone, step, begin)[2]
    back = jnp.full(long, -1, jnp.int32).at[jnp.where(partner < 0, long, partner)].set(mine, mode="drop")
    return (back, partner) if flip else (partner, back)
