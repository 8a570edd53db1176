"""Regridding from latitude-longitude grids to grids, HEALPix pixels and lists of points."""

from __future__ import annotations

from data_pipeline.regrid.healpix import HealpixGrid
from data_pipeline.regrid.points import Points
from data_pipeline.regrid.regridder import Regridder

__all__ = ["HealpixGrid", "Points", "Regridder"]
