"""The log-density that each model gives each judged patch: of RBMs by annealing, of mixtures exactly."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any, NamedTuple

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from harmonium.analysis import gabor_fit
from harmonium.files import read_tensors, write_tensors
from harmonium.likelihood import Evaluation, evaluate, log_likelihood
from harmonium.models import DeepMixtureOfFactorAnalysers, MixtureOfFactorAnalysers
from harmonium.recipes.patches.machines import MACHINES, Features, learn, machine
from harmonium.recipes.patches.white_patches import White
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.runs.likelihood_metrics import log_z_metrics, verdict
from harmonium.seeds import derive

MIXTURES = ("gaussian", "gaussian_mixture", "mfa", "deep_mfa")
ORDER = (*MIXTURES, *MACHINES)
REFERENCE = "mfa"  # that the others are compared with, patch by patch
ALIKE = 0.9  # cosine from which on two filters are the same


@dataclasses.dataclass(frozen=True)
class Mixtures:
    """The sizes of the mixtures."""

    components: int
    """Factor analysers of the mixture; of scikit-learn's mixture with full covariances as many."""
    factors: int
    above: int = 3
    """Components of the prior over the factors of each analyser, in the deep mixture."""
    factors_above: int = 3
    iterations: int = 100
    """Of EM at most, for each mixture."""


class Effort(NamedTuple):
    """Of annealing: inverse temperatures of the shorter run, sweeps of the tempered chains, and how many there are."""

    betas: int
    sweeps: int
    chains: int = 100


class Judged(NamedTuple):
    """A model's log-density of each judged patch, (cases,) float64, its filters, (pixels, units), and its metrics and verdicts."""

    log_p: Tensor
    filters: Tensor
    header: dict[str, Any]


def of(where: str) -> str:
    """How names of metrics end: those of 8 x 8 patches end as they are."""
    return "" if where == "8x8" else f"_{where}"


def judged_path(run: Run, name: str, where: str) -> Any:
    """Where a judged model is kept. `where`: the side of the patches, in words."""
    return run.checkpoint(f"{where} {name} judged")


def read(run: Run, name: str, where: str) -> Judged:
    """A model that was judged.

    Parameters
    ----------
    run, name, where
        The folder of the run, one of `ORDER`, and the side of the patches, in words.
    """
    tensors, header = read_tensors(judged_path(run, name, where))
    return Judged(tensors["log_p"], tensors["filters"], header)


def judge_gaussian(run: Run, white: White, where: str) -> None:
    """Keep what one Gaussian, with a mean and a variance of each direction, gives the judged patches.

    Parameters
    ----------
    run, white, where
        As for `judge_mixtures`.
    """
    gaussian = MixtureOfFactorAnalysers(white.learnt_from.shape[1], 1, 0)
    gaussian.fit(white.learnt_from.double())
    keep(run, MIXTURES[0], where, gaussian.log_likelihood(white.judged.double()), white.whitening.directions[:, :0])


def judge_mixtures(run: Run, white: White, sizes: Mixtures, where: str, seed: int) -> None:
    """Learn the mixtures but the single Gaussian, and keep what they give the judged patches. What the run has of them is not done again.

    Parameters
    ----------
    run, white
        The folder of the run, and the patches.
    sizes
        Of the mixtures.
    where
        The side of the patches, in words.
    seed
        Of where EM begins.
    """
    if all(judged_path(run, name, where).exists() for name in MIXTURES[1:]):
        return
    shown, held = white.learnt_from.double(), white.judged.double()
    components, numbers = sizes.components, shown.shape[1]
    base = MixtureOfFactorAnalysers(numbers, components, sizes.factors)
    base.fit(shown, iterations=sizes.iterations, seed=seed)
    deep = DeepMixtureOfFactorAnalysers(base, sizes.above, sizes.factors_above)
    deep.fit(shown, iterations=sizes.iterations, seed=seed)
    full = GaussianMixture(components, reg_covar=1e-3, max_iter=sizes.iterations, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # EM ends after so many steps by intention
        full.fit(shown.numpy())
    found = {
        "mfa": base.log_likelihood(held),
        "deep_mfa": deep.flat().log_likelihood(held),
        "gaussian_mixture": torch.from_numpy(full.score_samples(held.numpy())),
    }
    loadings = white.whitening.directions @ base.loadings.detach().mT.reshape(-1, numbers).T
    for name, log_p in found.items():
        keep(run, name, where, log_p, loadings if name == "mfa" else loadings[:, :0])


def keep(run: Run, name: str, where: str, log_p: Tensor, filters: Tensor) -> None:
    """Write what a mixture gives the judged patches where `read` finds it.

    Parameters
    ----------
    run, name, where
        The folder of the run, which mixture, and which patches.
    log_p
        The log-likelihood of each patch in nats, (cases,).
    filters
        What is drawn of the mixture, (pixels, factors).
    """
    tensors = {"log_p": log_p.detach(), "filters": filters.contiguous()}
    write_tensors(judged_path(run, name, where), tensors, {"figures": [], "verdict": None})


def judge_machine(
    run: Run, name: str, white: White, units: int, how: Features, updates: int, effort: Effort, where: str, seed: int
) -> None:
    """Learn a machine, estimate its log Z from below and from above, and keep what it gives the judged patches. Done once.

    Parameters
    ----------
    run, name, white
        The folder of the run, which machine, and the patches.
    units, how, updates
        Of the machine and its learning.
    effort
        Of annealing.
    where, seed
        As for `judge_mixtures`.
    """
    if judged_path(run, name, where).exists():
        return
    rbm = machine(name, white.learnt_from.shape[1], units, how, derive(seed, 0))
    learn(run, f"{where} {name}", rbm, white.learnt_from, how, updates, seed)
    found = evaluate(
        rbm,
        white.judged,
        training=white.learnt_from[: len(white.judged)],
        betas=effort.betas,
        sweeps=effort.sweeps,
        chains=effort.chains,
        exact=False,
        seed=derive(seed, 2),
        progress=True,
    )
    filters = (white.whitening.directions @ rbm.coupling.matrix().detach().double()).contiguous()
    log_p = log_likelihood(rbm, white.judged, log_z=found.nats + found.log_z - found.cautious.nats)
    figures = [*of_estimates(found, name, where), *of_filters(filters, name, where)]
    figures += [(f"variance_{name}{of(where)}", rbm.visible.get_parameter("log_variance").exp().item(), "of the patches' own")]
    figures += [(f"training_nats_less_test_nats_{name}{of(where)}", found.gap[0], "nats")] if found.gap is not None else []
    write_tensors(judged_path(run, name, where), {"log_p": log_p, "filters": filters}, {"figures": figures, "verdict": verdict(found)})


def of_estimates(found: Evaluation, name: str, where: str) -> list[Metric]:
    """The nats of a machine by each estimate of log Z: AIS, which promises too much on average, and reverse AIS from tempered chains.

    Parameters
    ----------
    found
        The estimates of log Z, in nats.
    name, where
        As for `read`.
    """
    rows: list[Metric] = []
    for word, way in (("ais", found.long), ("reverse_ais", found.reverse)):
        if way is not None:
            rows += [(f"nats_by_{word}_{name}{of(where)}", found.nats + found.log_z - way.log_z, "nats")]
            rows += [(f"nats_by_{word}_{name}{of(where)}_standard_error_of_log_z", way.standard_error, "nats")]
    return [*rows, *log_z_metrics(found, f"{name}{of(where)}_")]


def of_filters(filters: Tensor, name: str, where: str) -> list[Metric]:
    """How many filters are localised, how many of them are edges or bars, and how many have a twin.

    Parameters
    ----------
    filters
        (pixels, units), of square patches.
    name, where
        As for `read`.
    """
    side = math.isqrt(len(filters))
    fit = gabor_fit(filters, (side, side))
    unit = filters / filters.norm(dim=0).clamp_min(1e-12)
    alike = (unit.T @ unit).fill_diagonal_(0).amax(1) > ALIKE if filters.shape[1] > 1 else torch.zeros(1)
    shares = {"localised": fit.localised().mean(), "edges": fit.edges().mean(), "identical": alike.double().mean()}
    return [(f"percent_{word}_{name}{of(where)}", 100 * float(share), "%") for word, share in shares.items()]


def metrics(found: dict[str, Judged], where: str, judged_on: str) -> list[Metric]:
    """The mean nats of each model with standard errors over the patches, and what the mixture of factor analysers has more, if it is there.

    Parameters
    ----------
    found
        The models, by name.
    where, judged_on
        The side of the patches, and what they are called.
    """
    rows: list[Metric] = []
    for name in (each for each in ORDER if each in found):
        mean, error = mean_and_error(found[name].log_p)
        rows += [
            (f"{judged_on}_nats_{name}{of(where)}", mean, "nats"),
            (f"{judged_on}_nats_{name}{of(where)}_standard_error", error, "nats"),
        ]
        if REFERENCE in found and name != REFERENCE:
            more, of_more = mean_and_error(found[REFERENCE].log_p - found[name].log_p)
            rows += [(f"{REFERENCE}_less_{name}{of(where)}", more, "nats")]
            rows += [(f"{REFERENCE}_less_{name}{of(where)}_standard_error", of_more, "nats")]
    for each in found.values():
        rows += [(name, value, unit) for name, value, unit in each.header["figures"]]
    return rows


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean over the patches and its standard error."""
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item()
