"""Where fields come from. A source is a small frozen model with ``kind`` and ``open()``; SOURCES lists them."""

from data_pipeline.sources.files import FilesSource
from data_pipeline.sources.protocol import Source
from data_pipeline.sources.speedy import SpeedySource

SOURCES: dict[str, type[FilesSource] | type[SpeedySource]] = {"files": FilesSource, "speedy": SpeedySource}

__all__ = ["SOURCES", "FilesSource", "Source", "SpeedySource"]
