"""Densities of whitened patches of photographs: Gaussian-binary and Gaussian-rectified RBMs against mixtures."""
