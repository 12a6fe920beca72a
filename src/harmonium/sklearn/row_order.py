"""Rows in an order of their own, so that what is learnt does not depend on the order in which they come."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_REPEATED = 10  # rows become at most so many times as many; beyond, they keep their weights


def canonical(X: Any, weights: Any) -> tuple[Any, Any]:
    """Rows sorted by their bytes, and their weights. Rows of whole weights are repeated instead, and those of weight zero left out.

    A row of weight 2 then is the row twice, to the last bit.
    """
    if weights is not None and (weights == np.round(weights)).all() and 0 < weights.sum() <= MOST_REPEATED * len(weights):
        order = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
        X, weights = X[order], None
    order = _by_bytes_sparse(X) if hasattr(X, "tocsr") else _by_bytes(X)
    return X[order], None if weights is None else weights[order]


def _by_bytes(X: Any) -> Any:
    rows = np.ascontiguousarray(X + 0 if X.dtype.kind == "f" else X)  # -0 is 0
    return np.argsort(rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel(), kind="stable")


def _by_bytes_sparse(X: Any) -> Any:
    X.sort_indices()
    parts = [(X.indices[a:b].tobytes(), X.data[a:b].tobytes()) for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)]
    return np.array(sorted(range(len(parts)), key=parts.__getitem__))
