"""Samplers: `init(model, ...) -> state` and `step(model, state, *, generator) -> (state, info)`."""

from harmonium.sampling import clamped, gibbs, tempering, trajectory
from harmonium.sampling.clamped import Completion, complete
from harmonium.sampling.dreams import complete_image, film, gibbs_label_probability

__all__ = [
    "Completion",
    "clamped",
    "complete",
    "complete_image",
    "film",
    "gibbs",
    "gibbs_label_probability",
    "tempering",
    "trajectory",
]
