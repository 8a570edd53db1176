"""Initial conditions in real time: a source is a small frozen model with ``look`` and ``fetch``."""

from data_pipeline.realtime.cycles import CYCLE_HOURS
from data_pipeline.realtime.ecmwf import EcmwfOpenDataSource
from data_pipeline.realtime.era5 import RealtimeEra5Source
from data_pipeline.realtime.folder import FolderSource
from data_pipeline.realtime.initial import initial_states
from data_pipeline.realtime.noaa import GefsSource, GfsSource
from data_pipeline.realtime.request import Readiness, RealtimeSource, Request

REALTIME_SOURCES: dict[str, type[RealtimeSource]] = {
    "arco_era5": RealtimeEra5Source,
    "ecmwf_open_data": EcmwfOpenDataSource,
    "folder": FolderSource,
    "gefs": GefsSource,
    "gfs": GfsSource,
}

__all__ = [
    "CYCLE_HOURS", "REALTIME_SOURCES", "EcmwfOpenDataSource", "FolderSource", "GefsSource", "GfsSource", "Readiness",
    "RealtimeEra5Source", "RealtimeSource", "Request", "initial_states",
]  # fmt: skip
