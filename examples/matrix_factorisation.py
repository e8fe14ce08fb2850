# SPDX-License-Identifier: Apache-2.0
"""Matrix factorisation, as recommenders do it: what is missing from a table follows from what is there.

    python examples/matrix_factorisation.py
    python examples/matrix_factorisation.py --sparse      # gradients and updates of the rows that a batch has, only

The table is that of scikit-learn's handwritten digits: a row is one of 1797 scans, a column one of their 64 pixels, an
entry the pixel's ink, 0 to 16. They stand for users, items and ratings. A tenth of the entries is held out, and shall
be foretold from the others of the same scans and pixels. What is learnt is a vector for each scan and each pixel,
whose product is the entry, and a bias for each. The usual baselines are the mean of all entries, and the mean with
the means of the row and the column.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits

import mxlite as mx


class Entries(NamedTuple):
    """Some entries of a table: their rows, columns and values (n,)."""

    row: np.ndarray
    column: np.ndarray
    value: np.ndarray


class Result(NamedTuple):
    """Root mean squared errors on the held-out entries."""

    mean: float
    biases: float
    factors: float


def entries(scans: int | None, held_out: float) -> tuple[Entries, Entries]:
    """The table's entries in random order: those to learn from, and those held out."""
    digits: Any = load_digits()
    table = digits.data[:scans].astype(np.float32)
    row, column = np.divmod(np.random.permutation(table.size), table.shape[1])
    cut = int(table.size * held_out)
    every = Entries(row.astype(np.float32), column.astype(np.float32), table[row, column])
    return Entries(*(x[cut:] for x in every)), Entries(*(x[:cut] for x in every))


def biases(train: Entries, shrink: float = 1.0) -> tuple[float, np.ndarray, np.ndarray]:
    """Means: of all, then of every row and every column without those before, drawn to 0 where entries are few."""

    def means(place: np.ndarray, rest: np.ndarray) -> np.ndarray:
        place = place.astype(int)
        return np.bincount(place, rest) / (np.bincount(place) + shrink)

    mean = float(train.value.mean())
    of_row = means(train.row, train.value - mean)
    of_column = means(train.column, train.value - mean - of_row[train.row.astype(int)])
    return mean, of_row, of_column


def network(rows: int, columns: int, factors: int, mean: float, sparse: bool) -> mx.sym.Symbol:
    """``row`` and ``column`` (N,) -> entries (N,), compared with ``value`` (N,)."""

    def embedding(of: mx.sym.Symbol, size: int, what: str, width: int) -> mx.sym.Symbol:
        name = f"{of.name}_{what}"
        weight = mx.sym.Variable(f"{name}_weight", stype="row_sparse" if sparse else "default")
        return mx.sym.Embedding(of, weight, input_dim=size, output_dim=width, sparse_grad=sparse, name=name)

    row, column = mx.sym.Variable("row"), mx.sym.Variable("column")
    vectors = embedding(row, rows, "vector", factors) * embedding(column, columns, "vector", factors)
    offsets = embedding(row, rows, "bias", 1) + embedding(column, columns, "bias", 1)
    out = mx.sym.sum(vectors, axis=1) + mx.sym.Reshape(offsets, shape=(-1,)) + mean
    return mx.sym.LinearRegressionOutput(out, mx.sym.Variable("value"), name="entry")


def rows_of(batch: mx.io.DataBatch) -> dict[str, mx.nd.NDArray]:
    """The rows of the row_sparse parameters that a batch needs."""
    column, row = batch.data
    return {f"{of}_{what}_weight": ids for of, ids in (("column", column), ("row", row)) for what in ("vector", "bias")}


def batches(of: Entries, batch_size: int, shuffle: bool = False) -> mx.io.NDArrayIter:
    return mx.io.NDArrayIter({"row": of.row, "column": of.column}, {"value": of.value}, batch_size, shuffle=shuffle)


def rmse(foretold: np.ndarray, value: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(foretold - value))))


def main(argv: Sequence[str] | None = None) -> Result:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--scans", type=int, help="take only so many")
    p.add_argument("--held-out", type=float, default=0.1, help="part of the entries")
    p.add_argument("--factors", type=int, default=16, help="length of the vectors")
    p.add_argument("--sparse", action="store_true", help="row_sparse weights, gradients and lazy updates")
    p.add_argument("--epochs", type=int, default=15)
    p.add_argument("--batch-size", type=int, default=512)
    p.add_argument("--lr", type=float, default=0.02)
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)  # it tells which accelerators it does not find
    np.random.seed(args.seed)
    mx.random.seed(args.seed)

    train, test = entries(args.scans, args.held_out)
    rows, columns = int(train.row.max()) + 1, int(train.column.max()) + 1
    mean, of_row, of_column = biases(train)
    biased = mean + of_row[test.row.astype(int)] + of_column[test.column.astype(int)]

    # Module knows inputs by name; NDArrayIter sorts those of a dict.
    symbol = network(rows, columns, args.factors, mean, args.sparse)
    module = mx.mod.Module(symbol, ["column", "row"], ["value"])
    start = time.perf_counter()
    module.fit(
        batches(train, args.batch_size, shuffle=True),
        eval_data=batches(test, args.batch_size),
        eval_metric="rmse",
        optimizer="adam",
        optimizer_params={"learning_rate": args.lr, "lr_scheduler": mx.lr_scheduler.FactorScheduler(500, 0.7)},
        initializer=mx.init.Normal(0.3),
        sparse_row_id_fn=rows_of if args.sparse else None,
        batch_end_callback=mx.callback.Speedometer(args.batch_size, 100),
        num_epoch=args.epochs,
    )
    seconds = time.perf_counter() - start
    foretold = module.predict(batches(test, args.batch_size), sparse_row_id_fn=rows_of if args.sparse else None)
    result = Result(
        rmse(np.full_like(test.value, mean), test.value), rmse(biased, test.value), rmse(foretold.asnumpy(), test.value)
    )
    print(f"{len(train.value)} entries of {rows} scans and {columns} pixels, {seconds:.1f} s")
    print(f"root mean squared error of {len(test.value)} held-out entries: {result.factors:.3f}")
    print(f"of the mean: {result.mean:.3f}; of the mean, the scan's and the pixel's: {result.biases:.3f}")
    return result


if __name__ == "__main__":
    main()
