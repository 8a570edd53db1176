"""What is asked of a picture of scores, which kinds each option is for, and the places in a file that it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import ScoreError
from evaluation.estimates import Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import xarray as xr

_SHARED = ("resample", "model", "lead_time", "level", "region", "latitude", "longitude")
_MAPS, _CURVES = ("map",), ("curve", "spread_error")
_ONLY: dict[str, tuple[str, ...]] = {"against": _MAPS, "projection": _MAPS, "at": (*_CURVES, *_MAPS)}
"""Kinds of picture by the option that only they understand."""


@dataclass(frozen=True)
class Asked:
    """What to draw; None takes the default.

    Attributes
    ----------
    score
        The metric, or several with commas, if not the kind's own.
    variable, level, region, lead, group
        What of it; the variable by default is the only one, the region the first, leads (hours) of diagrams at most
        four, and curves have a panel for each group (season, month or hour) that the file was scored by. A map shows
        the part of the globe that a region is, and the last lead.
    at
        Labels along the metric's own axes, such as ``{"threshold": 280.0}``; curves have a panel for each label of
        the other axes.
    against
        On a map: a model of the file that is subtracted.
    projection
        Of a map, a key of ``evaluation.plots.projections.PROJECTIONS``.
    trial
        How intervals are found.
    """

    score: str | None = None
    variable: str | None = None
    level: int | None = None
    region: str | None = None
    lead: float | None = None
    group: str | None = None
    at: Mapping[str, float | str] = field(default_factory=dict)
    against: str | None = None
    projection: str | None = None
    trial: Trial = Trial()  # noqa: RUF009, frozen

    def check(self, kind: str) -> None:
        """Raise a ScoreError for an option that means nothing to this kind of picture."""
        for name, kinds in _ONLY.items():
            if getattr(self, name) and kind not in kinds:
                raise ScoreError(
                    f"got --{name} for the kind {kind}, expected it for {' or '.join(kinds)}; leave it out"
                )
        if kind in _CURVES and self.lead is not None:
            raise ScoreError(f"got --lead {self.lead:g} for a {kind}, which shows all leads; leave it out")

    def variable_of(self, held: Iterable[str], name: str) -> str:
        """That which is asked for, or the only one of those held.

        Raises
        ------
        ScoreError
            If it is not held, or there are several and none is asked for.
        """
        own = list(dict.fromkeys(held))
        if self.variable is None and len(own) == 1:
            return own[0]
        if self.variable is None:
            raise ScoreError(f"{name} holds several variables, expected --variable with one of {', '.join(own)}")
        if self.variable not in own:
            raise ScoreError(f"{name} holds no {self.variable}, expected one of {', '.join(own) or 'none'}")
        return self.variable

    def place(self, own: xr.Dataset, variable: str, *, lead: bool = False) -> dict[str, Any]:
        """Labels of what is asked for, each of which must be there; the only level and the first region by default."""
        level = self.level
        if level is None and "level" in own.dims:
            if own.sizes["level"] > 1:
                raise ScoreError(f"{variable} is on levels, expected --level with one of {_held(own, 'level')}")
            level = int(own["level"].values[0])
        asked: dict[str, Any] = {"level": level}
        if "region" in own.dims:
            asked["region"] = self.region if self.region is not None else own["region"].values[0].item()
        if lead and self.lead is not None:
            asked["lead_time"] = self.lead
        for dim, label in asked.items():
            labels = own[dim].values.tolist() if dim in own.dims else [None]
            if label not in labels:
                raise ScoreError(
                    f"got the {dim.replace('_', ' ')} {label} for {variable}, expected one of: {_held(own, dim)}"
                )
        return {dim: label for dim, label in asked.items() if label is not None}

    def groups(self, labels: Iterable[str], by: str | None, most: int) -> list[str]:
        """The groups to draw: that which is asked for, else all if they are few."""
        held = list(labels)
        if by is None:
            if self.group is not None:
                raise ScoreError(
                    f"got --group {self.group}, but nothing was scored --by season, month or hour; leave it out"
                )
            return held
        if self.group is None and len(held) <= most:
            return held
        if self.group not in held:
            got = "scores" if self.group is None else f"--group {self.group} of scores"
            raise ScoreError(f"got {got} by {by}, expected --group with one of {', '.join(held)}")
        return [self.group]

    def along(self, scores: xr.DataArray) -> xr.DataArray:
        """Scores at what is asked for of the metric's own axes; numbers may be rounded as they are shown."""
        for axis, label in self.at.items():
            if axis not in scores.dims:
                own = ", ".join(str(dim) for dim in scores.dims if dim not in _SHARED) or "none"
                raise ScoreError(f"got --at {axis}={label}, expected one of the axes of the score itself: {own}")
            labels = scores[axis].values.tolist()
            found = [own for own in labels if own == label or (not isinstance(own, str) and f"{own:g}" == f"{label}")]
            if not found:
                raise ScoreError(f"got --at {axis}={label}, expected one of {', '.join(map(shown, labels))}")
            scores = scores.sel({axis: found})
        return scores


def shown(label: float | str) -> str:
    """A label as people write it."""
    return label if isinstance(label, str) else f"{label:g}"


def _held(own: xr.Dataset, dim: str) -> str:
    return ", ".join(map(str, own[dim].values.tolist())) if dim in own.dims else "none"
