"""Whether two classifiers differ, from the cases that one gets wrong and the other does not."""

from __future__ import annotations

from scipy.stats import binomtest
from torch import Tensor


def mcnemar(first: Tensor, second: Tensor) -> float:
    """The two-sided p-value of McNemar's exact test that two classifiers err equally often.

    Parameters
    ----------
    first, second : Tensor
        (cases,) bool, where each is wrong, on the same cases.

    Returns
    -------
    float
        The probability, were both as good, of discordant cases as one-sided as these; 1 if there are none.
    """
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(one, one + other).pvalue) if one + other else 1.0
