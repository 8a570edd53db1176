"""The options of ``sphercast score`` and ``score joint``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Paths = Annotated[
    list[str],
    typer.Argument(help="Forecast files, then the truth (store, file or 'sample').", metavar="FORECAST... TRUTH"),
]
Out = Annotated[Path, typer.Option(help="NetCDF file of scores to write.")]
Scores = Annotated[
    list[str] | None,
    typer.Option("--scores", "--metric", help="Names from 'score list', with commas; default: the usual ones."),
]
Variables = Annotated[
    list[str] | None, typer.Option("--variable", help="Score only this variable; may be repeated. Default: all.")
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        help="Names from 'score list regions', with commas, e.g. global,land,box:S,N,W,E; or map alone. "
        "Default: global."
    ),
]
OnGrid = Annotated[
    str | None, typer.Option("--grid", help="To score on, e.g. equiangular:32x64; default: the coarser of the two.")
]
By = Annotated[str | None, typer.Option(help="Scores of each season, month or hour beside each other.")]
ClimatologyPath = Annotated[
    str | None,
    typer.Option(
        "--climatology",
        help="Climatology to score beside: a store, its day_of_year, a sample's folder, climatology.nc, or "
        "WeatherBench2's (path or URL); 'truth' for the truth's other years; default: the truth's own. Of a store's "
        "two, that with quantiles if a score needs them.",
    ),
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline", help="Scored beside; see 'score list baselines'. Default: persistence, climatology if there."
    ),
]
Thresholds = Annotated[
    list[str] | None,
    typer.Option("--threshold", help="Of events, e.g. '2m_temperature>303.15'; may be repeated."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE, e.g. alpha=1, pool_km=500,1000; see 'score list settings'."),
]
TruthMember = Annotated[int | None, typer.Option("--member", help="Of the truth, where that is an ensemble.")]
WithoutMembers = Annotated[
    list[str] | None,
    typer.Option("--without-member", help="Leave these out of the forecasts, e.g. 0 (a control) or 0,10-19."),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Score only what has a partner and can be read, and list the rest.")
]
Part = Annotated[str, typer.Option(help="i/n: only every n-th initial time from the i-th; then 'score merge'.")]
