"""Faces identified by the free energy of pairs."""
