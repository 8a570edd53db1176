"""The numbers that scores depend on and that a user may choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence  # noqa: TC003, read when a question is read from a file
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from data_pipeline.errors import ScoreError

USUAL_THRESHOLDS: Mapping[str, tuple[float, ...]] = {"total_precipitation": (0.001, 0.005, 0.01, 0.025, 0.05)}
"""1, 5, 10, 25 and 50 mm; of an accumulation over the period that the data have, usually a day."""


@dataclass(frozen=True)
class Settings:
    """Choices of a run of scores, kept in the attributes of its results.

    Attributes
    ----------
    alpha
        Of the almost fair CRPS: 0 standard, 1 fair (Lang et al. 2024, arXiv:2412.15832, eq. 4).
    quantile_levels
        Of quantile and interval scores.
    climate_quantiles
        Of the climatology, that define events "above" (and for those below 0.5 "below") relative to it.
    thresholds
        Absolute thresholds by variable, in the variable's units; an event is a value above (``>``) one.
    pool_km
        Diameters of the neighbourhoods of pooled scores and of the fractions skill score, km.
    seeps_dry_mm
        Precipitation that is still dry, mm, of SEEPS.
    seeps_dry_shares
        Between which share of dry days of a climate SEEPS is scored, both ends included.
    climatology_members, climatology_window_days
        Of the probabilistic climatology: at most how many members, drawn from how many days of other years.
    analogs, analog_gap_days
        How many past states the analog ensemble takes, and how far from the scored period they must be.
    variogram_km
        How far apart the points of a pair are, km, of the variogram score.
    spread_edges
        Of the bins of binned spread and error, as multiples of the climatology's standard deviation over the region.
    seed
        Of randomised ranks of ties, and of the members that the probabilistic climatology draws.
    """

    alpha: float = 0.95
    quantile_levels: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)
    climate_quantiles: tuple[float, ...] = (0.01, 0.05, 0.1, 0.9, 0.95, 0.99)
    thresholds: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: USUAL_THRESHOLDS)
    pool_km: tuple[float, ...] = (500.0, 1000.0, 2000.0)
    seeps_dry_mm: float = 0.25
    seeps_dry_shares: tuple[float, float] = (0.1, 0.85)
    climatology_members: int = 50
    climatology_window_days: int = 61
    analogs: int = 20
    analog_gap_days: float = 30.0
    variogram_km: tuple[float, ...] = (250.0, 500.0, 1000.0, 2000.0)
    spread_edges: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ScoreError(f"got alpha {self.alpha}, expected 0 (standard) to 1 (fair)")
        for name in ("quantile_levels", "climate_quantiles"):
            levels = getattr(self, name)
            if list(levels) != sorted(set(levels)) or not all(0 < level < 1 for level in levels):
                raise ScoreError(f"got {name} {levels}, expected numbers between 0 and 1, ascending, each once")
        if not self.variogram_km or any(length <= 0 for length in self.variogram_km):
            raise ScoreError(f"got variogram_km {self.variogram_km}, expected lengths above 0 km")
        edges = self.spread_edges
        if not edges or edges[0] <= 0 or list(edges) != sorted(set(edges)):
            raise ScoreError(f"got spread_edges {edges}, expected numbers above 0, ascending, each once")
        if any(side <= 0 for side in self.pool_km):
            raise ScoreError(f"got pool_km {self.pool_km}, expected lengths above 0 km")
        for variable, values in self.thresholds.items():
            if list(values) != sorted(set(values)) or not all(isfinite(value) for value in values):
                raise ScoreError(f"got thresholds {values} of {variable}, expected numbers, ascending, each once")
        _check_precipitation(self)
        _check_baselines(self)

    @classmethod
    def of(cls, words: Sequence[str], thresholds: Mapping[str, tuple[float, ...]] | None = None) -> Settings:
        """Settings of words such as ``alpha=0.9`` and ``pool_km=500,1000``; thresholds, if given, replace the usual.

        Raises
        ------
        ScoreError
            If there is no such setting, or its value is no number.

        >>> Settings.of(["alpha=1", "pool_km=250,500"]).pool_km
        (250.0, 500.0)
        """
        defaults = {entry.name: getattr(cls(), entry.name) for entry in fields(cls) if entry.name != "thresholds"}
        chosen: dict[str, Any] = {} if thresholds is None else {"thresholds": thresholds}
        for word in words:
            name, _, text = word.partition("=")
            if name not in defaults:
                raise ScoreError(f"got the setting {word!r}, expected NAME=VALUE with one of {', '.join(defaults)}")
            chosen[name] = _value(word, text, defaults[name])
        return cls(**chosen)


def _value(word: str, text: str, default: object) -> object:
    """A number, or several with commas, of the kind that the default is."""
    kind: Callable[[str], object] = type(default[0]) if isinstance(default, tuple) else type(default)
    try:
        values = tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise ScoreError(f"got the setting {word!r}, expected a number, e.g. alpha=0.9 or pool_km=500,1000") from None
    if isinstance(default, tuple):
        return values
    if len(values) > 1:
        raise ScoreError(f"got the setting {word!r}, expected one number")
    return values[0]


def _check_precipitation(settings: Settings) -> None:
    low, high = settings.seeps_dry_shares
    if not (settings.seeps_dry_mm >= 0 and 0 < low < high < 1):
        raise ScoreError(
            f"got seeps_dry_mm {settings.seeps_dry_mm} and seeps_dry_shares {settings.seeps_dry_shares}, expected "
            "millimetres from 0 on, and two shares between 0 and 1, ascending"
        )


def _check_baselines(settings: Settings) -> None:
    if min(settings.climatology_members, settings.analogs) < 1 or settings.analog_gap_days < 0:
        raise ScoreError(
            f"got climatology_members {settings.climatology_members}, analogs {settings.analogs} and analog_gap_days "
            f"{settings.analog_gap_days}, expected at least 1, 1 and 0"
        )
    if settings.climatology_window_days % 2 == 0 or not 3 <= settings.climatology_window_days < 366:
        raise ScoreError(
            f"got climatology_window_days {settings.climatology_window_days}, expected an odd number from 3 to 365"
        )
