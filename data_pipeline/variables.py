"""The one table of variables: name, units, CF standard name, role and the range that physics allows."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from data_pipeline.errors import DataError

GRAVITY = 9.80665
"""Standard gravity in m s-2 (WMO): geopotential height times this is geopotential."""

Role = Literal["prognostic", "static"]
Domain = Literal["everywhere", "sea"]


@dataclass(frozen=True)
class Variable:
    """One physical field under its WeatherBench2/ERA5 long name.

    ``short_names`` are other spellings that readers accept. ``standard_name`` is empty where CF has none.
    ``valid_range`` is in ``units`` and is wide: outside it a value is wrong, not extreme.
    ``crosses_pole_with_sign`` is -1 for the components of a horizontal vector, whose unit vectors
    turn round when a meridian is followed across a pole.
    ``mirrors_with_sign`` is -1 for what changes sign when north and south are exchanged.
    ``minimum`` is the value below which a forecast is clipped, where there is one.
    ``accumulated`` fields are sums over the time that ends at their label; coarser steps add them up.
    ``defined_over`` is where values exist: those of ``sea`` may be NaN over land, always at the same points.
    """

    name: str
    units: str
    standard_name: str
    short_names: tuple[str, ...]
    valid_range: tuple[float, float]
    on_levels: bool = True
    role: Role = "prognostic"
    crosses_pole_with_sign: int = 1
    mirrors_with_sign: int = 1
    minimum: float | None = None
    accumulated: bool = False
    defined_over: Domain = "everywhere"

    @property
    def long_name(self) -> str:
        """The name as a person reads it, e.g. ``'mean sea level pressure'``."""
        return self.name.replace("_", " ")

    @property
    def attributes(self) -> dict[str, str]:
        """What a field of it says of itself in every dataset and file (CF conventions)."""
        named = {"standard_name": self.standard_name} if self.standard_name else {}
        return {**named, "long_name": self.long_name, "units": self.units}


_TABLE = (
    Variable("geopotential", "m2 s-2", "geopotential", ("z", "gh"), (-1e4, 5.5e5)),
    Variable("temperature", "K", "air_temperature", ("t",), (130.0, 360.0)),
    Variable("u_component_of_wind", "m s-1", "eastward_wind", ("u",), (-200.0, 200.0), crosses_pole_with_sign=-1),
    Variable("v_component_of_wind", "m s-1", "northward_wind", ("v",), (-200.0, 200.0), crosses_pole_with_sign=-1,
             mirrors_with_sign=-1),
    Variable("specific_humidity", "kg kg-1", "specific_humidity", ("q",), (-1e-3, 0.05), minimum=0.0),
    Variable("vorticity", "s-1", "atmosphere_upward_relative_vorticity", ("vo",), (-5e-3, 5e-3),
             mirrors_with_sign=-1),
    Variable("divergence", "s-1", "divergence_of_wind", ("d",), (-5e-3, 5e-3)),
    Variable("vertical_velocity", "Pa s-1", "lagrangian_tendency_of_air_pressure", ("w",), (-60.0, 60.0)),
    Variable("relative_humidity", "%", "relative_humidity", ("r",), (-25.0, 200.0), minimum=0.0),
    Variable("2m_temperature", "K", "air_temperature", ("2t", "t2m"), (150.0, 350.0), on_levels=False),
    Variable("2m_dewpoint_temperature", "K", "dew_point_temperature", ("2d", "d2m"), (120.0, 330.0), on_levels=False),
    Variable("mean_sea_level_pressure", "Pa", "air_pressure_at_mean_sea_level", ("msl", "prmsl"), (8.5e4, 1.12e5),
             on_levels=False),
    Variable("surface_pressure", "Pa", "surface_air_pressure", ("sp",), (4e4, 1.12e5), on_levels=False),
    Variable("10m_u_component_of_wind", "m s-1", "eastward_wind", ("10u", "u10"), (-120.0, 120.0), on_levels=False,
             crosses_pole_with_sign=-1),
    Variable("10m_v_component_of_wind", "m s-1", "northward_wind", ("10v", "v10"), (-120.0, 120.0), on_levels=False,
             crosses_pole_with_sign=-1, mirrors_with_sign=-1),
    Variable("100m_u_component_of_wind", "m s-1", "eastward_wind", ("100u", "u100"), (-150.0, 150.0), on_levels=False,
             crosses_pole_with_sign=-1),
    Variable("100m_v_component_of_wind", "m s-1", "northward_wind", ("100v", "v100"), (-150.0, 150.0), on_levels=False,
             crosses_pole_with_sign=-1, mirrors_with_sign=-1),
    Variable("sea_surface_temperature", "K", "sea_surface_temperature", ("sst",), (250.0, 320.0), on_levels=False,
             defined_over="sea"),
    Variable("sea_ice_cover", "1", "sea_ice_area_fraction", ("siconc", "ci"), (-1e-6, 1.0 + 1e-6), on_levels=False,
             minimum=0.0, defined_over="sea"),
    Variable("total_column_water_vapour", "kg m-2", "atmosphere_mass_content_of_water_vapor", ("tcwv", "pwat"),
             (-1.0, 150.0), on_levels=False, minimum=0.0),
    Variable("total_cloud_cover", "1", "cloud_area_fraction", ("tcc",), (-1e-6, 1.0 + 1e-6), on_levels=False,
             minimum=0.0),
    Variable("boundary_layer_height", "m", "atmosphere_boundary_layer_thickness", ("blh",), (0.0, 1e4),
             on_levels=False, minimum=0.0),
    Variable("snow_depth", "m", "lwe_thickness_of_surface_snow_amount", ("sd", "sdwe"), (-1e-6, 20.0), on_levels=False,
             minimum=0.0),
    Variable("total_precipitation", "m", "lwe_thickness_of_precipitation_amount", ("tp",), (-1e-4, 2.0),
             on_levels=False, minimum=0.0, accumulated=True),
    Variable("toa_incident_solar_radiation", "J m-2", "", ("tisr",), (-1.0, 1.3e8),
             on_levels=False, minimum=0.0, accumulated=True),
    Variable("geopotential_at_surface", "m2 s-2", "surface_geopotential", ("zs",), (-5e3, 9e4), on_levels=False,
             role="static"),
    Variable("land_sea_mask", "1", "land_area_fraction", ("lsm",), (-1e-6, 1.0 + 1e-6), on_levels=False,
             role="static"),
    Variable("standard_deviation_of_orography", "m", "", ("sdor",), (-1e-3, 3e3), on_levels=False, role="static"),
    Variable("lake_cover", "1", "", ("cl",), (-1e-6, 1.0 + 1e-6), on_levels=False, role="static"),
)  # fmt: skip

COORDINATE_ATTRIBUTES: dict[str, dict[str, str]] = {
    "level": {"standard_name": "air_pressure", "long_name": "pressure level", "units": "hPa", "positive": "down"},
    "latitude": {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"},
}
"""What a coordinate says of itself in every dataset and file (CF conventions)."""

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _TABLE}

CANONICAL_NAME: dict[str, str] = {
    alias: variable.name for variable in _TABLE for alias in (variable.name, *variable.short_names)
}
"""Every spelling that readers accept, to the canonical name."""


def variable(name: str) -> Variable:
    """The variable called ``name``.

    Raises
    ------
    DataError
        If no such variable exists; the message lists those that do.

    >>> variable("mean_sea_level_pressure").units
    'Pa'
    """
    try:
        return VARIABLES[name]
    except KeyError:
        close = [CANONICAL_NAME[alias] for alias in get_close_matches(name, CANONICAL_NAME, n=1)]
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"unknown variable {name!r}; expected one of: {', '.join(sorted(VARIABLES))}{hint}") from None
