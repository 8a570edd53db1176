"""Where fields come from. A source is a small frozen model with ``kind`` and ``open()``; SOURCES lists them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_pipeline.sources.registry import (
        SOURCES,
        ArcoEra5Source,
        FilesSource,
        GribSource,
        Source,
        SpeedySource,
        WeatherBench2Source,
        Window,
    )

__all__ = [
    "SOURCES", "ArcoEra5Source", "FilesSource", "GribSource", "Source", "SpeedySource", "WeatherBench2Source", "Window",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Imported when it is asked for: who opens one file need not wait for dask and all that reads the network."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.registry"), name)
