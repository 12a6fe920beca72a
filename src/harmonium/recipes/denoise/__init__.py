"""Recognition of MNIST's digits under structured noise."""
