"""``sphercast score joint``: how often two fields have certain values together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli_data import StepHours
from forecast.cli_score import score_app
from forecast.cli_score_options import AllowMissing, OnGrid, Paths, TruthMember, WithoutMembers
from forecast.cli_score_words import members_of, names_of, refuse_inputs, regions_of, warn_of_missing


@score_app.command("joint")
def score_joint(
    paths: Paths,
    fields: Annotated[str, typer.Option(help="Two fields with a comma, e.g. temperature_850,specific_humidity_700.")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")] = Path("joint.nc"),
    regions: Annotated[
        list[str] | None,
        typer.Option(help="Names from 'score list regions', with commas, but not map. Default: global."),
    ] = None,
    grid: OnGrid = None,
    member: TruthMember = None,
    step_hours: StepHours = None,
    without_member: WithoutMembers = None,
    allow_missing: AllowMissing = False,
) -> None:
    """Joint histogram of two fields, of members and of the truth, and how far apart they are."""
    from data_pipeline.errors import ScoreError
    from data_pipeline.publish import write_netcdf
    from data_pipeline.reading import open_states
    from evaluation.metrics.joint import joint_histogram
    from evaluation.readers import files_of, open_forecasts

    *forecasts, truth = paths
    names = names_of([fields])
    if len(names) != 2:
        raise ScoreError(
            f"got --fields {fields}, expected two with a comma, e.g. temperature_850,specific_humidity_700"
        )
    refuse_inputs(out, [*(file for path in forecasts for file in files_of(path)), truth])
    absent = members_of(without_member)
    runs, left_out = open_forecasts(forecasts, allow_missing=allow_missing, without=absent)
    states = open_states(truth, member=member, step_hours=step_hours, others=True)
    found = joint_histogram(
        runs, states, (names[0], names[1]), regions=regions_of(regions), grid=grid, allow_missing=allow_missing
    )
    lacking = [*left_out, *([] if found.attrs["missing"] == "none" else [found.attrs["missing"]])]
    about = {"missing": "; ".join(lacking) or "none", "members_left_out": " ".join(map(str, absent)) or "none"}
    write_netcdf(found.assign_attrs(about), out)
    warn_of_missing(about["missing"])
    print(f"joint histogram: {out}")
