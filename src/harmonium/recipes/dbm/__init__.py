"""A deep Boltzmann machine on binary MNIST."""
