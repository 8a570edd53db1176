"""Experiments, shipped with the package: see `sphercast config list`."""
