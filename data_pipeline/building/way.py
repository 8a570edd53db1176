"""What stands already where a store shall be: a finished one, or one that grows, of this config or of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import zarr

from data_pipeline.building.provenance import digest_of
from data_pipeline.building.report import NOTICED
from data_pipeline.building.slabs import GROWING
from data_pipeline.errors import DataError
from data_pipeline.store import is_store, open_store, partial_path

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.config import DataConfig


def is_growing(folder: Path) -> bool:
    """Whether a store was begun in ``folder`` and is not published."""
    return (folder / NOTICED).exists() and (folder / GROWING).exists()


def grows_for(folder: Path) -> object:
    """The digest of the config whose store grows in ``folder``."""
    return _growing_attributes(folder)["config_sha256"]


def _growing_attributes(folder: Path) -> dict[str, object]:
    return dict(zarr.open_group(folder / GROWING, mode="r", use_consolidated=False).attrs)


def standing(config: DataConfig) -> Literal["nothing", "unfinished", "finished"]:
    """What of the config's store is there; a DataError if something else is in its way."""
    if config.store.exists():
        require_own_store(config)
        return "finished"
    folder = partial_path(config.store)
    if is_growing(folder):
        require_own_build(config, folder)
        return "unfinished"
    return "nothing"


def require_own_build(config: DataConfig, folder: Path) -> None:
    """Raise a DataError if what grows in ``folder`` is another config's."""
    if grows_for(folder) != digest_of(config):
        other = changed_keys(_growing_attributes(folder).get("config"), config)
        raise DataError(
            f"{folder} is an unfinished build of another config{_of(other)}; remove it, or set another 'store'"
        )


def require_own_store(config: DataConfig) -> None:
    """Raise a DataError if what has the name of the store is something else, or another config's."""
    if not is_store(config.store):
        raise DataError(f"{config.store} exists and is not a training store; remove it, or set another 'store'")
    attributes = open_store(config.store).group.attrs
    if attributes.get("config_sha256") != digest_of(config):
        other = changed_keys(attributes.get("config"), config)
        raise DataError(
            f"{config.store} exists and was not built from this config{_of(other)}; remove it, set another 'store', "
            "or, if only the end of the period moved, run 'sphercast data append'"
        )


def changed_keys(before: object, config: DataConfig) -> list[str]:
    """Which parts of a config are others than in one that is written in a store."""
    old = before if isinstance(before, dict) else {}
    new = config.model_dump(mode="json", exclude={"store", "accept"})
    return [key for key in new if new[key] != old.get(key)]


def _of(keys: list[str]) -> str:
    return f" (other {', '.join(keys)})" if keys else ""
