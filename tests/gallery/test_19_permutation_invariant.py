"""The table in small: who judges whom, McNemar's test from its definition, and the claims on one seed with room to spare."""

import math

import numpy as np
import torch

from tests.gallery import prose
from tests.gallery.scripts import GALLERY, run


def exactly(a: int, b: int) -> float:
    """The probability that a + b throws of a fair coin are split at least as unevenly."""
    n = a + b
    return min(1.0, sum(math.comb(n, k) for k in range(n + 1) if abs(k - n / 2) >= abs(a - n / 2)) / 2**n)


def test_permutation_invariant() -> None:
    name = "plot_19_permutation_invariant"
    assert not prose.without_source((GALLERY / f"{name}.py").read_text(), "")
    found = run(name, **{"SEEDS, FOLDS": "1, 3", "PRETRAINING, EPOCHS, JOINT, UP_DOWN": "30, 20, 10, 10"})
    assert found["figures"] == ["permutation_invariant"]
    parts, rows = found["parts"], found["rows"]
    assert sorted(parts.flatten().tolist()) == list(range(1797))
    for part, row in zip(parts, rows, strict=True):  # no model judges what it has learnt from
        assert not set(part.tolist()) & set(row.tolist())
        assert len(row) == 1198

    wrong = {key: each[0].numpy() for key, each in found["wrong"].items()}
    order = found["order"]
    for i, first in enumerate(order):
        for j, second in enumerate(order[:i]):
            a, b = int((wrong[first] & ~wrong[second]).sum()), int((wrong[second] & ~wrong[first]).sum())
            assert found["mcnemar"](torch.from_numpy(wrong[first]), torch.from_numpy(wrong[second]))[:2] == (a, b)
            np.testing.assert_allclose(found["chance"][i, j, 0], exactly(a, b), rtol=1e-9)
    assert found["mcnemar"](torch.tensor([True, False]), torch.tensor([True, False])) == (0, 0, 1.0)

    error = {key: 100 * each.mean() for key, each in wrong.items()}
    assert error["pre-training, then backpropagation"] < error["backpropagation alone"]
    assert error["support vector machine"] < 2
    assert error["joint density of images and labels"] < 15
