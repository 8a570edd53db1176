"""``sphercast forecast``: an ensemble from a checkpoint and states, into files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from forecast.cli_data import Quiet

MOST_MEMBERS = 10_000
MOST_DAYS = 36_500
"""A slip of the finger beyond them would fill memory and disk."""


class Perturb(StrEnum):
    """Kinds of initial-condition perturbation."""

    noise = "noise"
    lagged = "lagged"
    analysis = "analysis"


def forecast(
    checkpoint: Annotated[
        str, typer.Argument(help="A checkpoint file, or the name of a shipped one: planet.", metavar="CHECKPOINT")
    ],
    out: Annotated[
        list[Path], typer.Option(help="File to write, .nc or .zarr; repeat it for more of them in one folder.")
    ],
    init: Annotated[
        Optional[str], typer.Option(help="Initial time (UTC), e.g. 2001-01-05T00; default: the first possible.")
    ] = None,
    members: Annotated[int, typer.Option(min=1, max=MOST_MEMBERS, help="Ensemble size.")] = 10,
    days: Annotated[float, typer.Option(min=0.1, max=MOST_DAYS, help="Length of the forecast.")] = 10,
    data: Annotated[str, typer.Option(help="States to start from: store or file; 'sample' is shipped.")] = "sample",
    step_hours: Annotated[
        Optional[int], typer.Option(min=1, help="Length of a step; default: the model's own. Others are to be learnt.")
    ] = None,
    output_hours: Annotated[
        Optional[int],
        typer.Option(min=1, help="Output every so many hours within steps, of the same noise; default: at their ends."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the members' noise.")] = 0,
    antithetic: Annotated[
        bool, typer.Option("--antithetic", help="Noise of opposite sign for members 0 and 1, 2 and 3, ...")
    ] = False,
    perturb: Annotated[
        Optional[Perturb],
        typer.Option(
            help="Perturb the initial state: 'noise' on the sphere, 'lagged' differences to earlier states (member 0 "
            "stays as it is), or the members of an ensemble 'analysis', given as --data."
        ),
    ] = None,
    amplitude: Annotated[
        Optional[float],
        typer.Option(help="Of noise in standard deviations of a step's change, or of lagged differences; default 0.1."),
    ] = None,
    lag: Annotated[Optional[int], typer.Option(help="Hours between the lagged states; default 24.")] = None,
    batch: Annotated[
        Optional[int], typer.Option(min=1, help="Members computed together; does not change them. Default: what fits.")
    ] = None,
    memory: Annotated[
        Optional[str], typer.Option(help="What this process, or its GPU, may take, e.g. 4GiB; default: what is free.")
    ] = None,
    device: Annotated[
        Optional[str], typer.Option(help="Where to compute: cpu, cuda, cuda:1; default: a GPU if there is one.")
    ] = None,
    scheduler: Annotated[
        Optional[str], typer.Option(help="Address of a dask scheduler whose workers compute, e.g. tcp://host:8786.")
    ] = None,
    variables: Annotated[
        Optional[str], typer.Option(help="Write only these, e.g. geopotential,2m_temperature.")
    ] = None,
    levels: Annotated[Optional[str], typer.Option(help="Write only these levels (hPa), e.g. 500,850.")] = None,
    leads: Annotated[Optional[str], typer.Option(help="Write only these lead times (hours), e.g. 24,120.")] = None,
    region: Annotated[
        Optional[str], typer.Option(help="Write only this box, south,north,west,east, e.g. 30,75,-25,45.")
    ] = None,
    points: Annotated[
        Optional[Path],
        typer.Option(help="Stations (CSV: name,latitude,longitude); their values go into a .nc of the same name."),
    ] = None,
    products: Annotated[
        Optional[Path],
        typer.Option(help="Make products meanwhile (mean, quantiles, ...): YAML, as the section 'products' of a job."),
    ] = None,
    keep_bits: Annotated[
        Optional[int], typer.Option(min=1, max=23, help="Round to so many bits of the significand; default: exact.")
    ] = None,
    compression: Annotated[int, typer.Option(min=0, max=9, help="Of zlib; 0 is none.")] = 4,
    quiet: Quiet = False,
) -> None:
    """Draw an ensemble forecast and write it as CF NetCDF, or Zarr.

    The same command again goes on with a forecast that was stopped. To share the work, start it as
    'torchrun --nproc-per-node N -m forecast forecast ...', or give --scheduler.
    """
    from forecast import cli_forecast_parts as parts
    from forecast.job import Job, run, steps_for
    from forecast.published import work_folder

    folder, outputs = parts.outputs_of(
        out, points, variables=variables, levels=levels, lead_hours=leads, region=region, keep_bits=keep_bits,
        compression=compression,
    )  # fmt: skip
    name = parts.name_of(out[0])
    files = [*outputs, *parts.products_of(products, name)]
    perturbation = parts.perturbation_of(perturb, amplitude, lag)
    forecaster, origin, attributes = parts.loaded(checkpoint, device, data, perturbation)
    stepping = parts.stepping_of(forecaster, step_hours, output_hours)
    steps = steps_for(forecaster, days, stepping)
    initial = parts.initial_ensemble(forecaster, data, init, perturbation, stepping, members=members, seed=seed)
    with parts.spreading(scheduler) as spreading:
        job = Job(
            initial, members, steps, seed=seed, antithetic=antithetic, origin=origin, batch=batch,
            memory=parts.memory_of(memory), workers=spreading.workers, stepping=stepping,
        )  # fmt: skip
        if spreading.process > 0:
            spreading.help_out(job, forecaster, work_folder(folder, name))
            return
        before = parts.published(folder, name)
        manifest = run(
            job, forecaster, folder, files, attributes, name=name, spread=spreading.spread, progress=not quiet
        )
    for line in parts.report(folder, files, manifest, again=manifest == before):
        print(line)
