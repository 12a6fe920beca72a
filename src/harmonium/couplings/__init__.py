"""Couplings: how two layers are connected."""

from harmonium.couplings.chain import Chain
from harmonium.couplings.conditional import Conditional
from harmonium.couplings.convolutional import Convolutional
from harmonium.couplings.coupling import Coupling
from harmonium.couplings.dense import Dense
from harmonium.couplings.low_rank import LowRank
from harmonium.couplings.products import Reduced
from harmonium.couplings.transposed import Transposed

__all__ = ["Chain", "Conditional", "Convolutional", "Coupling", "Dense", "LowRank", "Reduced", "Transposed"]
