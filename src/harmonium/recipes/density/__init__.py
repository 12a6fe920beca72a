"""RBMs on thirteen binary data sets, in nats."""
