"""Early stopping by the likelihood of validation cases."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.learning import Callback, TrainingState
from harmonium.likelihood import ais, exact_log_z, log_likelihood, log_z_by_raise
from harmonium.likelihood.log_z_by_raise import some_of
from harmonium.models import RBM
from harmonium.seeds import derive

CHAINS = 100  # of annealed importance sampling


class Nats(NamedTuple):
    """The mean log-probability of some cases in nats, and the standard error that it owes to an estimated log Z (0 where that is exact)."""

    value: float
    error: float

    @property
    def cautious(self) -> float:
        """What to choose by: too few annealed chains in the right places make a machine look better than it is."""
        return self.value - 2 * self.error


def lower(first: Nats, second: Nats) -> Nats:
    """The one that promises less: annealed chains that miss a mode promise too much, and the longer ones of two runs need not miss less."""
    return min(first, second, key=lambda each: each.cautious)


def conservative(machine: RBM, cases: Tensor, base_rates: Tensor, *, betas: int, seed: int) -> Nats:
    """By RAISE: a bound on the log-probability that the annealing model gives the cases, (cases, variables), which cannot promise too much.

    Forward chains that miss the modes where the cases are find log Z too low, so that a machine that has run away from its chains looks
    best of all. Chains that go back from the cases themselves find that the annealing model does not reach them. Walked from `CHAINS`
    cases; the others' free energies are known.
    """
    some = some_of(cases, CHAINS, seed)
    found = log_z_by_raise(machine, some, betas=betas, seed=seed, base_rates=base_rates)
    return Nats(log_likelihood(machine, cases, log_z=found.log_z).mean().item(), found.standard_error)


def nats_of(machine: RBM, cases: Tensor, base_rates: Tensor, *, betas: int, seed: int, listed: int = 2**16) -> Nats:
    """Of `cases`, (cases, variables): with exact log Z where one side has at most `listed` states, else by annealed importance sampling."""
    if min(machine.visible.count, machine.hidden.count) <= listed:
        log_z, error = exact_log_z(machine), 0.0
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*effective sample size")  # the standard error says it
            found = ais(machine, chains=CHAINS, betas=betas, seed=seed, base_rates=base_rates)
        log_z, error = found.log_z, found.standard_error
    return Nats(log_likelihood(machine, cases, log_z=log_z).mean().item(), error)


class Repeated:
    """Rows of 0 and 1, (cases, variables) uint8, gone through `times` times an epoch, so that a small set's epochs are not over at once."""

    def __init__(self, rows: Tensor, times: int) -> None:
        self.cases, self.times = rows, times

    def __len__(self) -> int:
        return len(self.cases) * self.times

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        return self.cases[indices % len(self.cases)]


class EarlyStopping(Callback):
    """After each epoch the averaged machine's nats on validation cases, written beside the epoch's other metrics.

    `state.best` keeps the averaged parameters of the best epoch so far; `patience` epochs without a better one end training.
    """

    def __init__(self, cases: Tensor, base_rates: Tensor, *, betas: int, patience: int, seed: int) -> None:
        self.cases, self.base_rates, self.betas, self.patience, self.seed = cases, base_rates, betas, patience, seed

    def on_epoch(self, state: TrainingState) -> None:
        machine = state.averaged()
        assert isinstance(machine, RBM)
        found = nats_of(machine, self.cases, self.base_rates, betas=self.betas, seed=derive(self.seed, state.epoch))
        earlier = [Nats(row["validation_nats"], row["log_z_error"]).cautious for row in state.history[:-1]]
        state.history[-1] |= {"validation_nats": found.value, "log_z_error": found.error}
        if all(found.cautious > value for value in earlier):
            state.best, state.best_epoch = {name: tensor.clone() for name, tensor in state.average.items()}, state.epoch
        elif state.epoch - state.best_epoch >= self.patience:
            state.stopped = True
