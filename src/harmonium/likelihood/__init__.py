"""How good is a model, in nats?"""

from harmonium.likelihood.ais import Estimate, ais
from harmonium.likelihood.exact import exact_log_z, log_likelihood
from harmonium.likelihood.monitors import free_energy_gap, pseudo_likelihood

__all__ = ["Estimate", "ais", "exact_log_z", "free_energy_gap", "log_likelihood", "pseudo_likelihood"]
