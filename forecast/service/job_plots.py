"""The pictures of a job: maps, animations of them, and meteograms, plumes and profiles at places."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

AT_A_PLACE = ("meteogram", "plume", "profile")
_OF_PLACES = {"name", "kind", "variable", "level", "lead", "at", "climatology"}


def _is_picture(name: str) -> str:
    """pydantic's own message is a regular expression."""
    if not re.fullmatch(r"[\w.-]+\.(png|gif|mp4)", name):
        raise ValueError(
            "expected the name of a file that ends in .png, or of an animation in .gif or .mp4, of letters, digits, "
            "'.', '_' and '-'"
        )
    return name


def _are_names(variable: object) -> object:
    """One name, or several; pydantic's own message is about tuples."""
    names = [variable] if isinstance(variable, str) else variable
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("expected a name such as geopotential; of pictures at a place also a list of names")
    return tuple(names)


def _as_text(at: object) -> object:
    """Places are written as two numbers elsewhere in the file."""
    return ",".join(map(str, at)) if isinstance(at, list | tuple) else at


class Plot(BaseModel):
    """A picture, as ``sphercast plot`` draws it: ``lead`` in hours (none: the last), ``level`` in hPa."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_is_picture)]
    variable: Annotated[tuple[str, ...], BeforeValidator(_are_names)] = ()
    kind: Literal[
        "mean", "spread", "mean_spread", "member", "stamps", "spaghetti", "probability", "quantile", "efi",
        "difference", "wind", "chart", "meteogram", "plume", "profile",
    ] = "mean"  # fmt: skip
    level: int | None = None
    lead: float | None = None
    at: Annotated[str | None, BeforeValidator(_as_text)] = None
    animate: bool = False
    member: str | None = None
    threshold: float | None = None
    below: bool = False
    quantile: float | None = Field(default=None, ge=0, le=1)
    contours: tuple[float, ...] | None = None
    against: str | None = None
    climatology: str | None = None
    region: str | None = None
    projection: str | None = None
    style: Literal["barbs", "streamlines", "quiver"] | None = None

    @property
    def is_at_a_place(self) -> bool:
        """Whether it is a meteogram, plume or profile."""
        return self.kind in AT_A_PLACE

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        given = {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}
        if self.is_at_a_place and (others := sorted(given - _OF_PLACES)):
            raise ValueError(f"a {self.kind} has no {others[0]}; leave it out, or draw a map")
        if self.is_at_a_place and self.at is None:
            raise ValueError(f"a {self.kind} needs 'at': the name of one of the job's places, or [latitude, longitude]")
        if not self.is_at_a_place and self.at is not None:
            raise ValueError(f"a map of kind {self.kind} has no place, got at: {self.at}; leave it out")
        if not self.is_at_a_place and len(self.variable) != 1:
            raise ValueError(f"a map is of one variable, got {', '.join(self.variable) or 'none'}; give one")
        if self.animate is self.name.endswith(".png"):
            raise ValueError(f"got the name {self.name}; with 'animate: true' it ends in .gif or .mp4, else in .png")
        return self
