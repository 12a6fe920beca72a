"""Ratings predicted by RBMs whose visible units are the items that somebody has rated."""
