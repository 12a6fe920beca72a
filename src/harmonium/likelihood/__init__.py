"""How good is a model, in nats?"""

from harmonium.likelihood.ais import ais
from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.bounds import VariationalBound, dbn_bound
from harmonium.likelihood.bridge import Difference, bridge
from harmonium.likelihood.by_raise import Raised, log_z_by_raise
from harmonium.likelihood.distribution import Distribution, exact_distribution, total_correlation
from harmonium.likelihood.evaluate import evaluate
from harmonium.likelihood.evaluation import Evaluation
from harmonium.likelihood.exact import exact_log_z
from harmonium.likelihood.exact_net import ExactNet, exact_dbn
from harmonium.likelihood.log_likelihood import log_likelihood
from harmonium.likelihood.mean_field import dbm_bound
from harmonium.likelihood.moments import Moments, exact_moments
from harmonium.likelihood.monitors import free_energy_gap, pseudo_likelihood
from harmonium.likelihood.raise_ import AnnealingBound, raise_bound
from harmonium.likelihood.reverse import reverse_ais
from harmonium.likelihood.trajectory import reverse_trajectory_ais, trajectory_ais
from harmonium.likelihood.transition import Transition, exact_transition

__all__ = [
    "AnnealingBound",
    "Difference",
    "Distribution",
    "Estimate",
    "Evaluation",
    "ExactNet",
    "Moments",
    "Raised",
    "Transition",
    "VariationalBound",
    "ais",
    "bridge",
    "dbm_bound",
    "dbn_bound",
    "evaluate",
    "exact_dbn",
    "exact_distribution",
    "exact_log_z",
    "exact_moments",
    "exact_transition",
    "free_energy_gap",
    "log_likelihood",
    "log_z_by_raise",
    "pseudo_likelihood",
    "raise_bound",
    "reverse_ais",
    "reverse_trajectory_ais",
    "total_correlation",
    "trajectory_ais",
]
