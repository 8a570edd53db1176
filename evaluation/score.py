"""Score ensembles against the truth, beside persistence and climatology."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from data_pipeline.progress import track
from data_pipeline.publish import write_netcdf
from evaluation.aggregate import AggregationState, observed_weights
from evaluation.assemble import Key, States, sample_sizes, to_dataset
from evaluation.baselines import Climatology, GaussianClimatology, Persistence
from evaluation.metrics.forms import Ensemble
from evaluation.metrics.registry import DEFAULT_METRICS, STATISTICS, metric, needed_statistics
from evaluation.pairs import Match, Snapshots, match, minutes
from evaluation.readers import open_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import xarray as xr

    from evaluation.baselines import Baseline
    from evaluation.metrics.forms import Floats, Forecast
    from evaluation.pairs import Field

BLOCK_VALUES = 2**18
"""Member values scored at once: 2 MB of float64 stay in the cache and bound the memory."""


def score(
    forecasts: Sequence[Path],
    truth: xr.Dataset,
    *,
    climatology: Climatology | None = None,
    allow_missing: bool = False,
    variables: Sequence[str] | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    progress: bool = False,
) -> xr.Dataset:
    """Area-weighted scores by variable, level and lead, all initial times pooled before any root or ratio.

    Parameters
    ----------
    forecasts
        Forecast files or Zarr stores, each of one or more initial times.
    truth
        A canonical dataset that holds the valid times, and the initial times for persistence.
    climatology
        Scored beside the forecast if given.
    allow_missing
        Score what matches and list the rest in the attribute ``missing``. A baseline without its data is NaN.
    variables, metrics
        What to score; by default every variable and ``DEFAULT_METRICS``.
    progress
        Show a bar on standard error.

    Returns
    -------
    Dims (model, lead_time in hours, [level]); variables ``<metric>_<variable>`` and ``sample_size_<variable>``.

    Raises
    ------
    ScoreError
        If the two sides cannot be compared, or differ in what they hold and ``allow_missing`` is false.
    """
    statistics = needed_statistics(metrics)
    runs = [run for path in forecasts for run in open_runs(path)]
    matches, lacking = match(runs, truth, variables)
    sizes = sorted({run.sizes.get("realization", 1) for run in runs})
    _check_sizes(sizes, metrics)
    baselines: list[Baseline] = [Persistence(truth)]
    if climatology is not None:
        baselines.append(GaussianClimatology(climatology, Grid.of(truth)))
    _check_complete(matches, lacking, baselines, allow_missing)
    states = tally(track(matches, "scoring", "field", enabled=progress), truth, baselines, statistics)
    units = {str(name): str(field.attrs.get("units", "")) for name, field in truth.data_vars.items()}
    scores = to_dataset(states, metrics, units)
    counts = Counter((pair.channel, pair.lead_hours) for pair in matches)
    return scores.merge(sample_sizes(counts, scores)).assign_attrs(
        Conventions="CF-1.11",
        title="area-weighted forecast scores",
        initial_times=" ".join(minutes(time) for time in sorted({pair.initial_time for pair in matches})),
        ensemble_size=" ".join(str(size) for size in sizes),
        missing="; ".join(lacking) or "none",
        invalid_values=_invalid_values(states) or "none",
        truth_source=str(truth.encoding.get("source") or truth.attrs.get("source") or "unknown"),
        forecasts=" ".join(path.name for path in forecasts),
    )


def write_scores(scores: xr.Dataset, path: Path) -> None:
    """Write NetCDF-4, whole or not at all."""
    write_netcdf(scores, path)


def tally(
    matches: Iterable[Match], truth: xr.Dataset, baselines: Sequence[Baseline], statistics: Sequence[str]
) -> States:
    """Sums of ``statistics`` over ``matches``, each field read once; tallies of parts add up to that of the whole."""
    verifying, area = Snapshots(truth), Grid.of(truth).area_weights()
    states: States = {}
    for pair in matches:
        observation = verifying.field(pair.channel, pair.valid_time)
        weights = observed_weights(area, observation)
        _add(states, "forecast", pair, _blocks(pair.members(), observation, weights), statistics)
        for baseline in baselines:
            _add(states, baseline.name, pair, [(baseline.forecast(pair, observation), weights)], statistics)
    return states


def _add(
    states: States, model: str, pair: Match, parts: Iterable[tuple[Forecast, Floats]], statistics: Sequence[str]
) -> None:
    for forecast, weights in parts:
        for name in statistics:
            key = Key(model, name, pair.channel, pair.lead_hours)
            state = AggregationState.of(STATISTICS[name](forecast), weights)
            states[key] = states.get(key, AggregationState()) + state


def _blocks(members: Field, observation: Field, weights: Floats) -> Iterator[tuple[Ensemble, Floats]]:
    rows = max(1, BLOCK_VALUES // (len(members) * observation.shape[1]))
    for start in range(0, len(observation), rows):
        block = slice(start, start + rows)
        yield Ensemble.of(members[:, block], observation[block]), weights[block]


def _check_sizes(sizes: Sequence[int], metrics: Sequence[str]) -> None:
    too_small = [name for name in metrics if sizes[0] < metric(name).minimum_members]
    if too_small:
        raise ScoreError(
            f"{', '.join(too_small)} cannot be had from {sizes[0]} member, at least 2 are expected; "
            "score one member with the metrics standard_crps (its absolute error), rmse, mae and bias"
        )


def _check_complete(
    matches: Sequence[Match], lacking: list[str], baselines: Sequence[Baseline], allow_missing: bool
) -> None:
    """Raise for what lacks a partner; with ``allow_missing``, only if nothing is left. Extends ``lacking``."""
    if matches:
        lacking += [message for baseline in baselines for message in baseline.lacks(matches)]
    if not matches:
        raise ScoreError(f"nothing to score: {'; '.join(lacking)}")
    if lacking and not allow_missing:
        raise ScoreError(f"{'; '.join(lacking)}; pass --allow-missing to score only what matches")


def _invalid_values(states: States) -> str:
    """Where a forecast is NaN or infinite although the truth is not, with the share of its values."""
    shares = {key: state.mean for key, state in states.items() if key.statistic == "missing"}
    return "; ".join(
        f"{key.model} {key.channel.name} +{key.lead_hours:g} h: {share:.3g}"
        for key, share in shares.items()
        if share > 0
    )
