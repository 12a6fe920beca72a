"""log Z of a replicated softmax at every length of a document, by annealing over lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from harmonium.likelihood.annealing import Estimate, estimate, log_mean_exp
from harmonium.likelihood.check_machine import check_machine
from harmonium.models import RBM
from harmonium.progress_bar import shown
from harmonium.units import Given, ReplicatedSoftmax

FEWEST = 0.5  # effective chains of a population, as a share: below it they are drawn anew


@torch.no_grad()
def ais_of_lengths(
    model: RBM,
    lengths: Sequence[int] | Tensor,
    *,
    populations: int = 10,
    chains: int = 50,
    growth: float = 0.02,
    seed: int = 0,
    progress: bool = False,
) -> list[Estimate]:
    """Estimate log Z of documents of each length, by one annealing run in which the documents grow.

    Chains start at documents without words, whose log Z is known, and gain words between sweeps of Gibbs sampling. On the way to the
    longest documents they pass all other lengths. Chains of long documents hardly move, so populations are resampled by their weights.

    Parameters
    ----------
    model : RBM
        A machine whose visible layer is a replicated softmax.
    lengths : sequence of int, or Tensor
        The numbers of words, each at least one, in any order.
    populations : int, default 10
        Number of independent populations, at least two. The standard error comes from their spread.
    chains : int, default 50
        Chains of each population, at least two.
    growth : float, default 0.02
        Share by which documents grow between two sweeps, but by one word at least. Smaller values take longer and err less.
    seed : int, default 0
        Seed of the draws.
    progress : bool, default False
        Show the time left, in a bar on a terminal and otherwise in a line a minute.

    Returns
    -------
    list of Estimate
        One for each of `lengths`: log Z in nats, its standard error, and the logarithm of each population's weight, (populations,); `ess`
        is of these. All lengths share the chains, so their errors are not independent.

    Raises
    ------
    TypeError
        If the visible layer is no replicated softmax, or if a layer has no energy.
    ValueError
        For lengths that are no whole numbers above zero, fewer than two populations or chains, or a growth that is not above zero.

    Notes
    -----
    Words are independent given h. Summed over all documents of D words,

        Z(D) = Σ_h exp(-hidden.energy(h) + D g(h)),        g(h) = log Σ_k exp(b_k + W_k·h) + a·h

    with the words' biases b, their weights W_k, and the last row a of the coupling. So the length stands where an inverse temperature
    stands in `ais`: from D to D' words the log-weight of a chain at h grows by (D' - D) g(h). The path is that of annealed importance
    sampling (Neal 2001, doi:10.1023/A:1008923215028), the resampling that of sequential Monte Carlo samplers (Del Moral, Doucet & Jasra
    2006, doi:10.1111/j.1467-9868.2006.00553.x). The estimate of each Z is unbiased, that of log Z low in expectation.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.ReplicatedSoftmax(6), hm.Bernoulli(4), hm.Dense(7, 4, scale=0.5))
    >>> found = hm.likelihood.ais_of_lengths(rbm, [3, 20])
    >>> exact = [hm.likelihood.exact_log_z(rbm, given=hm.Given(length=torch.tensor(words))) for words in (3, 20)]
    >>> all(abs(one.log_z - other) < 0.1 for one, other in zip(found, exact))
    True
    """
    check_machine(model, "annealing over lengths")
    if not isinstance(model.visible, ReplicatedSoftmax):
        raise TypeError(f"ais_of_lengths takes a machine of documents, hm.RBM(hm.ReplicatedSoftmax(...), ...), found {model.visible!r}")
    wanted = torch.as_tensor(lengths).tolist()
    if not wanted or min(wanted) < 1 or any(length != round(length) for length in wanted):
        raise ValueError(f"ais_of_lengths takes lengths that are whole numbers of words above zero, found {wanted[:5]}")
    if min(populations, chains) < 2 or not growth > 0:
        raise ValueError(
            "ais_of_lengths takes two populations of two chains or more and a growth above zero, found "
            f"populations={populations}, chains={chains} and growth={growth:g}"
        )
    visible, hidden = model.visible, model.hidden
    generator = torch.Generator(hidden.zero_input().device).manual_seed(seed)
    log_z_empty = hidden.log_partition(hidden.zero_input().double()).item()
    asked, found = sorted({int(length) for length in wanted}), {}
    h = hidden.sample(hidden.zero_input(populations, chains), generator=generator)
    log_weights = torch.zeros(populations, chains, dtype=torch.float64, device=h.device)
    for words, more in shown(list(pairwise(_path(asked[-1], growth))), "annealing over lengths", progress):
        input = model.visible_input(h)
        slope = visible.log_partition(input.double(), Given(length=torch.ones(h.shape[:2], device=h.device)))  # g(h)
        for length in (each for each in asked if words < each <= more):
            of_each = log_mean_exp(log_weights + (length - words) * slope).value
            found[length] = estimate(of_each.cpu(), log_z_empty)
        log_weights, kept = _resampled(log_weights + (more - words) * slope, generator)
        input = input[torch.arange(populations, device=h.device)[:, None], kept]
        grown = Given(length=torch.full(h.shape[:2], more, device=h.device))
        h = model.sample_hidden(visible.sample(input, generator=generator, given=grown), generator=generator)
    return [found[int(length)] for length in wanted]


def _path(longest: int, growth: float) -> list[int]:
    """Numbers of words from none to the longest, between which there is a sweep."""
    found = [0]
    while found[-1] < longest:
        found.append(min(max(found[-1] + 1, math.floor(found[-1] * (1 + growth))), longest))
    return found


def _resampled(log_weights: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Log-weights, (populations, chains), and which chains go on, once populations with few effective chains are drawn anew.

    Systematic resampling copies each chain as often as its share of the population's weights says, rounded up or down, and gives all the
    mean weight.
    """
    mean, chains = log_mean_exp(log_weights), log_weights.shape[1]
    few = (mean.ess < FEWEST * chains)[:, None]
    ends = log_weights.softmax(1).cumsum(1)
    first = torch.rand(len(ends), 1, generator=generator, dtype=ends.dtype, device=ends.device)
    same = torch.arange(chains, device=ends.device)
    drawn = torch.searchsorted(ends, (first + same) / chains).clamp_max(chains - 1)
    return torch.where(few, mean.value[:, None], log_weights), torch.where(few, drawn, same)
