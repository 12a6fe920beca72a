"""RBMs on binary MNIST that are small enough for an exact log Z."""
