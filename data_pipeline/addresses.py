"""What tells an address from a path; apart from ``remote``, whose libraries take a quarter of a second to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def is_url(path: str | Path) -> bool:
    """Whether ``path`` is an address such as ``gs://bucket/store.zarr``.

    >>> is_url("https://example.org/era5.zarr"), is_url("era5.zarr")
    (True, False)
    """
    return "://" in str(path)
