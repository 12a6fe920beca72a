"""What recipes have in common that learn two hidden layers of MNIST's binary images and judge them by a variational bound."""

from __future__ import annotations

import dataclasses
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from harmonium.data import binarise
from harmonium.likelihood import Evaluation, evaluate
from harmonium.models import Generative
from harmonium.recipes.shared.binary_mnist import BinaryMnist
from harmonium.report import evaluation, filters
from harmonium.runs.folder import EVALUATION, Run
from harmonium.runs.likelihood_metrics import RAISE_CASES, verdict


@dataclasses.dataclass(frozen=True)
class BinaryMnistBound(BinaryMnist):
    """Two hidden layers over MNIST's binary images."""

    samples: int = 100
    """Of a hidden layer for each image, in the tightened bound, and in the bound itself where it takes draws."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 1:
            raise ValueError(f"a bound takes at least one sample of the hidden units, found samples={self.samples}")

    def bound(self, model: Generative, *, betas: int, sweeps: int, chains: int = 100) -> Evaluation:
        """The bound on the judged images, binarised once; of a model of one layer its own likelihood."""
        samples, test = 5 if self.smoke else self.samples, binarise(self.cases()[1], "fixed", seed=30)
        return evaluate(
            model,
            test,
            betas=betas,
            chains=chains,
            sweeps=sweeps,
            samples=samples,
            raise_cases=RAISE_CASES,
            seed=self.seed,
            progress=True,
        )

    def judge(self, run: Run, model: Any, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        found = self.bound(model, betas=betas, chains=chains, sweeps=sweeps)
        evaluation(found, title=f"{self.name}, on {self.split} images binarised once").savefig(run.folder / EVALUATION, dpi=110)
        return found

    def bounds(self, found: Evaluation) -> list[tuple[str, float, str]]:
        """The bound and its tightening, over the highest log Z of all estimates, as metrics."""
        assert found.tightened is not None
        tightened = found.tightened[0] + found.cautious.nats - found.nats
        return [(f"{self.split}_bound_nats", found.cautious.nats, "nats"), (f"{self.split}_tightened_bound_nats", tightened, "nats")]

    def verdicts(self, found: Evaluation) -> dict[str, tuple[str, str]]:
        """How far to trust the two."""
        return dict.fromkeys((f"{self.split}_bound_nats", f"{self.split}_tightened_bound_nats"), verdict(found))


def seen_in_pixels(first: Tensor, second: Tensor | None) -> list[tuple[Figure, str]]:
    """The filters of two layers' weights, (784, units) and (units, units), as a report shows them."""
    seen = [(filters(first, (28, 28), count=60), "the first layer's units with the largest weights")]
    if second is not None:
        through = filters(first @ second, (28, 28), count=60)
        seen.append((through, "the second layer's, seen in the pixels through the first's weights"))
    return seen
