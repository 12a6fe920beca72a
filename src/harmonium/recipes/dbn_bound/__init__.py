"""The variational bound of a deep belief net on binary MNIST."""
