"""log Z of a machine in one call: exact where it is cheap, else estimated."""

from __future__ import annotations

from harmonium.likelihood.ais import ais
from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.exact_log_z import exact_log_z
from harmonium.models import RBM

LISTED = 2**16  # joint states of the smaller side up to which log Z is exact
CHAINS, BETAS = 100, 2000


def known_log_z(model: RBM, seed: int) -> tuple[float, Estimate | None]:
    """log Z, in nats, and the estimate that it is by annealed importance sampling, or None where it is exact."""
    if min(model.hidden.count, model.visible.count) <= LISTED:
        return exact_log_z(model), None
    found = ais(model, chains=CHAINS, betas=BETAS, seed=seed)
    return found.log_z, found
