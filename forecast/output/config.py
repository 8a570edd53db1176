"""What to write of a forecast, and how: one file each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data_pipeline.errors import ConfigError
from data_pipeline.grid import CIRCLE, POLE
from forecast.validation import follows

SUFFIXES = (".nc", ".zarr")
MEMBER = "{member}"
"""In a name: one file for each member, with its number there."""

_FOUR_SIDES = "expected south, north, west, east in degrees, as in 30,75,-25,45"


class OutputConfig(BaseModel):
    """One output of a forecast.

    ``name`` is that of the file in the folder of the forecast; its suffix says NetCDF (``.nc``) or Zarr (``.zarr``).
    A name with ``{member}`` in it makes one file per member, as cdo likes them.
    ``region`` is (south, north, west, east) in degrees; ``points`` a CSV file of stations to interpolate to.
    ``keep_bits`` rounds fields to so many bits of the significand (BitRound, Kloewer et al. 2021,
    doi:10.1038/s43588-021-00156-2); ``compression`` is zlib's level, 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "forecast.nc"
    variables: tuple[str, ...] | None = Field(default=None, min_length=1)
    levels: tuple[int, ...] | None = Field(default=None, min_length=1)
    region: tuple[float, float, float, float] | None = None
    lead_hours: tuple[float, ...] | None = Field(default=None, min_length=1)
    points: Path | None = None
    keep_bits: Annotated[int, Field(ge=1, le=23)] | None = None
    compression: int = Field(default=4, ge=0, le=9)

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if Path(name).name != name or name.startswith(".") or Path(name).suffix not in SUFFIXES:
            raise ValueError(f"expected the name of a file that ends in {' or '.join(SUFFIXES)}, without a folder")
        return name

    @field_validator("region", mode="before")
    @classmethod
    def _has_four_sides(cls, region: Any) -> Any:
        if isinstance(region, (list, tuple)) and len(region) != 4:
            raise ValueError(_FOUR_SIDES)
        return region

    @field_validator("region")
    @classmethod
    def _is_a_region(cls, region: tuple[float, float, float, float] | None) -> tuple[float, ...] | None:
        if region is None:
            return None
        south, north, west, east = region
        if not -POLE <= south < north <= POLE:
            raise ValueError(f"{_FOUR_SIDES}, the south below the north, both within -90 to 90")
        if not max(abs(west), abs(east)) <= CIRCLE or west == east:
            raise ValueError(f"{_FOUR_SIDES}, west and east not the same, both within -360 to 360")
        return region

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.points is not None and self.region is not None:
            raise ValueError("got points and a region; a file has one of them: make two outputs")
        if self.points is not None and self.is_zarr:
            raise ValueError(f"got points in {self.name}; points are written as NetCDF: end the name in .nc")
        if MEMBER in self.name and self.is_zarr:
            raise ValueError(f"got {self.name}; a Zarr store holds all members: leave {MEMBER} out")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it is one file with the fields of all members."""
        return self.points is None and MEMBER not in self.name

    @property
    def is_zarr(self) -> bool:
        """Whether it is a Zarr store; else it is a NetCDF file."""
        return self.name.endswith(".zarr")


def output_config(**values: Any) -> OutputConfig:
    """An ``OutputConfig`` of options, or a ConfigError that names each that is wrong.

    >>> output_config(name="europe.nc", region=(30, 75, -25, 45)).compression
    4
    """
    try:
        return OutputConfig(**values)
    except ValidationError as error:
        raise ConfigError(
            f"output: {'; '.join(_problem(each) for each in error.errors() if not follows(each))}"
        ) from error


def _problem(problem: Any) -> str:
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"unknown key {place!r}; remove it or mend the spelling"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}, got {problem['input']!r}" if place else message
