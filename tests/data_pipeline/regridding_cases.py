"""Grids, fields and slow twins that the tests of regridding share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from scipy.special import lpmv

from data_pipeline.grid import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@st.composite
def global_grids(draw: st.DrawFn) -> Grid:
    rows, columns = draw(st.integers(3, 9)), draw(st.integers(4, 12))
    kind = draw(st.sampled_from(["poles", "half a cell off", "gaussian"]))
    grid = (
        Grid.gaussian(rows, columns) if kind == "gaussian" else Grid.equiangular(rows, columns, poles=kind == "poles")
    )
    shift = draw(st.floats(0, 0.99)) * 360 / columns
    return Grid(grid.latitude, tuple(np.round(np.asarray(grid.longitude) + shift, 6)))


def global_mean(values: np.ndarray, grid: Grid) -> np.ndarray:
    return np.average(values.astype(np.float64).mean(axis=-1), weights=grid.area_weights(), axis=-1)


def harmonic(degree: int, order: int, latitude: Floats, longitude: Floats) -> Floats:
    """A spherical harmonic at points (degrees), scaled to have a root mean square of about 1."""
    legendre = lpmv(order, degree, np.sin(np.deg2rad(latitude)))
    norm = np.sqrt((2 * degree + 1) * np.prod([1.0 / k for k in range(degree - order + 1, degree + order + 1)]))
    return np.asarray(norm * legendre * np.cos(order * np.deg2rad(longitude)))


def on_grid(degree: int, order: int, grid: Grid) -> Floats:
    return harmonic(degree, order, np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude))


def harmonic_cell_means(degree: int, order: int, grid: Grid) -> Floats:
    """Exact means over the cells: Gauss-Legendre along latitude, in closed form along longitude."""
    nodes, shares = np.polynomial.legendre.leggauss(8)
    edges = np.deg2rad(grid.latitude_bounds())
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[:-1] - edges[1:]) / 2
    latitude = middle[:, None] + half[:, None] * nodes
    along = harmonic(degree, order, np.rad2deg(latitude), np.zeros(1)) * np.cos(latitude)
    rows = (along @ shares * half) / (np.sin(edges[:-1]) - np.sin(edges[1:]))
    west, east = np.deg2rad(grid.longitude_bounds()[:-1]), np.deg2rad(grid.longitude_bounds()[1:])
    columns = (
        np.ones_like(west) if order == 0 else (np.sin(order * east) - np.sin(order * west)) / order / (east - west)
    )
    return np.asarray(rows[:, None] * columns)
