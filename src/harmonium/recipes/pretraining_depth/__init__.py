"""Sigmoid nets of one to five layers, with and without unsupervised pre-training."""
