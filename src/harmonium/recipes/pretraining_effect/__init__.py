"""Many nets of one depth, with and without unsupervised pre-training."""
