"""The replicated softmax of documents: how it learns, and the log-probability that it gives documents of any length."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from harmonium.learning import ContrastiveDivergence, PersistentDocuments, Rule, Schedule, fit
from harmonium.likelihood import Estimate, ais_of_lengths, log_likelihood
from harmonium.models import RBM
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, ReplicatedSoftmax


@dataclasses.dataclass(frozen=True)
class Machine:
    """How a replicated softmax learns, by Adam with a rate that falls to zero."""

    updates: int
    hidden: int = 50
    learning_rate: float = 0.003
    batch_size: int = 100
    steps: tuple[int, ...] = ()
    """Of contrastive divergence, one number after the other for equal shares of the updates; none for persistent chains, as many as a
    batch has documents."""
    weight_cost: float = 0.0
    """Share of each weight that is taken away, beside the gradient."""

    def rules(self) -> list[Rule]:
        """Where the model's documents come from, in turn."""
        return [ContrastiveDivergence(steps) for steps in self.steps] or [PersistentDocuments(self.batch_size)]

    def __post_init__(self) -> None:
        if min(self.updates, self.hidden, self.batch_size) < 1:
            raise ValueError(f"a machine of documents has a hidden unit, an update and a document in each at least, found {self}")


@dataclasses.dataclass(frozen=True)
class Annealing:
    """How log Z is estimated at all lengths of documents."""

    populations: int = 10
    chains: int = 50
    growth: float = 0.02
    """Share by which documents grow between two sweeps."""


def lengths_of(counts: sparse.csr_array) -> Tensor:
    """The number of words of each document: (documents,) int64."""
    return torch.from_numpy(np.asarray(counts.sum(1)).ravel().astype(np.int64))


def dense(counts: sparse.csr_array) -> Tensor:
    """(documents, words) float32."""
    return torch.from_numpy(counts.toarray().astype(np.float32))


def learn(run: Run, phase: str, counts: sparse.csr_array, how: Machine, seed: int) -> RBM:
    """A replicated softmax with binary hidden units, learnt from documents.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    counts
        (documents, words).
    how
        How it learns.
    seed
        Of the weights, of the order of the documents, and of the draws.
    """
    rbm = RBM(ReplicatedSoftmax(counts.shape[1]), Bernoulli(how.hidden), seed=derive(seed, 0))
    rules = how.rules()
    epochs = max(round(how.updates * how.batch_size / counts.shape[0] / len(rules)), 1)
    for part, rule in enumerate(rules):
        name = f"{phase} {part + 1}" if len(rules) > 1 else phase
        falling = partial(share_left, part * epochs, len(rules) * epochs)
        fit(
            rbm,
            counts,
            negative=rule,
            epochs=epochs,
            batch_size=how.batch_size,
            optimizer=partial(torch.optim.Adam, lr=how.learning_rate),
            schedule=partial(Schedule, lr=falling),
            weight_cost=how.weight_cost,
            precision=run.precision,
            seed=derive(seed, 1 + part),
            callbacks=run.callbacks(name),
            checkpoint=run.checkpoint(name),
            progress=False,
        )
    return rbm


def share_left(before: int, total: int, epoch: int) -> float:
    """Of the learning rate after so many epochs, which falls to zero over several rules in turn."""
    return 1 - (before + epoch) / total


def log_p(rbm: RBM, counts: sparse.csr_array, how: Annealing, seed: int) -> tuple[Tensor, dict[int, Estimate]]:
    """The log-probability of each document's sequence of words, (documents,) float64 in nats, and log Z by number of words."""
    words = lengths_of(counts)
    distinct, place = torch.unique(words, return_inverse=True)
    found = ais_of_lengths(rbm, distinct, populations=how.populations, chains=how.chains, growth=how.growth, seed=seed, progress=True)
    log_z = torch.tensor([one.log_z for one in found], dtype=torch.float64)[place]
    return log_likelihood(rbm, dense(counts), log_z=log_z), dict(zip(distinct.tolist(), found, strict=True))
