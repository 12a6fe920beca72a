"""One RBM on binary MNIST, in nats."""
