"""The ways to wire two layers."""

from harmonium.couplings.coupling import Coupling
from harmonium.couplings.dense import Dense

__all__ = ["Coupling", "Dense"]
