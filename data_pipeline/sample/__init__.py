"""Held-out weeks of the simulated planet, shipped with the package."""
