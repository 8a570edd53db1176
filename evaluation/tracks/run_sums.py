"""The sums of one run of a forecast, by lead: everything that scores of tracks are made of."""

from __future__ import annotations

from math import fsum  # exact, so that the order of members does not matter
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from evaluation.tracks.match import contingency, errors, match_tracks, mean_place, separation_km
from evaluation.tracks.probability import class_bounds, probability_sums, strikes, struck, verification_mesh
from evaluation.tracks.track import Centre

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.tracks.settings import TrackSettings
    from evaluation.tracks.track import Track

    Ensemble = Sequence[Sequence[Track]]

COUNTS = ("matched", "motion", "pressure", "wind", "mean_track", "hits", "misses", "false_alarms")
SUMS = (
    "distance", "along", "along_squared", "cross", "cross_squared", "pressure_error", "pressure_squared_error",
    "wind_error", "wind_squared_error", "mean_track_distance", "mean_track_spread",
)  # fmt: skip


def sums_of_run(
    observed: Sequence[Track], predicted: Ensemble, times: Sequence[np.datetime64], settings: TrackSettings
) -> xr.Dataset:
    """Sums ``sum_*`` (lead_time) and (lead_time, probability_class) of the tracks of every member against the observed.

    Distances are in km, pressure in Pa, wind in m s-1, areas in mean cells of the grid of probabilities. Lead times are
    not labelled.
    """
    pairs = [match_tracks(observed, own, settings.match_km) for own in predicted]
    found = [
        {
            **dict.fromkeys((*COUNTS, *SUMS), 0.0),
            **_members(pairs, time),
            **_mean_track(observed, pairs, time, settings.mean_share),
            **_contingency(observed, predicted, time, settings.match_km),
        }
        for time in times
    ]
    areas = [_probability(observed, predicted, time, settings) for time in times]
    return xr.Dataset(
        {
            **{f"sum_{name}": ("lead_time", np.array([own[name] for own in found], np.float64)) for name in found[0]},
            **{f"sum_{name}": (("lead_time", "probability_class")[: 1 + areas[0][name].ndim],
                               np.stack([own[name] for own in areas])) for name in areas[0]},
        },
        coords={
            "least_probability": ("probability_class", class_bounds(settings.probability_classes)),
            "cost_loss": list(settings.cost_loss),
        },
    )  # fmt: skip


def _members(pairs: Sequence[Sequence[tuple[Track, Track]]], time: np.datetime64) -> dict[str, float]:
    """Errors of every matched member that has a centre where the observed cyclone has one; NaN never counts."""
    found = [
        errors(truth, own.at[time]) for member in pairs for truth, own in member if time in truth.at and time in own.at
    ]
    table = np.array([[e.distance, e.along, e.cross, e.pressure, e.wind] for e in found]).reshape(-1, 5)
    counts = (~np.isnan(table)).sum(axis=0)
    known = np.nan_to_num(table, nan=0.0)
    sums, squares = ([fsum(column) for column in values.T] for values in (known, known**2))
    return {
        "matched": counts[0], "motion": counts[1], "pressure": counts[3], "wind": counts[4],
        "distance": sums[0], "along": sums[1], "along_squared": squares[1],
        "cross": sums[2], "cross_squared": squares[2],
        "pressure_error": sums[3], "pressure_squared_error": squares[3],
        "wind_error": sums[4], "wind_squared_error": squares[4],
    }  # fmt: skip


def _mean_track(
    observed: Sequence[Track], pairs: Sequence[Sequence[tuple[Track, Track]]], time: np.datetime64, share: float
) -> dict[str, float]:
    """The ensemble mean positions: how far from the observed ones, and the members from them."""
    count, away, spread = 0, 0.0, 0.0
    for truth in (track for track in observed if time in track.at):
        centres = [own.at[time] for member in pairs for known, own in member if known is truth and time in own.at]
        if centres and len(centres) >= share * len(pairs):
            mean = Centre(time, *mean_place(centres))
            count += 1
            away += separation_km(truth.at[time], mean)
            spread += fsum(separation_km(mean, centre) for centre in centres) / len(centres)
    return {"mean_track": count, "mean_track_distance": away, "mean_track_spread": spread}


def _contingency(
    observed: Sequence[Track], predicted: Ensemble, time: np.datetime64, match_km: float
) -> dict[str, float]:
    truth = _centres(observed, time)
    tables = [contingency(truth, _centres(own, time), match_km) for own in predicted]
    return dict(zip(("hits", "misses", "false_alarms"), np.sum(tables, axis=0).tolist(), strict=True))


def _probability(
    observed: Sequence[Track], predicted: Ensemble, time: np.datetime64, settings: TrackSettings
) -> dict[str, np.ndarray]:
    mesh = verification_mesh(settings.probability_degrees)
    event = struck(_centres(observed, time), mesh, settings.probability_km)
    return probability_sums(strikes(predicted, time, settings), len(predicted), event, settings)


def _centres(tracks: Sequence[Track], time: np.datetime64) -> list[Centre]:
    return [track.at[time] for track in tracks if time in track.at]
