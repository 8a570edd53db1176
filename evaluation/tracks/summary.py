"""From sums to scores: every ratio and root is taken after all sums are added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from evaluation.tracks.value import potential_value

if TYPE_CHECKING:
    from evaluation.tracks.sphere import Floats

_CLASS = "probability_class"


def scores_of(sums: xr.Dataset) -> xr.Dataset:
    """Scores over lead_time of sums that were added up over initial times; NaN where there was nothing to score."""
    known = {str(name).removeprefix("sum_"): field for name, field in sums.data_vars.items()}
    scores = xr.Dataset({**_errors(known), **_objects(known), **_probability(known, sums["cost_loss"])})
    for name, (units, long_name) in _DESCRIBED.items():
        scores[name].attrs.update(units=units, long_name=long_name)
    return scores


def _errors(sums: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    return {
        "position_error": _ratio(sums["distance"], sums["matched"]),
        "mean_track_position_error": _ratio(sums["mean_track_distance"], sums["mean_track"]),
        "mean_track_spread": _ratio(sums["mean_track_spread"], sums["mean_track"]),
        "along_track_bias": _ratio(sums["along"], sums["motion"]),
        "along_track_rmse": _ratio(sums["along_squared"], sums["motion"]) ** 0.5,
        "cross_track_bias": _ratio(sums["cross"], sums["motion"]),
        "cross_track_rmse": _ratio(sums["cross_squared"], sums["motion"]) ** 0.5,
        "pressure_bias": _ratio(sums["pressure_error"], sums["pressure"]),
        "pressure_rmse": _ratio(sums["pressure_squared_error"], sums["pressure"]) ** 0.5,
        "wind_bias": _ratio(sums["wind_error"], sums["wind"]),
        "wind_rmse": _ratio(sums["wind_squared_error"], sums["wind"]) ** 0.5,
    }


def _objects(sums: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    hits, misses, false_alarms = sums["hits"], sums["misses"], sums["false_alarms"]
    return {
        "probability_of_detection": _ratio(hits, hits + misses),
        "false_alarm_ratio": _ratio(false_alarms, hits + false_alarms),
        "critical_success_index": _ratio(hits, hits + misses + false_alarms),
    }


def _probability(sums: dict[str, xr.DataArray], cost_loss: xr.DataArray) -> dict[str, xr.DataArray]:
    area, struck = sums["area"], sums["struck_area"]
    base_rate = _ratio(struck.sum(_CLASS), area.sum(_CLASS))
    brier = _ratio(sums["brier_area"], area.sum(_CLASS))
    forecast, observed = _ratio(sums["probability_area"], area), _ratio(struck, area)
    share = _ratio(area, area.sum(_CLASS))
    return {
        "base_rate": base_rate,
        "brier_score": brier,
        "brier_skill_score": 1 - _ratio(brier, base_rate * (1 - base_rate)),
        "brier_reliability": (share * (forecast - observed) ** 2).sum(_CLASS),
        "brier_resolution": (share * (observed - base_rate) ** 2).sum(_CLASS),
        "forecast_probability": forecast,
        "observed_frequency": observed,
        "economic_value": xr.apply_ufunc(
            _value, area, struck, cost_loss,
            input_core_dims=[[_CLASS], [_CLASS], ["cost_loss"]], output_core_dims=[["cost_loss"]],
        ),
    }  # fmt: skip


def _value(area: Floats, struck: Floats, cost_loss: Floats) -> Floats:
    return potential_value(area, struck, cost_loss)


def _ratio(part: xr.DataArray, whole: xr.DataArray) -> xr.DataArray:
    return part.where(whole > 0) / whole.where(whole > 0)


_DESCRIBED = {
    "position_error": ("km", "mean great-circle distance of matched members from the observed centre"),
    "mean_track_position_error": ("km", "mean great-circle distance of the ensemble mean position"),
    "mean_track_spread": ("km", "mean distance of members from their mean position"),
    "along_track_bias": ("km", "mean error along the observed motion, ahead positive"),
    "along_track_rmse": ("km", "root mean square error along the observed motion"),
    "cross_track_bias": ("km", "mean error across the observed motion, right positive"),
    "cross_track_rmse": ("km", "root mean square error across the observed motion"),
    "pressure_bias": ("Pa", "mean error of the central pressure of matched members"),
    "pressure_rmse": ("Pa", "root mean square error of the central pressure"),
    "wind_bias": ("m s-1", "mean error of the strongest wind of matched members"),
    "wind_rmse": ("m s-1", "root mean square error of the strongest wind"),
    "probability_of_detection": ("1", "hits / (hits + misses) of members' centres"),
    "false_alarm_ratio": ("1", "false alarms / (hits + false alarms) of members' centres"),
    "critical_success_index": ("1", "hits / (hits + misses + false alarms) of members' centres"),
    "base_rate": ("1", "share of the area that a cyclone strikes"),
    "brier_score": ("1", "Brier score of the track probability"),
    "brier_skill_score": ("1", "1 - Brier score / that of the base rate"),
    "brier_reliability": ("1", "reliability term of the Brier score, by class"),
    "brier_resolution": ("1", "resolution term of the Brier score, by class"),
    "forecast_probability": ("1", "mean track probability of the class"),
    "observed_frequency": ("1", "share of the class's area that a cyclone strikes"),
    "economic_value": ("1", "relative economic value of the track probability at the best threshold"),
}
