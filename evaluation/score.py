"""Score ensembles against the truth, beside persistence and climatology."""

from __future__ import annotations

from collections import deque
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.building.workers import result_of, workers
from data_pipeline.errors import DataError, ScoreError
from data_pipeline.progress import track
from evaluation.aggregate import EveryPoint, Places, on_map
from evaluation.alignment import RegriddedClimatology, common_grid, on_grid
from evaluation.answer import answer
from evaluation.answerable import check_answerable, check_map_fits, check_metres
from evaluation.applicable import inapplicable
from evaluation.climate import Season, of_variables
from evaluation.combine import combine
from evaluation.derived import DERIVED
from evaluation.lost import Tallied, noting, sentences, stopped, without
from evaluation.more_baselines import baselines, default_baselines
from evaluation.pairs import match
from evaluation.question import Question
from evaluation.readers import open_forecasts
from evaluation.regions import land_of, region
from evaluation.score_files import SumsFiles
from evaluation.sent import Sent, done
from evaluation.tally import Tally
from evaluation.unobserved import unobserved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import xarray as xr

    from data_pipeline.grid import Grid
    from evaluation.answer import Answer
    from evaluation.baselines import Baseline
    from evaluation.climate import Climatology
    from evaluation.kept import Kept
    from evaluation.lost import Lost
    from evaluation.pairs import Match
    from evaluation.sums import Sums


def score(
    forecasts: Sequence[str | Path],
    truth: xr.Dataset,
    question: Question = Question(),  # noqa: B008, frozen
    *,
    climatology: Climatology | None = None,
    kept: Kept | None = None,
    scheduler: str | None = None,
    progress: bool = False,
) -> Answer:
    """Area-weighted scores by variable, level, lead and region, all initial times pooled before any root or ratio.

    Parameters
    ----------
    forecasts
        Forecast files, Zarr stores, folders, globs or URLs, each of one or more initial times.
    truth
        A canonical dataset that holds the valid times, and the initial times for persistence.
    question
        What to score. With ``allow_missing``, what matches is scored and the rest listed in the attribute
        ``missing``; a baseline without its data is NaN.
    climatology
        Scored beside the forecast if given, and asked by scores that need one.
    kept
        Where the sums of finished runs are kept, and found again. Memory then holds those of one run at a time; the
        answer's are in a file in ``kept.folder``, and to be written before that is removed.
    scheduler
        Address of a dask.distributed cluster that works on the runs, in other processes (netCDF4 crashes where one
        thread reads while another writes); it must see the same files.
    progress
        Show a bar on standard error.

    Returns
    -------
    Scores with dims (model, [group], lead_time in hours, region, [level]) and axes of their own; variables
    ``<metric>_<variable>`` and ``sample_size_<variable>``.

    Raises
    ------
    ScoreError
        If the two sides cannot be compared, or differ in what they hold and ``allow_missing`` is false.
    DataError
        If a file or field cannot be read and ``allow_missing`` is false.
    """
    runs, left_out = open_forecasts(forecasts, allow_missing=question.allow_missing, without=question.without_members)
    work = _prepared(runs, truth, question, climatology, left_out)
    places = _places(question, work.grid, work.truth)
    tally = Tally(work.truth, places, question.metrics, work.beside, work.season, question.settings)
    by_run = _by_run(work.matches, question.part)
    if question.is_map:
        check_map_fits(question, work.grid, max(map(len, by_run)), 1 + len(work.beside))
    kept = None if kept is None else kept.among(work.grid, work.matches)
    parts = _finished(tally, by_run, kept, scheduler, past_damage=question.allow_missing)
    lost: list[Lost] = []
    finished = noting(track(parts, "scoring", "run", total=len(by_run), enabled=progress), lost)
    sums = _together(finished, kept, question.by)
    asked = [pair for own in by_run for pair in own]
    lacking = [*work.lacking, *sentences(lost), *unobserved(sums, without(asked, lost))]
    about = {
        "ensemble_size": " ".join(str(size) for size in _sizes(runs)),
        "missing": "; ".join(lacking) or "none",
        "unreadable_fields": f"{len(lost)} of {len(asked)}",
        "members_left_out": " ".join(map(str, question.without_members)) or "none",
        "truth_source": str(work.truth.encoding.get("source") or work.truth.attrs.get("source") or "unknown"),
        "forecasts": " ".join(Path(path).name for path in forecasts),
        "grid": str(work.grid),
    }
    found = answer(_with_units(sums, work.truth), question, about)
    return replace(found, scores=on_map(found.scores, work.grid)) if question.is_map else found


@dataclass(frozen=True)
class _Work:
    """What is to be scored, all sides on one grid, and what cannot be, in words."""

    grid: Grid
    truth: xr.Dataset
    matches: Sequence[Match]
    season: Season | None
    beside: Sequence[Baseline]
    lacking: Sequence[str]


def _prepared(
    runs: Sequence[xr.Dataset], truth: xr.Dataset, question: Question, climatology: Climatology | None,
    left_out: Sequence[str],
) -> _Work:  # fmt: skip
    grid = common_grid(runs, truth, question.grid)
    truth = on_grid(truth, grid)
    matches, lacking = match([on_grid(run, grid) for run in runs], truth, question.variables)
    variables = {pair.channel.variable_name for pair in matches}
    if climatology is not None:
        climatology = RegriddedClimatology(of_variables(climatology, variables), grid)
    check_answerable(question, _sizes(runs), climatology, variables)
    check_metres(question, variables, [truth, *runs])
    names = default_baselines(climatology) if question.baselines is None else question.baselines
    season = Season(climatology, grid) if climatology is not None else None
    beside = baselines(names, truth, climatology, matches, question.settings, season)
    lacking = [*left_out, *lacking, *(text for own in beside for text in own.lacks(matches))]
    _check_complete(matches, lacking, question.allow_missing)
    lacking += inapplicable(question.metrics, variables, question.settings)
    return _Work(grid, truth, matches, season, beside, lacking)


def _sizes(runs: Sequence[xr.Dataset]) -> list[int]:
    """Of ensembles, each once."""
    return sorted({run.sizes.get("realization", 1) for run in runs})


def _places(question: Question, grid: Grid, truth: xr.Dataset) -> Places | EveryPoint:
    if question.is_map:
        return EveryPoint(grid)
    land = land_of(truth)
    return Places(grid, tuple(region(name, land) for name in question.regions))


def _finished(
    tally: Tally, runs: Sequence[Sequence[Match]], kept: Kept | None, scheduler: str | None, *, past_damage: bool
) -> Iterator[Tallied]:
    """The sums of every run, those that were kept first; those of a run with damage are not found again."""
    todo, finished = [], 0
    for own in runs:
        found = None if kept is None else kept.find(own)
        if found is None:
            todo.append(own)
        else:
            finished += 1
            yield Tallied(found)
    work = tally.run_past_damage if past_damage else tally.run
    try:
        for own, tallied in _tallied(work, todo, scheduler):
            if kept is not None:
                kept.keep(own, tallied.sums, to_be_found=not tallied.lost)
            finished += 1
            yield tallied
    except DataError as error:
        raise stopped(error, kept, finished, len(runs)) from error


def _together(finished: Iterator[Sums], kept: Kept | None, by: str | None) -> Sums:
    """The sums of all runs: in memory, or of those that are kept, so that one is in memory at a time."""
    if kept is None:
        return combine(finished, by)
    deque(finished, maxlen=0)
    return combine(SumsFiles(tuple(kept.files)), by, into=kept.folder / "all.nc")


def _tallied(
    work: Callable[[Sequence[Match]], Tallied], runs: Sequence[Sequence[Match]], scheduler: str | None
) -> Iterator[tuple[Sequence[Match], Tallied]]:
    if scheduler is None:
        yield from ((own, work(own)) for own in runs)
        return
    with workers(None, scheduler) as crew:
        there = crew.share(Sent(work))
        futures = {crew.pool.submit(done, there, own): own for own in runs}
        for future in as_completed(futures):
            yield futures.pop(future), result_of(future)  # what is done is no longer held


def _by_run(matches: Sequence[Match], part: tuple[int, int]) -> list[list[Match]]:
    """The matches of each initial time of a part of them, in order of time.

    Raises
    ------
    ScoreError
        If there are more parts than initial times, and this one is empty.
    """
    runs: dict[object, list[Match]] = {}
    for pair in matches:
        runs.setdefault(pair.initial_time, []).append(pair)
    number, count = part
    if number > len(runs):
        raise ScoreError(
            f"part {number}/{count} is empty, as there are {len(runs)} initial times; ask for at most {len(runs)} parts"
        )
    return [runs[time] for time in sorted(runs)[number - 1 :: count]]  # type: ignore[type-var]


def _with_units(sums: Sums, truth: xr.Dataset) -> Sums:
    made = {name: entry.units for name, entry in DERIVED.items()}
    units = {name: str(truth[name].attrs.get("units", "")) if name in truth else made.get(name, "") for name in sums}
    return {name: own.assign_attrs(units=units[name]) for name, own in sums.items()}


def _check_complete(matches: Sequence[Match], lacking: Sequence[str], allow_missing: bool) -> None:
    """Raise for what lacks a partner; with ``allow_missing``, only if nothing is left."""
    if not matches:
        raise ScoreError(f"nothing to score: {'; '.join(lacking)}")
    if lacking and not allow_missing:
        raise ScoreError(f"{'; '.join(lacking)}; pass --allow-missing to score only what matches")
