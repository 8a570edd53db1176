"""Scores of the tracks of ensembles, made of sums that add up over initial times."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError, ScoreError
from data_pipeline.times import HOUR, shown
from evaluation.readers import open_forecasts
from evaluation.tracks.find import centres_of, make_tracks, members
from evaluation.tracks.known import Known, valid_times
from evaluation.tracks.run_sums import sums_of_run
from evaluation.tracks.settings import TrackSettings
from evaluation.tracks.summary import scores_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evaluation.tracks.track import Track

    Truth = xr.Dataset | Sequence[Track]


def score_tracks(
    forecasts: Sequence[str | Path],
    truth: Truth,
    settings: TrackSettings = TrackSettings(),  # noqa: B008, frozen
    ground: xr.DataArray | None = None,
    *,
    allow_missing: bool = False,
) -> xr.Dataset:
    """As ``score_runs``, of forecast files, Zarr stores, folders, globs or URLs, each of one or more initial times.

    Raises
    ------
    ScoreError, DataError
        As ``score_runs`` and ``open_forecasts``.
    """
    runs, lacking = open_forecasts(forecasts, allow_missing=allow_missing) if forecasts else ([], [])
    return score_runs(runs, truth, settings, ground, allow_missing=allow_missing, lacking=lacking)


def score_runs(
    runs: Sequence[xr.Dataset],
    truth: Truth,
    settings: TrackSettings,
    ground: xr.DataArray | None = None,
    *,
    allow_missing: bool = False,
    lacking: Sequence[str] = (),
) -> xr.Dataset:
    """Position and intensity errors, hits, track probability and its value, by lead time.

    Parameters
    ----------
    runs
        Forecasts, as ``evaluation.readers.open_forecasts`` gives them.
    truth
        Canonical states at the valid times, in which cyclones are found as in the forecast, at the same times; or
        observed tracks (``best_tracks.read_best_tracks``, ``files.read_tracks``).
    settings
        What counts as a cyclone and as a match. States of the last ``history_hours`` before a forecast are put before
        it, where the truth is states.
    ground
        Surface geopotential (m2 s-2) on the grid of the forecasts; by default the truth's.
    allow_missing
        Leave out runs of which a field, or the truth at a valid time, is damaged or not there, instead of refusing.
    lacking
        Sentences about what was left out before.

    Returns
    -------
    Scores over lead_time (hours), and the sums ``sum_*`` over initial_time and lead_time that they are made of, of
    which ``merge_track_scores`` makes those of several calls. The attribute ``missing`` lists what was left out,
    ``runs_left_out`` counts the runs (``1 of 30``).

    Raises
    ------
    ScoreError
        If there is nothing to score, an initial time is given twice, or the truth does not cover a valid time.
    DataError
        If a field cannot be read and ``allow_missing`` is false.
    """
    if not runs:
        raise ScoreError("no forecasts were given; expected at least one file")
    if isinstance(truth, xr.Dataset) and ground is None:
        ground = truth.get("geopotential_at_surface")
    try:
        known = Known(truth, runs, settings, ground, past_damage=allow_missing)
        parts, lost = _scored(runs, known, settings, ground, allow_missing=allow_missing)
    except DataError as error:
        more = "" if allow_missing else ", or pass --allow-missing to score the rest"
        raise DataError(f"{error}{more}") from error
    missing = [*lacking, *_sentences(lost, known)]
    if not parts:
        raise ScoreError(f"nothing to score: {'; '.join(missing)}; give whole files, and states that cover them")
    about = {"missing": "; ".join(missing) or "none", "runs_left_out": f"{len(lost)} of {len(runs)}"}
    return merge_track_scores(parts).assign_attrs(settings=settings.described(), **about)


def _scored(
    runs: Sequence[xr.Dataset],
    known: Known,
    settings: TrackSettings,
    ground: xr.DataArray | None,
    *,
    allow_missing: bool,
) -> tuple[list[xr.Dataset], list[str]]:
    """The sums of runs, and of each that was left out the reason."""
    parts, lost = [], []
    for run in runs:
        gap = known.lacks(valid_times(run))
        if gap and not allow_missing:
            raise ScoreError(f"{gap}; give {'tracks' if known.tracks else 'states'} that cover the forecasts, or pass "
                             "--allow-missing to leave out those that they do not cover")  # fmt: skip
        try:
            parts += [] if gap else [_run(run, known, settings, ground)]
        except DataError as error:
            if not allow_missing:
                raise
            gap = _reason(error)
        lost += [gap] if gap else []
    return parts, lost


def _sentences(lost: Sequence[str], known: Known) -> list[str]:
    """Of each reason one, with the number of runs that do not count because of it."""
    counts = Counter(lost)
    others = [reason for error in known.damaged.values() if (reason := _reason(error)) not in counts]
    return [
        *(f"{reason}, so {count} run{'s do' if count > 1 else ' does'} not count" for reason, count in counts.items()),
        *(f"{reason}, so forecasts have no earlier history" for reason in others),
    ]


def _reason(error: DataError) -> str:
    """What to do is left out."""
    return str(error).partition("; ")[0]


def _run(run: xr.Dataset, known: Known, settings: TrackSettings, ground: xr.DataArray | None) -> xr.Dataset:
    """The sums of one run."""
    times, initial_time = valid_times(run), np.datetime64(run["initial_time"].item(), "ns")
    step = np.diff(np.array(times)).min() if len(times) > 1 else times[0] - initial_time
    history = known.history(times, step)
    observed = known.at(times, history)
    predicted = []
    for member, own in enumerate(members(run)):
        centres = centres_of(own, settings, ground)
        predicted.append(make_tracks({**history, **centres}, settings, initial_time, member))
    sums = sums_of_run(observed, predicted, times, settings)
    return sums.assign_coords(lead_time=[float((time - initial_time) / HOUR) for time in times]).expand_dims(
        initial_time=[initial_time]
    )


def merge_track_scores(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """The scores of several results, of different initial times, together.

    Raises
    ------
    ScoreError
        If there are none, an initial time is in two, or they were made with different settings.
    """
    if not parts:
        raise ScoreError("no track scores were given, expected at least one")
    made = {str(part.attrs.get("settings", "")) for part in parts}
    if len(made) > 1:
        raise ScoreError(f"the parts were scored with different settings, {' and '.join(sorted(made))}; score alike")
    sums = [part.drop_vars([name for name in part.data_vars if not str(name).startswith("sum_")]) for part in parts]
    times, counts = np.unique(np.concatenate([own["initial_time"].values for own in sums]), return_counts=True)
    if (counts > 1).any():
        raise ScoreError(f"the initial time {shown(times[counts > 1][0])} was given twice; give each once")
    whole = xr.concat(sums, "initial_time", join="outer", fill_value=0.0).sortby("initial_time")
    return finalise_tracks(whole.assign_attrs({**parts[0].attrs, **_left_out(parts)}))


def _left_out(parts: Sequence[xr.Dataset]) -> dict[str, str]:
    """What is said of all parts that was left out; nothing of those that do not know."""
    if not all("runs_left_out" in part.attrs for part in parts):
        return {}
    texts = dict.fromkeys(part.attrs["missing"] for part in parts if part.attrs["missing"] != "none")
    counts = zip(*(map(int, part.attrs["runs_left_out"].split(" of ")) for part in parts), strict=True)
    return {"missing": "; ".join(texts) or "none", "runs_left_out": " of ".join(str(sum(own)) for own in counts)}


def finalise_tracks(sums: xr.Dataset) -> xr.Dataset:
    """The scores that sums over initial times give, beside these sums."""
    return sums.merge(scores_of(sums.sum("initial_time"))).assign_attrs(sums.attrs)
