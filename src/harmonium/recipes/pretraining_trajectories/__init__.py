"""What nets compute while they learn, as points of one space: with and without unsupervised pre-training."""
