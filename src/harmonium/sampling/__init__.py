"""Samplers: `init(model, ...) -> state` and `step(model, state, *, generator) -> (state, info)`."""

from harmonium.sampling import clamped, gibbs, tempering, trajectory
from harmonium.sampling.clamped import Completion, complete

__all__ = ["Completion", "clamped", "complete", "gibbs", "tempering", "trajectory"]
