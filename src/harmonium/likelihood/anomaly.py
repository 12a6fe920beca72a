"""How unusual rows are, and which of their columns make them so."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from harmonium.data import Table
from harmonium.likelihood.check_machine import check_machine
from harmonium.likelihood.column_surprise import Surprise, column_surprise
from harmonium.likelihood.known_log_z import known_log_z
from harmonium.likelihood.log_likelihood import log_likelihood
from harmonium.likelihood.seen_ais import seen_ais
from harmonium.models import RBM
from harmonium.sampling.gaps import blocks_with_gaps, rows_with_gaps
from harmonium.sampling.posterior import Effort, posterior
from harmonium.units import NOTHING, Given

LISTED = 2**10  # hidden states that are listed for each row with gaps
BLOCK = 2**14  # chains of rows with gaps that are kept at once


@dataclass(frozen=True, eq=False, repr=False)
class AnomalyScore:
    """How unusual each row is, in nats, and the part of each column.

    Parameters
    ----------
    score : Tensor
        (cases,) float64: -log p of what was observed of each row, or its free energy, which differs from it by log Z for all rows alike. A
        density where columns are real.
    standard_error : Tensor
        (cases,) float64: the Monte Carlo error of each score. Zero where it is exact.
    parts : Tensor
        (cases, columns) float64: -log p(column | all other observed columns of the row). NaN where the value is missing.
    expected : Tensor
        (cases, columns) float64: the mean of `parts` if the value were drawn from the model. What exceeds it is unusual, whatever the
        kind of column.
    columns : tuple of str
        The name of each column; the number of its first unit if the rows came without a table.
    method : str
        How `score` was found.
    table : Table, optional
        The table that the rows come from.

    Examples
    --------
    >>> import pandas, harmonium as hm
    >>> table = hm.data.from_frame(pandas.DataFrame({"a": [True, False] * 20, "b": [True, False] * 20}))
    >>> rbm = hm.RBM(table.visible, 2)
    >>> rate = lambda groups: torch.optim.SGD(groups, lr=0.1)
    >>> _ = hm.fit(rbm, table.rows, negative=hm.PersistentCD(chains=40), optimizer=rate, epochs=500, batch_size=10, progress=False)
    >>> odd = table.encode(pandas.DataFrame({"a": [True, True], "b": [True, False]}))
    >>> found = hm.anomaly_score(rbm, odd)
    >>> bool(found.score[1] > found.score[0] + 1), found.method
    (True, '-log p, exact log Z')
    >>> list(found.frame.columns)
    ['score', 'a', 'b']
    """

    score: Tensor
    standard_error: Tensor
    parts: Tensor
    expected: Tensor
    columns: tuple[str, ...]
    method: str
    table: Table | None = field(default=None)

    @property
    def frame(self) -> Any:
        """A frame of the scores and the parts, one row per case. Raises a ValueError if the rows came without a table."""
        if self.table is None:
            raise ValueError("the rows came without a table: give hm.anomaly_score a table of hm.data.from_frame to get a frame")
        parts = {name: self.parts[:, place].cpu().numpy() for place, name in enumerate(self.columns)}
        return self.table.library.frame({"score": self.score.cpu().numpy(), **parts})

    def __repr__(self) -> str:
        return f"AnomalyScore({len(self.score)} rows of {len(self.columns)} columns, {self.method})"


@torch.no_grad()
def anomaly_score(
    model: RBM,
    data: Table | Tensor | Any,
    missing: Tensor | None = None,
    *,
    log_z: float | None = None,
    normalise: bool = True,
    chains: int = 20,
    steps: int = 100,
    seed: int = 0,
) -> AnomalyScore:
    """Score rows by minus their log-probability, and tell how surprising each column is given the others.

    Parameters
    ----------
    model : RBM
        The machine, with visible units of the kinds that a `Table` has, or spin or stepped sigmoid ones.
    data : Table, Tensor, array or frame of numbers
        Rows, (cases, *visible.shape). NaN or any other value may stand in the gaps.
    missing : Tensor, optional
        A mask that broadcasts to the rows, true where a value is missing; by default where a row is NaN.
    log_z : float, optional
        log Z, in nats, if it is known. By default it is exact if one side of the machine has at most 2^16 states, and else estimated by
        annealed importance sampling with 100 chains and 2,000 inverse temperatures.
    normalise : bool, default True
        Without, log Z is left out: scores are free energies, in the same order.
    chains, steps : int, default 20 and 100
        Chains of each row with gaps, and their steps: the temperatures of annealing for the score, clamped Gibbs sweeps for the parts. More
        steps make the score of a row with many gaps less biased, which its standard error does not show.
    seed : int, default 0
        Seed of all draws.

    Returns
    -------
    AnomalyScore
        Scores, parts, and how they were found.

    Raises
    ------
    TypeError
        For models that are no RBM, and for visible units of other kinds.
    ValueError
        For rows outside the units' support, and where a column's density cannot be integrated: if unbounded hidden units face real-valued
        or unbounded visible ones; and for a number of chains or sweeps below one.

    Notes
    -----
    The part of a column follows from differences of the free energy (see `column_surprise`): exactly for binary, categorical and ordered
    columns and for counts, by Gauss-Legendre quadrature for real ones. The parts of a row add up to minus its log pseudo-likelihood (Besag
    1975), not to its score.

    In a row with gaps, the score is that of what was observed: exact if the hidden layer has at most 2^10 states, and else estimated by
    annealing its missing values, which is high on average. Its parts use 1 / p(v_i | observed) = E[1 / p(v_i | all others)] over
    the posterior of the missing values (Gelfand, Dey & Chang 1992); `expected` is the mean over the same draws.

    Real-valued columns of a table are measured in standard deviations, so that their densities do not depend on the unit of measurement.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))
    >>> found = hm.anomaly_score(rbm, torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, float("nan")]]))
    >>> found.score.round(decimals=1)
    tensor([2.1000, 1.4000], dtype=torch.float64)
    >>> found.parts.round(decimals=1)
    tensor([[0.7000, 0.7000, 0.7000],
            [0.7000, 0.7000,    nan]], dtype=torch.float64)
    """
    check_machine(model, "hm.anomaly_score")
    effort = Effort(chains, steps, 1)
    visible, like = model.visible, model.visible.zero_input()
    v, missing, table = rows_with_gaps(visible, data, missing)
    visible.check_states(v)
    v = v.to(like)
    method, error = "free energy", 0.0
    if normalise and log_z is None:
        log_z, estimate = known_log_z(model, seed)
        method = "-log p, exact log Z" if estimate is None else "-log p, log Z by annealed importance sampling"
        error = 0.0 if estimate is None else estimate.standard_error
    elif normalise:
        method = "-log p, given log Z"
    surprise = column_surprise(model, v)
    score = -log_likelihood(model, v, log_z=log_z if normalise and log_z is not None else 0.0)
    errors = torch.full_like(score, error)
    generator = torch.Generator(like.device).manual_seed(seed)
    for here in blocks_with_gaps(missing, BLOCK // chains):
        joint, spread = _seen(model, v[here], missing[here], effort, generator)
        score[here] = (log_z if normalise and log_z is not None else 0.0) - joint
        errors[here] = torch.hypot(errors[here], spread)
        draws = posterior(model, v[here], missing[here], effort, generator=generator, given=NOTHING).draws
        surprise.surprise[here], surprise.expected[here] = _over_draws(model, draws)
    parts = torch.where(missing.flatten(1)[:, surprise.starts], math.nan, surprise.surprise)
    names = tuple(str(start) for start in surprise.starts) if table is None else tuple(table.kinds)
    return AnomalyScore(score, errors, parts, surprise.expected, names, method, table)


def _seen(model: RBM, v: Tensor, missing: Tensor, effort: Effort, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """log p(v_seen) + log Z of each case, and its standard error."""
    if model.hidden.count > LISTED:
        return seen_ais(model, v, missing, chains=effort.chains, betas=effort.steps, generator=generator)
    found = log_likelihood(model, v, log_z=0.0, given=Given(missing=missing))
    return found, torch.zeros_like(found)


def _over_draws(model: RBM, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Surprise and expected surprise of each column, (cases, columns), from completed rows, (chains, cases, *shape)."""
    chains, cases = draws.shape[:2]
    each: Surprise = column_surprise(model, draws.flatten(0, 1))
    surprise, expected = (found.reshape(chains, cases, -1) for found in each[:2])
    return surprise.logsumexp(0) - math.log(chains), expected.mean(0)
