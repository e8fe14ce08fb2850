# SPDX-License-Identifier: Apache-2.0
"""The log likelihood of marked Hawkes processes, Hawkes 1971, whose events make events of their mark more likely."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..op import op

Array = jax.Array


@op(
    "_contrib_hawkesll",
    "n k, k, k, n k, n t, n t, n, n -> n, n k",
    dtypes="t, t, t, t, t, int32, t, t -> t, t",
    outputs=("output", "out_state"),
    floats=True,
)
def hawkesll(lda, alpha, beta, state, lags, marks, valid_length, max_time):
    """The log likelihood of sequences of events under a Hawkes process with exponential kernels.

    The intensity of mark k is ``lda[k] + alpha[k] * sum(beta[k] * exp(-beta[k] * (t - t_i)))`` over the events with
    that mark before t. As in MXNet there are gradients of the likelihood, not of the state, and for `lda`, `alpha` and
    `beta` only.

    Args:
        lda: (n, k) background intensities of each sequence and mark.
        alpha: (k,) how many events one event causes.
        beta: (k,) how fast the excitement decays.
        state: (n, k) the excitement at time 0.
        lags: (n, t) times between the events.
        marks: (n, t) the marks of the events, int32.
        valid_length: (n,) how many events each sequence has.
        max_time: (n,) the length of the observed interval.

    Returns:
        The log likelihoods (n,), and the excitement (n, k) at the end.
    """
    state, lags, max_time = jax.lax.stop_gradient((state, lags, max_time))
    steps = lags.shape[1]
    n = jnp.arange(lda.shape[0], dtype=jnp.int32)

    def event(carry: tuple[Array, ...], now: tuple[Array, ...]) -> tuple[tuple[Array, ...], None]:
        likelihood, time, last, excited = carry
        lag, mark, valid = now
        time = jnp.where(valid, time + lag, time)
        gap = time - last[n, mark]
        kept = jnp.exp(-beta[mark] * gap)
        rate = lda[n, mark] + alpha[mark] * beta[mark] * excited[n, mark] * kept
        expected = lda[n, mark] * gap + alpha[mark] * excited[n, mark] * (1 - kept)
        gained = jnp.log(jnp.where(valid, rate, 1)) - expected
        likelihood = likelihood + jnp.where(valid, gained, 0)
        last = last.at[n, mark].set(jnp.where(valid, time, last[n, mark]))
        excited = excited.at[n, mark].set(jnp.where(valid, 1 + excited[n, mark] * kept, excited[n, mark]))
        return (likelihood, time, last, excited), None

    zero = jnp.zeros_like(max_time)
    valid = jnp.arange(steps, dtype=jnp.int32)[:, None] < valid_length
    start = (zero, zero, jnp.zeros_like(state), state)
    (likelihood, _, last, excited), _ = jax.lax.scan(event, start, (lags.T, marks.T, valid))
    gap = max_time[:, None] - last
    kept = jnp.exp(-beta * gap)
    return likelihood - jnp.sum(lda * gap + alpha * excited * (1 - kept), 1), jax.lax.stop_gradient(excited * kept)
