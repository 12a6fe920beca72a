"""Samplers: `init(model, ...) -> state` and `step(model, state, *, generator) -> (state, info)`."""

from harmonium.sampling import gibbs

__all__ = ["gibbs"]
