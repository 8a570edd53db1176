"""What a store says of its origin."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from data_pipeline.store import FORMAT

if TYPE_CHECKING:
    from data_pipeline.config import DataConfig

_PACKAGES = ("sphercast", "numpy", "xarray", "zarr", "numcodecs", "numba")


def digest_of(config: DataConfig) -> str:
    """The sha256 of all that decides the contents; a store may be moved, and what stops a build be changed."""
    return hashlib.sha256(config.model_dump_json(exclude={"store", "accept"}).encode()).hexdigest()


def provenance(config: DataConfig) -> dict[str, Any]:
    """Attributes of a store: format, config with its sources, its digest, versions of what made it."""
    return {
        "format": FORMAT,
        "config": config.model_dump(mode="json", exclude={"store"}),
        "config_sha256": digest_of(config),
        "versions": {package: version(package) for package in _PACKAGES},
    }
