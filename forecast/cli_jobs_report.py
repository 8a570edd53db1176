"""What the report of a run shows: maps, places and the growth of spread, drawn and counted by the evaluation."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.publish import write_text
from data_pipeline.times import HOUR
from forecast.output import read_manifest
from forecast.service.report import REPORT, Picture, Report, page
from forecast.service.report_curves import Growth
from forecast.service.work import Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.plots.fields import EnsembleField
    from forecast.service.job_file import JobFile
    from forecast.service.job_plots import Plot
    from forecast.service.ledger import Event

Layer = tuple[str, int | None]
"""A variable and its level in hPa."""

_MAPS: tuple[tuple[Layer, str], ...] = (
    (("geopotential", 500), "mean_spread"),
    (("temperature", 850), "mean"),
    (("mean_sea_level_pressure", None), "mean_spread"),
    (("total_precipitation", None), "mean"),
    (("2m_temperature", None), "mean"),
)
_SPREADS: tuple[Layer, ...] = (
    ("geopotential", 500), ("temperature", 850), ("mean_sea_level_pressure", None), ("2m_temperature", None),
    ("10m_wind_speed", None), ("wind_speed", 250), ("wind_speed", 850),
)  # fmt: skip
"""Of what is shown unless the job asks for maps: the first that the forecast holds."""
_MOST_MAPS, _MOST_SPREADS, _MOST_LEADS = 3, 4, 20
_LEAD = 120.0
"""Hours, of maps that nobody asked for: five days, or the last lead of a shorter forecast."""


def report_steps(job: JobFile) -> list[Step]:
    """The step that writes the report, if the job wants one."""
    return [Step("the report", (REPORT,), lambda folder: _write(job, folder))] if job.report else []


def _write(job: JobFile, folder: Path) -> None:
    from evaluation.readers import open_run

    assert job.main_output is not None, "the job file was checked"
    run, manifest = open_run(folder / job.main_output.name), read_manifest(folder)
    drawn = [plot for plot in job.plots if not plot.name.endswith(".mp4")]  # which is no picture
    maps = [_picture(plot, folder) for plot in drawn if not plot.is_at_a_place]
    places = [_picture(plot, folder) for plot in drawn if plot.is_at_a_place]
    report = Report(
        job.name, manifest, maps or list(_default_maps(run)), [*places, *_meteograms(job, run)], list(_growth(run)),
        _events(job, folder),
    )  # fmt: skip
    write_text(folder / REPORT, page(report))


def _picture(plot: Plot, folder: Path) -> Picture:
    what = f"{plot.kind} at {plot.at}" if plot.at else _in_words(plot.kind, plot.variable[0], plot.level)
    through = ", all lead times" if plot.animate else ""
    return Picture(f"{plot.name}: {what}{through}", (folder / plot.name).read_bytes(), plot.name.rpartition(".")[2])


def _in_words(kind: str, variable: str, level: int | None) -> str:
    at = "" if level is None else f" at {level} hPa"
    return f"{kind.replace('_', ' and ')} of {variable.replace('_', ' ')}{at}"


def _default_maps(run: xr.Dataset) -> Iterator[Picture]:
    from evaluation.plots import Request, figure_of
    from evaluation.plots.fields import holds

    leads = run["lead_time"].values / HOUR
    lead = float(leads[leads <= max(_LEAD, leads[0])][-1])
    single = run.sizes.get("realization", 1) < 2
    held = [(layer, "mean" if single else kind) for layer, kind in _MAPS if holds(run, *layer)]
    for (variable, level), kind in held[:_MOST_MAPS] or [((str(next(iter(run.data_vars))), None), "mean")]:
        figure = figure_of(run, kind, Request(variable, level=level, lead=lead))
        yield Picture(f"{_in_words(kind, variable, level)}, T+{lead:g} h", _png(figure))


def _meteograms(job: JobFile, run: xr.Dataset) -> Iterator[Picture]:
    from evaluation.plots.places import Local, PlaceRequest, figure_at
    from evaluation.plots.places.place import Place

    for name, (latitude, longitude) in job.places.items():
        local = Local.of(run, Place(latitude, longitude, name))
        yield Picture(f"Meteogram of {local.place}", _png(figure_at(local, "meteogram", PlaceRequest())))


def _growth(run: xr.Dataset) -> Iterator[Growth]:
    """Of a few variables, at up to twenty leads."""
    from evaluation.plots.fields import holds, select
    from evaluation.plots.titles import capital, quantity

    leads = run["lead_time"].values / HOUR
    chosen = leads[np.unique(np.linspace(0, leads.size - 1, _MOST_LEADS).round().astype(int))]
    held = [layer for layer in _SPREADS if holds(run, *layer)][:_MOST_SPREADS]
    for variable, level in held or [(str(next(iter(run.data_vars))), None)]:
        fields = [select(run, variable, level, float(lead)) for lead in chosen]
        several = [field for field in fields if len(field.members) > 1]
        if several:
            yield Growth(
                capital(quantity(several[0])), several[0].style.units, [field.lead for field in several],
                [_mean_spread(field) for field in several],
            )  # fmt: skip


def _mean_spread(field: EnsembleField) -> float:
    """The root of the area mean of the variance (Fortin et al. 2014, doi:10.1175/JHM-D-14-0008.1)."""
    variance = field.spread() ** 2
    weights = np.where(np.isfinite(variance), field.grid.area_weights()[:, None], 0.0)
    return float(np.sqrt(np.sum(weights * np.nan_to_num(variance)) / weights.sum()))


def _events(job: JobFile, folder: Path) -> list[Event]:
    from forecast.service.clock import SystemClock
    from forecast.service.cycles import parse_cycle
    from forecast.service.folders import Folders
    from forecast.service.ledger_file import open_ledger

    with open_ledger(Folders(job.folder).ledger, job.name, dict, SystemClock().now()) as ledger:
        return ledger.events(parse_cycle(folder.name))


def _png(figure: Figure) -> bytes:
    held = BytesIO()
    figure.savefig(held, format="png")
    return held.getvalue()
