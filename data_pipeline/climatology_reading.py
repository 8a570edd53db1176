"""Open any climatology to score beside: a training store's, a sample's, a file's, or WeatherBench2's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.addresses import is_url
from data_pipeline.channels import Channels
from data_pipeline.climatology import Climatology
from data_pipeline.day_of_year import DayOfYearClimatology, weatherbench2_channels
from data_pipeline.errors import DataError
from data_pipeline.reading import find_climatology
from data_pipeline.sources.opening import raw_parts
from data_pipeline.store import is_store, open_store

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr

DAY_OF_YEAR = "day_of_year"
"""The folder of a training store that is its climatology by hour and day of the year."""


def open_climatology(path: str | Path, wanted: Collection[str] | None = None) -> Climatology | DayOfYearClimatology:
    """The climatology at ``path``, lazily where it is by hour and day of the year.

    That is of a training store its harmonics; its folder ``day_of_year``; a sample; a file ``climatology.nc``; or a
    store of WeatherBench2's, by path or URL.

    Parameters
    ----------
    path
        Where it is.
    wanted
        Names of the channels that will be asked for: of WeatherBench2's no others are read. By default all.

    Raises
    ------
    DataError
        If nothing is there, it is no climatology, or it holds none of the wanted channels.
    """
    found = find_climatology(path)
    if found is not None:
        return found
    if not is_url(path) and Path(path).name == DAY_OF_YEAR and is_store(Path(path).parent):
        return _by_day_of_year(Path(path).parent)
    raw = raw_parts(path)[0]
    if {"hour", "dayofyear"} & set(raw.dims):
        return _of_weatherbench2(raw, str(path), wanted)
    if {"mean_harmonic", "variance_harmonic"} <= set(raw.dims):
        return Climatology.from_dataset(raw)
    raise DataError(
        f"{path} holds no climatology; expected a training store, a sample, a climatology.nc, or WeatherBench2's "
        "climatology by hour and dayofyear"
    )


def _by_day_of_year(path: Path) -> DayOfYearClimatology:
    store = open_store(path)
    if DAY_OF_YEAR not in store.group:
        raise DataError(
            f"{path} was built without a climatology by hour and day of the year; give {path} alone for its harmonics, "
            "or build it with a section 'climatology'"
        )
    return store.day_of_year


def _of_weatherbench2(raw: xr.Dataset, path: str, wanted: Collection[str] | None) -> DayOfYearClimatology:
    held = weatherbench2_channels(raw)
    chosen = [name for name in held if wanted is None or name in wanted]
    if not chosen:
        have = ", ".join(held) or ", ".join(map(str, raw.data_vars)) or "no variable"
        expected = ", ".join(wanted or ["any variable that sphercast knows"])
        raise DataError(f"the climatology {path} lacks {expected}; it has {have}; choose other variables")
    return DayOfYearClimatology.from_weatherbench2(raw, Channels.from_names(chosen))
