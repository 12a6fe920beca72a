"""Many models of one architecture, trained as one batched computation."""
