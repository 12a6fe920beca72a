"""Rectified against binary features of the tutorial's reduced NORB, or of toy objects in its place."""
