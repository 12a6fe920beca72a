"""Two hidden layers over MNIST's binary images, judged by a variational bound."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from harmonium.data import binarise
from harmonium.likelihood import Evaluation, evaluate
from harmonium.models import Generative
from harmonium.report import filters
from harmonium.runs.contract import Metric
from harmonium.runs.likelihood_metrics import RAISE_CASES, verdict

RAISED = 18  # as many temperatures for RAISE, whose bias falls with them, as for the shorter run of AIS


def bound(model: Generative, judged: Tensor, *, samples: int, betas: int, sweeps: int, seed: int, chains: int = 100) -> Evaluation:
    """The bound on the log-probability of grey images, (cases, 784) uint8, binarised once; of a model of one layer its own likelihood.

    Parameters
    ----------
    model
        A DBN, a DBM or an RBM.
    judged
        The images.
    samples
        Of a hidden layer for each image, in the tightened bound, and in the bound itself where it takes draws.
    betas, chains, sweeps
        Of annealed importance sampling, and of the tempered chains. RAISE has `RAISED` times as many betas.
    seed
        Of all draws.
    """
    return evaluate(
        model,
        binarise(judged, "fixed", seed=30),
        betas=betas,
        chains=chains,
        sweeps=sweeps,
        samples=samples,
        raise_cases=RAISE_CASES,
        raise_betas=RAISED * betas,
        seed=seed,
        progress=True,
    )


def bound_metrics(split: str, found: Evaluation) -> list[Metric]:
    """The bound and its tightening, over the highest log Z of all estimates. `split`: "test" or "validation"."""
    assert found.tightened is not None
    tightened = found.tightened[0] + found.cautious.nats - found.nats
    return [(f"{split}_bound_nats", found.cautious.nats, "nats"), (f"{split}_tightened_bound_nats", tightened, "nats")]


def bound_verdicts(split: str, found: Evaluation) -> dict[str, tuple[str, str]]:
    """How far to trust the two."""
    return dict.fromkeys((f"{split}_bound_nats", f"{split}_tightened_bound_nats"), verdict(found))


def filters_of_layers(first: Tensor, second: Tensor | None) -> list[tuple[Figure, str]]:
    """The filters of two layers' weights, (784, units) and (units, units), as a report shows them."""
    seen = [(filters(first, (28, 28), count=60), "the first layer's units with the largest weights")]
    if second is not None:
        through = filters(first @ second, (28, 28), count=60)
        seen.append((through, "the second layer's, seen in the pixels through the first's weights"))
    return seen
