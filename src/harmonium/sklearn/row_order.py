"""Rows in an order of their own, so that what is learnt does not depend on the order in which they come."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

MOST_REPEATED = 10  # rows become at most so many times as many; beyond, they keep their weights


class Ordered(NamedTuple):
    """Rows to learn from, their weights or None, and their targets or None."""

    X: Any
    weights: Any
    y: Any


def canonical(X: Any, weights: Any = None, y: Any = None) -> Ordered:
    """Rows sorted by their bytes, and those of equal bytes by their targets; with their weights.

    Rows of weight zero are left out. Rows of whole weights are repeated and have no weights then, so that a row of weight 2 is the row
    twice, to the last bit. Raises a ValueError if no row has a weight.
    """
    if weights is not None:
        if not (weights > 0).any():
            raise ValueError(f"sample_weight gives each of the {len(weights)} cases a weight of zero: there is nothing to learn from")
        whole = (weights == np.round(weights)).all() and weights.sum() <= MOST_REPEATED * len(weights)
        kept = np.repeat(np.arange(len(weights)), weights.astype(np.int64)) if whole else np.flatnonzero(weights)
        X, y, weights = X[kept], None if y is None else y[kept], None if whole else weights[kept]
    keys = [] if y is None else list(y.reshape(len(y), -1).T)
    first = np.lexsort(keys) if keys else np.arange(X.shape[0])
    rows = X[first] if keys else X
    order = first[_by_bytes_sparse(rows) if hasattr(rows, "tocsr") else _by_bytes(rows)]
    return Ordered(X[order], None if weights is None else weights[order], None if y is None else y[order])


def _by_bytes(X: Any) -> Any:
    rows = np.ascontiguousarray(X + 0 if X.dtype.kind == "f" else X)  # -0 is 0
    return np.argsort(rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel(), kind="stable")


def _by_bytes_sparse(X: Any) -> Any:
    X = X.sorted_indices()  # a copy: the matrix may be the user's
    parts = [(X.indices[a:b].tobytes(), X.data[a:b].tobytes()) for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)]
    return np.array(sorted(range(len(parts)), key=parts.__getitem__))
