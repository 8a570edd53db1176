"""Forecasts as files: CF NetCDF and Zarr, written while the model runs, resumed after a kill, published whole."""

from __future__ import annotations

from forecast.output.chunks import LostOutput
from forecast.output.config import OutputConfig, output_config
from forecast.output.layout import EnsembleLayout
from forecast.output.manifest import (
    MANIFEST,
    Manifest,
    StoppedMember,
    go_on_publishing,
    is_publishing,
    lost_files,
    publish,
    read_manifest,
)
from forecast.output.sink import Sink, open_sinks, planned
from forecast.output.verify import verify
from forecast.output.writing import WriterThread

__all__ = [
    "MANIFEST",
    "EnsembleLayout",
    "LostOutput",
    "Manifest",
    "OutputConfig",
    "Sink",
    "StoppedMember",
    "WriterThread",
    "go_on_publishing",
    "is_publishing",
    "lost_files",
    "open_sinks",
    "output_config",
    "planned",
    "publish",
    "read_manifest",
    "verify",
]
