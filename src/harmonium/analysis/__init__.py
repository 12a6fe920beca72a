"""Learning rules analysed on machines whose states can be enumerated."""

from harmonium.analysis.enumerated_rbms import EnumeratedRBMs, MeanUpdate
from harmonium.analysis.fixed_points import FixedPoint, asymmetry, find_fixed_point, minimise_contrast

__all__ = ["EnumeratedRBMs", "FixedPoint", "MeanUpdate", "asymmetry", "find_fixed_point", "minimise_contrast"]
