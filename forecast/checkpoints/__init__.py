"""Trained checkpoints, shipped with the package."""
