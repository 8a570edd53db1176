"""Cyclones of real reanalysis, a simulated planet and the shipped sample: as many, as deep and as fast as usual."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data_pipeline.reading import open_states
from data_pipeline.variables import GRAVITY
from evaluation.tracks import Track, TrackSettings, find_tracks

SHARED = Path(__file__).parents[3] / "shared"
ERA5 = [SHARED / "data" / f"era5_{name}_2p5deg_djf2025.zarr" for name in ("msl", "vo850")]
SPEEDY = [SHARED / "speedy" / f"{name}_64x32.nc" for name in ("planet_a", "static")]


def orography(latitude: np.ndarray, longitude: np.ndarray) -> xr.DataArray:
    """Surface geopotential, interpolated from 5.625 degrees."""
    with xr.open_dataset(SPEEDY[1]) as static:
        height = static["orography"].pad(lon=(1, 1), mode="wrap")
        height = height.assign_coords(lon=np.linspace(-5.625, 360.0, height.sizes["lon"]))
        found = height.interp(lat=np.clip(latitude, -87, 87), lon=longitude).values
    return xr.DataArray(
        found * GRAVITY, dims=("latitude", "longitude"), coords={"latitude": latitude, "longitude": longitude}
    )


def density(tracks: list[Track], south: float, north: float, west: float, east: float) -> float:
    """Centres in a box, per square degree of the equator's."""
    width = (east - west) % 360
    inside = [
        south <= own.latitude <= north and (own.longitude - west) % 360 <= width
        for track in tracks
        for own in track.centres
    ]
    area = width * np.rad2deg(np.sin(np.deg2rad(north)) - np.sin(np.deg2rad(south)))
    return float(sum(inside) / area)


def test_a_month_of_winter_storms_in_era5() -> None:
    if not all(path.exists() for path in (*ERA5, *SPEEDY)):
        pytest.skip(f"no real data at {SHARED}")
    era5 = xr.merge([open_states(path).isel(time=slice(124, 248)) for path in ERA5]).load()  # January
    ground = orography(era5["latitude"].values, era5["longitude"].values)
    tracks = find_tracks(era5, TrackSettings.extratropical(), ground)
    north = [own for own in tracks if own.centres[0].latitude > 0]
    assert 40 <= len(north) <= 90  # about two a day form that live two days
    assert 40 <= len(tracks) - len(north) <= 90
    deepest = min(own.pressure for track in north for own in track.centres)
    assert 92_500 < deepest < 96_500
    speeds = [own.travel_km / own.hours / 3.6 for own in north]
    assert 4 < np.median(speeds) < 14  # m s-1, along a straight line
    eastward = [(own.centres[-1].longitude - own.centres[0].longitude + 180) % 360 - 180 for own in north]
    assert np.mean(np.array(eastward) > 0) > 0.75
    calm = density(north, 30, 45, 330, 355)  # the Azores
    assert density(north, 45, 65, 310, 350) > 3 * calm  # Newfoundland to Iceland
    assert density(north, 40, 60, 150, 190) > 3 * calm  # Kamchatka to the Aleutians
    assert density(tracks, 28, 40, 78, 100) == 0  # no cyclone lives on Tibet


def test_a_month_of_winter_storms_of_a_simulated_planet() -> None:
    if not all(path.exists() for path in SPEEDY):
        pytest.skip(f"no simulated planet at {SHARED}")
    with xr.open_dataset(SPEEDY[0]) as planet:
        states = planet[["msl", "u850", "v850"]].isel(time=slice(560, 620), lat=slice(None, None, -1)).load()
    states = states.rename(lat="latitude", lon="longitude", msl="mean_sea_level_pressure")
    for axis in "uv":
        states[f"{axis}_component_of_wind"] = states[f"{axis}850"].expand_dims(level=[850], axis=1)
    ground = orography(states["latitude"].values, states["longitude"].values)
    tracks = find_tracks(states, TrackSettings.extratropical(), ground)
    assert 20 <= len(tracks) <= 120
    assert all(abs(own.latitude) >= 24 and own.vorticity >= 2e-5 for track in tracks for own in track.centres)


def test_the_shipped_sample_has_cyclones() -> None:
    tracks = find_tracks(open_states("sample").isel(time=slice(0, 30)), TrackSettings.extratropical())
    assert 5 <= len(tracks) <= 60
    assert [own.name for own in tracks] == [f"T{number:04d}" for number in range(1, len(tracks) + 1)]
