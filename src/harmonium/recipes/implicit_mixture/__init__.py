"""Digits clustered by an implicit mixture of RBMs."""
