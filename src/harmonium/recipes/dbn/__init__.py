"""A deep belief net on MNIST, fine-tuned by backpropagation."""
