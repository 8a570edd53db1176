"""The numbers that tracks depend on: tropical as TempestExtremes has them, extratropical after Neu and Hodges."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from data_pipeline.errors import ScoreError

if TYPE_CHECKING:
    import xarray as xr

Kind = Literal["tropical", "extratropical"]


@dataclass(frozen=True)
class TrackSettings:
    """What counts as a cyclone, how its centres are linked, and how forecasts of it are matched with the truth.

    A criterion that is None is not asked for. Defaults are those of tropical cyclones in TempestExtremes (Zarzycki and
    Ullrich 2017, doi:10.1002/2016GL071606; Ullrich et al. 2021, doi:10.5194/gmd-14-5023-2021); see ``extratropical``.

    Attributes
    ----------
    contour_pa, contour_degrees
        Pressure rises by so much on a closed contour within so many degrees of great circle of the centre.
    warm_core, warm_core_degrees, thickness_levels
        The thickness between two levels (hPa; m2 s-2) falls by so much on a closed contour within so many degrees of
        its maximum, itself within ``core_degrees`` of the centre.
    minimum_vorticity, vorticity_degrees
        Cyclonic relative vorticity at 850 hPa (s-1), reached somewhere within so many degrees.
    merge_degrees
        Of centres closer than this the deepest is kept.
    latitudes
        Distance of a centre from the equator, least and most, in degrees.
    maximum_height
        Of the ground below an accepted centre, m: pressure reduced to sea level means little over mountains.
    range_degrees
        Farthest move in 6 hours; in proportion for other steps.
    gap_steps, gap_hours
        Times in a row that a track may miss, and the most hours between two of its centres.
    minimum_hours, minimum_travel_km
        From the first centre to the last.
    wind, wind_latitude, wind_height, strong_hours
        For so many hours (any, together) the wind at 10 m within ``wind_degrees`` is at least ``wind`` (m s-1);
        likewise the centre is within ``wind_latitude`` of the equator, and over ground no higher than ``wind_height``
        (m).
    match_km
        Farthest distance of a forecast's track from the truth's at the first time that both have.
    mean_share
        Share of members that must have a cyclone for it to have an ensemble mean position.
    probability_km, probability_degrees
        A cyclone strikes places within so many km of its centre; probabilities are verified on a grid of such spacing.
    probability_classes
        Number of classes of probability, evenly spaced, beside 0 and 1.
    cost_loss
        Ratios of the cost of protection and the loss without, of the economic value.
    history_hours
        Of the truth that is put before a forecast, so that cyclones of its first hours last long enough.
    """

    kind: Kind = "tropical"
    contour_pa: float = 200.0
    contour_degrees: float = 5.5
    warm_core: float | None = 58.8
    warm_core_degrees: float = 6.5
    core_degrees: float = 1.0
    thickness_levels: tuple[int, int] = (300, 500)
    minimum_vorticity: float | None = None
    vorticity_degrees: float = 3.0
    merge_degrees: float = 6.0
    latitudes: tuple[float, float] = (0.0, 90.0)
    maximum_height: float | None = None
    range_degrees: float = 8.0
    gap_steps: int = 1
    gap_hours: float = 48.0
    minimum_hours: float = 54.0
    minimum_travel_km: float = 0.0
    wind: float | None = 10.0
    wind_degrees: float = 2.0
    wind_latitude: float = 50.0
    wind_height: float | None = 15.0
    strong_hours: float = 60.0
    match_km: float = 200.0
    mean_share: float = 0.5
    probability_km: float = 120.0
    probability_degrees: float = 1.0
    probability_classes: int = 20
    cost_loss: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    history_hours: float = 240.0

    def __post_init__(self) -> None:
        positive = ("contour_pa", "contour_degrees", "warm_core_degrees", "range_degrees", "gap_hours", "match_km",
                    "probability_km", "probability_degrees", "probability_classes")  # fmt: skip
        for name in positive:
            if not getattr(self, name) > 0:
                raise ScoreError(f"got {name} {getattr(self, name)}, expected a number above 0")
        least, most = self.latitudes
        if not 0 <= least < most <= 90:
            raise ScoreError(f"got latitudes {self.latitudes}, expected least and most distance from the equator")
        if not 0 < self.mean_share <= 1:
            raise ScoreError(f"got mean_share {self.mean_share}, expected a share above 0, at most 1")
        if not all(0 < ratio < 1 for ratio in self.cost_loss):
            raise ScoreError(f"got cost_loss {self.cost_loss}, expected ratios between 0 and 1")
        if self.gap_steps < 0 or self.history_hours < 0:
            raise ScoreError(f"got gap_steps {self.gap_steps}, history_hours {self.history_hours}; expected 0 or more")

    @classmethod
    def extratropical(cls, **changes: Any) -> TrackSettings:
        """Cyclones poleward of 25 degrees, with changes by name.

        Minima of pressure with a vorticity maximum, not over ground above 1500 m (Neu et al. 2013,
        doi:10.1175/BAMS-D-11-00154.1), that last two days and travel 1000 km (Hodges et al. 2011,
        doi:10.1175/2011JCLI4097.1).
        """
        values: dict[str, Any] = {
            "kind": "extratropical", "warm_core": None, "wind": None, "wind_height": None, "strong_hours": 0.0,
            "minimum_vorticity": 2e-5, "latitudes": (25.0, 90.0), "wind_latitude": 90.0, "maximum_height": 1500.0,
            "range_degrees": 7.0, "minimum_hours": 48.0, "minimum_travel_km": 1000.0, "merge_degrees": 5.0,
        }  # fmt: skip
        return cls(**{**values, **changes})

    def without_missing(
        self, dataset: xr.Dataset, ground: xr.DataArray | None = None
    ) -> tuple[TrackSettings, list[str]]:
        """These settings without the criteria for which data lack fields, and the names of those criteria."""
        lacking = [name for name, needs in self.needs().items() if not _has(dataset, needs, ground)]
        off: dict[str, Any] = dict.fromkeys(lacking)
        return replace(self, **off), lacking

    def needs(self) -> dict[str, list[tuple[str, int | None]]]:
        """The fields (variable, level) that each criterion needs which is asked for."""
        every: dict[str, list[tuple[str, int | None]]] = {
            "warm_core": [("geopotential", level) for level in self.thickness_levels],
            "minimum_vorticity": [("vorticity", 850)],
            "wind": [("10m_u_component_of_wind", None), ("10m_v_component_of_wind", None)],
            "maximum_height": [("geopotential_at_surface", None)],
            "wind_height": [("geopotential_at_surface", None)],
        }
        return {name: needs for name, needs in every.items() if getattr(self, name) is not None}

    def described(self) -> str:
        """All numbers, for the attributes of a result."""
        return " ".join(f"{own.name}={getattr(self, own.name)}".replace(", ", ",") for own in fields(self))


def has_field(dataset: xr.Dataset, name: str, level: int | None) -> bool:
    """Whether a dataset holds a field on its level."""
    if name not in dataset:
        return False
    return level is None or ("level" in dataset[name].coords and level in dataset["level"].values)


def _has(dataset: xr.Dataset, needs: list[tuple[str, int | None]], ground: xr.DataArray | None) -> bool:
    winds = all(has_field(dataset, f"{axis}_component_of_wind", 850) for axis in "uv")
    return all(
        has_field(dataset, name, level)
        or (name == "geopotential_at_surface" and ground is not None)
        or (name == "vorticity" and winds)
        for name, level in needs
    )
