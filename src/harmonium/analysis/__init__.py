"""Learning rules analysed on machines whose states can be enumerated, and receptive fields described by Gabor functions."""

from harmonium.analysis.enumerated_rbms import EnumeratedRBMs, MeanUpdate
from harmonium.analysis.fixed_points import FixedPoint, asymmetry, find_fixed_point, minimise_contrast
from harmonium.analysis.gabor import GaborFit, gabor_fit

__all__ = ["EnumeratedRBMs", "FixedPoint", "GaborFit", "MeanUpdate", "asymmetry", "find_fixed_point", "gabor_fit", "minimise_contrast"]
