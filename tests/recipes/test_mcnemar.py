"""McNemar's exact test, against sums of binomial probabilities."""

import math

import torch

from harmonium.recipes.shared.mcnemar import mcnemar


def wrong(*cases: int) -> torch.Tensor:
    found = torch.zeros(40, dtype=torch.bool)
    found[list(cases)] = True
    return found


def test_only_discordant_cases_count() -> None:
    one, other = wrong(0, 1, 2, 3, 4, 5, 6, 7, 30, 31), wrong(8, 30, 31)
    tail = sum(math.comb(9, k) for k in (0, 1)) / 2**9  # eight against one
    assert math.isclose(mcnemar(one, other), 2 * tail)
    assert math.isclose(mcnemar(other, one), 2 * tail)


def test_equal_classifiers_do_not_differ() -> None:
    assert mcnemar(wrong(1, 2), wrong(1, 2)) == 1
    assert mcnemar(wrong(1, 2), wrong(3, 4)) == 1
