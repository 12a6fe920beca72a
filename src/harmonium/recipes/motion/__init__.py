"""Human walking by conditional RBMs: prediction, generation and missing joints."""
