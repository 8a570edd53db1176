"""All sources, and by what name a config calls each."""

from __future__ import annotations

from data_pipeline.sources.arco_era5 import ArcoEra5Source
from data_pipeline.sources.files import FilesSource
from data_pipeline.sources.grib import GribSource
from data_pipeline.sources.protocol import Source, Window
from data_pipeline.sources.speedy import SpeedySource
from data_pipeline.sources.weatherbench2 import WeatherBench2Source

SOURCES: dict[str, type[Source]] = {
    "arco_era5": ArcoEra5Source,
    "files": FilesSource,
    "grib": GribSource,
    "speedy": SpeedySource,
    "weatherbench2": WeatherBench2Source,
}

__all__ = [
    "SOURCES", "ArcoEra5Source", "FilesSource", "GribSource", "Source", "SpeedySource", "WeatherBench2Source", "Window",
]  # fmt: skip
