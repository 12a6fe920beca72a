"""Polyphonic music by RBMs whose biases depend on the past: an RNN-RBM beside simpler models."""
