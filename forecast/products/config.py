"""Which products are wanted, as a frozen model that refuses unknown keys."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from data_pipeline.variables import CANONICAL_NAME, VARIABLES
from forecast.products.source import DERIVED

Side = Literal["above", "below"]
Compression = Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

_THRESHOLD = re.compile(r"^\s*(?P<name>\w+?)\s*(?P<sign>[<>])\s*(?P<value>[-+.\deE]+)\s*$")
_WINDOW = re.compile(r"^\s*(?P<start>\d+)\s*-\s*(?P<stop>\d+)\s*$")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Threshold(_Frozen):
    """An event: ``variable`` strictly above or below ``value``, in the units of the table of variables.

    >>> Threshold.parse("2m_temperature>303.15").side
    'above'
    """

    variable: str
    side: Side
    value: float = Field(allow_inf_nan=False)

    @classmethod
    def parse(cls, text: object) -> object:
        """``NAME>VALUE`` or ``NAME<VALUE``; anything else is left to pydantic."""
        if not isinstance(text, str):
            return text
        found = _THRESHOLD.match(text)
        if found is None:
            raise ValueError("expected NAME>VALUE or NAME<VALUE as in 2m_temperature>303.15")
        side: Side = "above" if found["sign"] == ">" else "below"
        return cls(variable=found["name"], side=side, value=float(found["value"]))

    @field_validator("variable")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return known_name(name)


class Window(_Frozen):
    """Lead times from ``start`` to ``stop`` hours, both included."""

    start: int = Field(ge=0)
    stop: int

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.start >= self.stop:
            raise ValueError(f"got the window {self.start}-{self.stop} h, expected one that starts before it stops")
        return self

    @classmethod
    def parse(cls, text: object) -> object:
        """``START-STOP`` in hours; anything else is left to pydantic."""
        if not isinstance(text, str):
            return text
        found = _WINDOW.match(text)
        if found is None:
            raise ValueError("expected START-STOP in hours of lead time, as in 24-72")
        return cls(start=int(found["start"]), stop=int(found["stop"]))


class ProductsConfig(_Frozen):
    """Products of an ensemble, in the file ``name`` beside the forecast's.

    ``variables`` are those of the forecast, wind speeds among them (``wind_speed``, ``10m_wind_speed``); None is all
    that the forecast holds. ``windows`` are spans of lead time of which each member's maximum and minimum are taken
    before mean, quantiles and probabilities. ``control`` out leaves the unperturbed member away.
    """

    name: str = "products.nc"
    variables: tuple[str, ...] | None = Field(default=None, min_length=1)
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    thresholds: tuple[Annotated[Threshold, BeforeValidator(Threshold.parse)], ...] = ()
    windows: tuple[Annotated[Window, BeforeValidator(Window.parse)], ...] = ()
    control: Literal["in", "out"] = "in"
    compression: Compression = 4

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if Path(name).name != name or name.startswith(".") or Path(name).suffix != ".nc":
            raise ValueError("expected the name of a file that ends in .nc, without a folder")
        return name

    @field_validator("variables")
    @classmethod
    def _are_known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(known_name(name) for name in names)

    @field_validator("quantiles")
    @classmethod
    def _ascend(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if list(levels) != sorted(set(levels)):
            raise ValueError("expected quantiles that ascend, each once")
        return levels

    def values(self, name: str, side: Side) -> tuple[float, ...]:
        """The thresholds of a variable on one side, ascending."""
        return tuple(sorted({each.value for each in self.thresholds if each.variable == name and each.side == side}))


def known_name(name: str) -> str:
    """A variable of the table or a wind speed, or a ValueError with the nearest."""
    if name in DERIVED or name in VARIABLES:
        return name
    close = get_close_matches(name, [*DERIVED, *CANONICAL_NAME], n=1) or ["2m_temperature"]
    raise ValueError(f"expected a variable such as {CANONICAL_NAME.get(close[0], close[0])!r}")
