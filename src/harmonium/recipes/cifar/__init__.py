"""Rectified features of small colour photographs."""
