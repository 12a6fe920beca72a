"""Phones recognised by hidden Markov models, of Gaussian mixtures and of deep nets."""
