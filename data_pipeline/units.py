"""Units as providers spell them, and the exact conversions to the canonical ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.variables import GRAVITY

if TYPE_CHECKING:
    from data_pipeline.variables import Variable

_SAME_UNITS = {
    "m/s": "m s-1", "kg/kg": "kg kg-1", "g/kg": "g kg-1", "(0 - 1)": "1", "(0-1)": "1", "0-1": "1", "~": "1",
    "dimensionless": "1", "fraction": "1", "percent": "%", "°C": "degC", "C": "degC", "celsius": "degC",
    "Celsius": "degC", "degrees_celsius": "degC", "degree_Celsius": "degC", "deg_C": "degC", "kelvin": "K",
    "Kelvin": "K", "millibars": "hPa", "millibar": "hPa", "mbar": "hPa", "mb": "hPa", "m2/s2": "m2 s-2",
    "gp m": "gpm", "gp dm": "gpdm", "dam": "gpdm", "meters": "m", "metres": "m", "m of water equivalent": "m",
    "kg/m2": "kg m-2", "J/m2": "J m-2", "kt": "knots", "1/s": "s-1", "Pa/s": "Pa s-1",
}  # fmt: skip


class Conversion(NamedTuple):
    """``canonical = scale * value + offset``."""

    scale: float = 1.0
    offset: float = 0.0

    @property
    def inverse(self) -> Conversion:
        """From canonical units back."""
        return Conversion(1.0 / self.scale, -self.offset / self.scale)


_CONVERSIONS: dict[tuple[str, str], Conversion] = {
    ("degC", "K"): Conversion(1.0, 273.15),
    ("hPa", "Pa"): Conversion(100.0),
    ("gpm", "m2 s-2"): Conversion(GRAVITY),
    ("m", "m2 s-2"): Conversion(GRAVITY),
    ("gpdm", "m2 s-2"): Conversion(10 * GRAVITY),
    ("g kg-1", "kg kg-1"): Conversion(1e-3),
    ("mm", "m"): Conversion(1e-3),
    ("cm", "m"): Conversion(1e-2),
    ("mm", "kg m-2"): Conversion(),
    ("%", "1"): Conversion(1e-2),
    ("1", "%"): Conversion(1e2),
    ("kJ m-2", "J m-2"): Conversion(1e3),
    ("MJ m-2", "J m-2"): Conversion(1e6),
    ("knots", "m s-1"): Conversion(1852 / 3600),
}
_OF_WATER: dict[tuple[str, str], Conversion] = {("kg m-2", "m"): Conversion(1e-3)}
"""Only where metres are a thickness of liquid water: one millimetre of it weighs one kilogram per square metre."""


def plain_units(units: str) -> str:
    """Units spelt as in the table of variables.

    >>> plain_units("m**2 s**-2"), plain_units("m^2 s^-2"), plain_units("m/s"), plain_units("kg.kg-1")
    ('m2 s-2', 'm2 s-2', 'm s-1', 'kg kg-1')
    """
    plain = re.sub(r"\*\*|\^|[{}]", "", units.strip())
    plain = re.sub(r"(?<=\w)[.·*](?=[A-Za-z])", " ", plain)
    return _SAME_UNITS.get(plain, plain)


def conversions(entry: Variable) -> dict[str, Conversion]:
    """``{units that are understood: how they become the variable's}``, its own units first.

    >>> from data_pipeline.variables import variable
    >>> list(conversions(variable("total_precipitation")))
    ['m', 'mm', 'cm', 'kg m-2']
    """
    tables = [_CONVERSIONS]
    if entry.standard_name.startswith("lwe_thickness"):
        tables.append(_OF_WATER)
    known = {old: how for table in tables for (old, new), how in table.items() if new == entry.units}
    return {entry.units: Conversion(), **known}
