"""The climate of a training store as two tables: global means by year, jets and eddies by season.

Usage: python benchmarks/climate.py STORE (docs/planet.md states what it prints for the shipped planet's).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channels
from data_pipeline.climatology import Climatology
from data_pipeline.store import open_store
from data_pipeline.variables import GRAVITY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.store import TrainingStore

    Floats = NDArray[np.float64]

YEARLY = {
    "t2m K": ("2m_temperature", 1.0),
    "t850 K": ("temperature_850", 1.0),
    "z500 m": ("geopotential_500", 1 / GRAVITY),
    "msl hPa": ("mean_sea_level_pressure", 0.01),
    "q850 g/kg": ("specific_humidity_850", 1e3),
}
SEASONS = {"DJF": (12, 1, 2), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}


def main() -> None:
    """Print the climate of the store named on the command line."""
    store = open_store(Path(sys.argv[1]))
    fields = store.read(range(len(store.times)))
    years = store.times.astype("datetime64[Y]").astype(int) + 1970
    months = store.times.astype("datetime64[M]").astype(int) % 12 + 1
    _print_row("year", *YEARLY)
    _print_row(*["---"] * (len(YEARLY) + 1))
    means = {
        label: _global_mean(store, fields[:, store.channels.index(name)]) * f for label, (name, f) in YEARLY.items()
    }
    for year in np.unique(years):
        _print_row(year, *(f"{mean[years == year].mean():.2f}" for mean in means.values()))
    _print_seasons(store, fields, months)


def _print_seasons(store: TrainingStore, fields: Floats, months: NDArray[np.int64]) -> None:
    latitude = np.asarray(store.grid.latitude)
    wind = fields[:, store.channels.index("u_component_of_wind_250")].mean(-1)
    height = _anomaly(store, fields, "geopotential_500") / GRAVITY
    print()
    _print_row("season", "jet north", "jet south", "z500 std 30-70N", "30-70S", "globe")
    _print_row(*["---"] * 6)
    for season, inside in SEASONS.items():
        chosen = np.isin(months, inside)
        jets = wind[chosen].mean(0)
        places = [np.where(side, jets, -np.inf).argmax() for side in (latitude > 0, latitude < 0)]
        bands = [(latitude > 30) & (latitude < 70), (latitude < -30) & (latitude > -70), latitude < 91]
        stds = [np.sqrt(_global_mean(store, height[chosen] ** 2, band).mean()) for band in bands]
        jet_words = [f"{jets[place]:.0f} m/s at {latitude[place]:.0f}" for place in places]
        _print_row(season, *jet_words, *(f"{std:.0f} m" for std in stds))


def _anomaly(store: TrainingStore, fields: Floats, name: str) -> Floats:
    position = store.channels.index(name)
    whole = store.climatology
    one = Climatology(Channels.from_names([name]), store.grid, whole.mean[:, [position]], whole.variance[:, [position]])
    (normal,) = one.at(store.times)[0].data_vars.values()
    return np.asarray(fields[:, position] - normal.values.reshape(fields[:, position].shape))


def _global_mean(store: TrainingStore, field: Floats, band: NDArray[np.bool_] | None = None) -> Floats:
    weights = store.grid.area_weights() * (1.0 if band is None else band)
    return np.asarray(np.einsum("tij,i->t", field.astype(np.float64), weights) / weights.sum() / field.shape[-1])


def _print_row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


if __name__ == "__main__":
    main()
