"""Fields that lie at a path and that sphercast does not know, so that nobody takes them for looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.canonical import unknown_names
from data_pipeline.quality.findings import DefectError
from data_pipeline.reading import is_grib_path, is_store_path, open_fields
from data_pipeline.sources.grib_index import grib_files, index_files
from data_pipeline.sources.grib_selection import contents, held_variables

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.sources.grib_message import Kind


def unknown_variables(path: str | Path) -> list[str]:
    """Names of the fields at ``path`` that sphercast does not know, sorted; of GRIB with their type of level.

    Raises
    ------
    DataError
        If nothing readable is there.
    """
    if is_store_path(path):
        return []
    if is_grib_path(path):
        return unknown_in_grib(path)
    return unknown_names(open_fields(path))


def unknown_in_grib(path: str | Path) -> list[str]:
    """Short names and types of level of the messages that no channel can be.

    Raises
    ------
    DataError
        If nothing readable is there, or none of it is known (a ``DefectError``): the message says what there is.
    """
    kinds = index_files(grib_files(str(path))).kinds
    known = {number for numbers in held_variables(kinds).values() for number in numbers}
    if not known:
        raise DefectError("variable-missing", f"{path} holds no field that is known; it has {contents(kinds)}")
    return sorted({_described(kind) for number, kind in enumerate(kinds) if number not in known})


def _described(kind: Kind) -> str:
    return f"{kind.short_name} ({kind.level_type})"
