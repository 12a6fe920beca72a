"""Rectified against binary units on the jittered and cluttered NORB, or on toy objects in its place, with and without pre-training."""
