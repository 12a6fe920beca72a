"""Convolutional nets of MNIST, learnt layer by layer or from random weights."""
