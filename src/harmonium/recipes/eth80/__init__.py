"""Rectified against binary features of photographs of real toys."""
