"""Sizes of memory as people write them; apart from the planning, so that reading a job file needs no torch."""

from __future__ import annotations

from dask.utils import parse_bytes

from data_pipeline.errors import ConfigError


def parse_memory(text: str) -> int:
    """Bytes of a text such as ``4GiB``; a ConfigError if it is none.

    >>> parse_memory("4GiB"), parse_memory("500 MB")
    (4294967296, 500000000)
    """
    try:
        size = int(parse_bytes(text)) if any(map(str.isdigit, text)) else 0
    except ValueError:
        size = 0
    if size <= 0:
        raise ConfigError(f"got --memory {text!r}, expected a size as in 4GiB or 500MB; mend it")
    return size
