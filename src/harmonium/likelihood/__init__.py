"""The quality of a model as a log-likelihood, in nats: exact values, estimates and bounds."""

from harmonium.likelihood.ais import ais
from harmonium.likelihood.ais_of_components import ais_of_components
from harmonium.likelihood.ais_of_lengths import ais_of_lengths
from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.anomaly import AnomalyScore, anomaly_score
from harmonium.likelihood.bridge import Difference, bridge
from harmonium.likelihood.dbm_bound import dbm_bound
from harmonium.likelihood.dbn_bound import VariationalBound, dbn_bound
from harmonium.likelihood.evaluate import evaluate
from harmonium.likelihood.evaluation import Evaluation
from harmonium.likelihood.exact_dbn import ExactNet, exact_dbn
from harmonium.likelihood.exact_distribution import Distribution, exact_distribution, total_correlation
from harmonium.likelihood.exact_log_z import exact_log_z
from harmonium.likelihood.exact_moments import Moments, exact_moments
from harmonium.likelihood.exact_transition import Transition, exact_transition
from harmonium.likelihood.log_likelihood import log_likelihood
from harmonium.likelihood.log_z_by_raise import RaiseEstimate, log_z_by_raise
from harmonium.likelihood.modes import log_z_of_a_mode
from harmonium.likelihood.raise_bound import AnnealingBound, raise_bound
from harmonium.likelihood.reverse_ais import reverse_ais
from harmonium.likelihood.trajectory_ais import reverse_trajectory_ais, trajectory_ais
from harmonium.likelihood.without_log_z import free_energy_gap, pseudo_likelihood

__all__ = [
    "AnnealingBound",
    "AnomalyScore",
    "Difference",
    "Distribution",
    "Estimate",
    "Evaluation",
    "ExactNet",
    "Moments",
    "RaiseEstimate",
    "Transition",
    "VariationalBound",
    "ais",
    "ais_of_components",
    "ais_of_lengths",
    "anomaly_score",
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
    "log_z_of_a_mode",
    "pseudo_likelihood",
    "raise_bound",
    "reverse_ais",
    "reverse_trajectory_ais",
    "total_correlation",
    "trajectory_ais",
]
