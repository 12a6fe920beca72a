"""One generative model of MNIST's digits and their labels."""
