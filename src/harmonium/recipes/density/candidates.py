"""The machines that are learnt of a data set, among which one is chosen."""

from __future__ import annotations

from dataclasses import dataclass

from harmonium.couplings import Dense
from harmonium.data.binary_density import Splits
from harmonium.learning import PersistentCD, Rule, Tempering
from harmonium.models import RBM
from harmonium.units import Bernoulli

FEW = 10  # training cases per variable


@dataclass(frozen=True)
class Candidate:
    """One machine of a search, and how it is learnt."""

    hidden: int
    rate: float
    """The learning rate at first, times the largest eigenvalue of the training cases' covariance; it falls linearly to zero."""
    cost: float = 0.0
    """Weight cost."""
    replicas: int = 1
    """Temperatures of tempered CD; 1 is persistent CD."""
    chains: int = 100
    updates: int = 10_000
    """At most."""

    @property
    def label(self) -> str:
        """What tells it from the others of its set."""
        chains = f" chains {self.chains}" if self.chains != 100 else ""
        tempered = f" temperatures {self.replicas}" if self.replicas > 1 else ""
        return f"hidden {self.hidden} rate {self.rate:g} cost {self.cost:g}{chains}{tempered}"

    def negative(self) -> Rule:
        return PersistentCD(self.chains) if self.replicas == 1 else PersistentCD(chains=self.chains, sampler=Tempering(betas=self.replicas))

    def machine(self, variables: int, seed: int) -> RBM:
        """As it is before learning."""
        return RBM(Bernoulli(variables), Bernoulli(self.hidden), Dense(variables, self.hidden, scale=0.01, seed=seed))


SEARCH = {
    "few": (
        Candidate(23, rate=0.3, cost=0.005, updates=4000),
        Candidate(50, rate=0.3, cost=0.005, updates=4000),
        Candidate(100, rate=0.1, cost=0.005, updates=4000),
        Candidate(100, rate=0.1, cost=0.02, updates=4000),
        Candidate(100, rate=0.3, cost=0.02, updates=4000),
        Candidate(100, rate=0.3, cost=0.05, updates=4000),
        Candidate(50, rate=0.3, cost=0.005, updates=4000, replicas=5, chains=50),
    ),
    "many": (
        Candidate(23, rate=1.0),
        Candidate(100, rate=0.3),
        Candidate(100, rate=1.0),
        Candidate(200, rate=1.0),
        Candidate(100, rate=0.3, chains=500),
        Candidate(100, rate=0.4, replicas=5),
        Candidate(200, rate=0.4, replicas=5),
    ),
}


def few(splits: Splits) -> bool:
    """Whether the danger is overfitting rather than slow learning."""
    cases, variables = splits.train.shape
    return cases < FEW * variables


def search(splits: Splits) -> tuple[Candidate, ...]:
    """The machines that are learnt of a set of this size."""
    return SEARCH["few" if few(splits) else "many"]
