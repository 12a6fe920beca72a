"""Samplers: `init(model, ...) -> state` and `step(model, state, *, generator) -> (state, info)`."""

from harmonium.sampling import clamped, gibbs, tempering, top_down, trajectory
from harmonium.sampling.clamped import Completion, complete
from harmonium.sampling.films import film
from harmonium.sampling.label_probability import gibbs_label_probability
from harmonium.sampling.top_down import Cleaned, remove_noise

__all__ = [
    "Cleaned",
    "Completion",
    "clamped",
    "complete",
    "film",
    "gibbs",
    "gibbs_label_probability",
    "remove_noise",
    "tempering",
    "top_down",
    "trajectory",
]
