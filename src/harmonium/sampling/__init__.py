"""Samplers of an RBM and of the deep models around it.

A sampler is a module with two functions: `init(model, ...) -> state` and `step(model, state, *, generator, ...) -> (state, info)`. States
and infos are named tuples or frozen dataclasses. All randomness comes from `generator`.

- `gibbs`: block Gibbs sampling.
- `clamped`: Gibbs sampling that keeps observed values fixed.
- `tempering`: replica exchange between inverse temperatures.
- `trajectory`: replica exchange between the models of one training run.
- `top_down`: inference with top-down effects, which removes structured noise.
"""

from harmonium.sampling import clamped, gibbs, tempering, top_down, trajectory
from harmonium.sampling.clamped import Completion, complete
from harmonium.sampling.films import film
from harmonium.sampling.imputation import Imputation
from harmonium.sampling.impute import impute
from harmonium.sampling.label_probability import gibbs_label_probability
from harmonium.sampling.noise_removal import Cleaned, remove_noise
from harmonium.sampling.sequences import continue_sequence

__all__ = [
    "Cleaned",
    "Completion",
    "Imputation",
    "clamped",
    "complete",
    "continue_sequence",
    "film",
    "gibbs",
    "gibbs_label_probability",
    "impute",
    "remove_noise",
    "tempering",
    "top_down",
    "trajectory",
]
