"""Samplers: `init(model, ...) -> state` and `step(model, state, *, generator) -> (state, info)`."""

from harmonium.sampling import clamped, gibbs, tempering, trajectory
from harmonium.sampling.clamped import Completion, complete
from harmonium.sampling.films import film
from harmonium.sampling.labels import gibbs_label_probability

__all__ = ["Completion", "clamped", "complete", "film", "gibbs", "gibbs_label_probability", "tempering", "trajectory"]
