"""What the machines are compared with: biases of users and items, and the factors of a matrix by alternating least squares."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from harmonium.data.rating_table import Ratings


@dataclasses.dataclass(frozen=True)
class Factorisation:
    """Biases, then factors of what they leave."""

    user_ridge: float = 5.0
    """Ratings of zero effect beside a user's own, in the user's bias."""
    item_ridge: float = 3.0
    """The same for items."""
    rank: int = 10
    """Factors."""
    ridge: float = 20.0
    """Penalty of the factors' squares."""
    sweeps: int = 10
    """Alternations."""


def biases(table: Ratings, how: Factorisation) -> tuple[Tensor, Tensor, Tensor]:
    """The mean rating, (), and the effects of users, (users,), and items, (items,), by regularised least squares, float64."""
    values = table.values.double()
    mean = values.mean()
    users, items = torch.zeros(len(table.user_names)).double(), torch.zeros(len(table.item_names)).double()
    for _ in range(how.sweeps):
        items = _shrunk_means(table.items, values - mean - users[table.users], len(items), how.item_ridge)
        users = _shrunk_means(table.users, values - mean - items[table.items], len(users), how.user_ridge)
    return mean, users, items


def _shrunk_means(places: Tensor, values: Tensor, count: int, ridge: float) -> Tensor:
    totals = torch.zeros(count, dtype=values.dtype).index_add(0, places, values)
    return totals / (torch.bincount(places, minlength=count) + ridge)


def factors(table: Ratings, left: Tensor, how: Factorisation, seed: int) -> tuple[Tensor, Tensor]:
    """Factors of what is left of the ratings, (ratings,): users', (users, rank), and items', (items, rank), float64."""
    shape = (len(table.user_names), len(table.item_names))
    by_user = sparse.csr_array((left.double().numpy(), (table.users.numpy(), table.items.numpy())), shape=shape)
    by_item = by_user.T.tocsr()
    of_items = 0.1 * np.random.default_rng(seed).standard_normal((shape[1], how.rank))
    for _ in range(how.sweeps):
        of_users = least_squares(by_user, of_items, how.ridge)
        of_items = least_squares(by_item, of_users, how.ridge)
    return torch.from_numpy(of_users), torch.from_numpy(of_items)


def least_squares(values: sparse.csr_array, other: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """The factors of each row, (rows, rank), that minimise Σ (value - <row, other[column]>)² + ridge · |row|² over the stored values.

    The sparse products add up each row's squares and products, so that memory grows with rows, columns and stored values.

    Parameters
    ----------
    values
        (rows, columns), what the factors are to make; zeros among them are stored.
    other
        (columns, rank).
    ridge
        The penalty.
    """
    rank = other.shape[1]
    stored = sparse.csr_array((np.ones_like(values.data), values.indices, values.indptr), shape=values.shape)
    squares = (stored @ (other[:, :, None] * other[:, None]).reshape(len(other), -1)).reshape(-1, rank, rank)
    found: NDArray[np.float64] = np.linalg.solve(squares + ridge * np.eye(rank), (values @ other)[:, :, None])[:, :, 0]
    return found


def baselines(learnt: Ratings, judged: Ratings, how: Factorisation, seed: int) -> dict[str, Tensor]:
    """The predictions of the biases alone, and with factors: (ratings,) each, on the scale."""
    mean, users, items = biases(learnt, how)
    of_users, of_items = factors(learnt, learnt.values - mean - users[learnt.users] - items[learnt.items], how, seed)
    by_bias = mean + users[judged.users] + items[judged.items]
    by_factors = by_bias + (of_users[judged.users] * of_items[judged.items]).sum(1)
    return {name: each.clamp(judged.scale.low, judged.scale.high) for name, each in (("bias", by_bias), ("mf", by_factors))}
