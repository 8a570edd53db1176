"""Names of variables, dimensions and levels as models' writers spell them.

>>> named("z500"), named("2t"), named("u_850"), named("my_index")
(('geopotential', 500), ('2m_temperature', None), ('u_component_of_wind', 850), ('my_index', None))
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from data_pipeline.canonical import COORDINATE_NAMES, MEMBER_NAMES
from data_pipeline.channels import LEVELS_HPA
from data_pipeline.errors import DataError
from data_pipeline.units import Conversion, conversions, plain_units
from data_pipeline.variables import CANONICAL_NAME, VARIABLES, variable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import xarray as xr

DIMENSIONS = {
    **dict.fromkeys(MEMBER_NAMES[1:], "realization"),
    **dict.fromkeys(("prediction_timedelta", "step", "leadtime", "lead"), "lead_time"),
    **dict.fromkeys(("init_time", "initial", "reftime", "forecast_reference_time"), "initial_time"),
    **{old: new for old, new in COORDINATE_NAMES.items() if new != "time"},
}
"""Other names of dimensions and coordinates; ``forecast_period`` and ``time`` depend on what stands beside them."""

_HEIGHTS = {
    "u10m": "10m_u_component_of_wind",
    "v10m": "10m_v_component_of_wind",
    "u100m": "100m_u_component_of_wind",
    "v100m": "100m_v_component_of_wind",
}
"""Earth2studio's, beside the short names that the table of variables has."""
_WITH_LEVEL = re.compile(r"([a-z_]*?[a-z])_?(\d+)")
_ON_100_HPA = {"u100": "u", "v100": "v"}
"""A hundred metres above ground in ECMWF's names, a hundred hPa beside names such as ``z500``."""


def named(name: str, *, levels_in_names: bool = False) -> tuple[str, int | None]:
    """The canonical name and the level in hPa that a variable's name says; a name that is not known stays as it is."""
    if levels_in_names and name in _ON_100_HPA:
        return CANONICAL_NAME[_ON_100_HPA[name]], 100
    if name in CANONICAL_NAME or name in _HEIGHTS:
        return CANONICAL_NAME.get(name) or _HEIGHTS[name], None
    found = _WITH_LEVEL.fullmatch(name)
    known = CANONICAL_NAME.get(found[1]) if found else None
    if found is None or known is None or not variable(known).on_levels or int(found[2]) not in LEVELS_HPA:
        return name, None
    return known, int(found[2])


def have_levels(names: Collection[str]) -> bool:
    """Whether variables are named with their level, without an underscore before it: ``z500``."""
    return any(named(name)[1] is not None and "_" not in name for name in names)


def canonical(field: xr.DataArray, *, levels_in_names: bool) -> tuple[str, int | None]:
    """As ``named``; geopotential of the ground is told from that on levels by what GRIB says of it."""
    if field.name in {"z", "gh", "orog"} and field.attrs.get("GRIB_typeOfLevel") == "surface":
        return "geopotential_at_surface", None
    return named(str(field.name), levels_in_names=levels_in_names)


def is_static(name: str) -> bool:
    """Whether a canonical name is of a field that never changes."""
    return name in VARIABLES and variable(name).role == "static"


def conversion(name: str, field: xr.DataArray, path: object) -> tuple[Conversion, dict[str, Any]]:
    """How the values of ``field`` become canonical ones of the variable ``name``, and the attributes then.

    A variable without units is taken to be in those of the table of variables, but for ``gh``, a height, which is in
    geopotential metres. What the table does not know stays as it is.

    Raises
    ------
    DataError
        If the units are not understood.
    """
    if name not in VARIABLES:
        return Conversion(), dict(field.attrs)
    entry = variable(name)
    stated = plain_units(str(field.attrs.get("units", ""))) or ("gpm" if str(field.name).startswith("gh") else "")
    known: Mapping[str, Conversion] = {"": Conversion(), **conversions(entry)}
    if stated not in known:
        raise DataError(
            f"{path}: {field.name} is in {stated!r}, expected {name} in one of: {', '.join(conversions(entry))}; "
            "convert it, or set its 'units'"
        )
    return known[stated], {**field.attrs, **entry.attributes}
