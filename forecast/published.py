"""What is published of a forecast: its manifest, and what names it, so that it is known again."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import netCDF4

from data_pipeline.errors import DataError, SphercastError
from data_pipeline.times import shown
from forecast.checkpoint import fingerprint
from forecast.output import Manifest, OutputConfig, StoppedMember, lost_files, read_manifest
from forecast.output.manifest import MANIFEST
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from forecast.files import FileConfig
    from forecast.forecaster import Forecaster
    from forecast.guards import Stop
    from forecast.job import Job
    from forecast.output import EnsembleLayout
    from forecast.restart import Run

MADE_BY = "sphercast checkpoint"
"""What the attribute ``source`` of forecasts begins with."""
UNKNOWN = "unknown"
"""Of the sha256 of a checkpoint that was never a file."""
_ZARR = (".zgroup", "zarr.json")
_LOG = logging.getLogger(__name__)


def work_folder(folder: Path, name: str) -> Path:
    """Where a forecast called ``name`` grows."""
    return folder / f".{name}.partial"


def manifest_name(name: str) -> str:
    """Of the file that says what is published."""
    return f"{name}.manifest.json"


def identity_of(job: Job, forecaster: Forecaster, outputs: Sequence[FileConfig]) -> dict[str, Any]:
    """All that the files depend on, but for the versions of software, and the batches.

    With the model's own steps, as all forecasts once had them, nothing is said of steps.
    """
    stepping, sha256 = job.walk(forecaster), job.origin.checkpoint_sha256
    is_usual = stepping == Stepping.of(forecaster)
    return {
        "checkpoint_sha256": sha256 if sha256 != UNKNOWN else fingerprint(forecaster),
        "initial_time": shown(job.initial.time),
        "initial_data_sha256": job.initial.sha256(),
        "perturbation": job.origin.perturbation,
        "seed": job.seed,
        "antithetic_noise": job.antithetic,
        "members": job.members,
        "steps": job.steps,
        "step_hours": None if is_usual else stepping.step_hours,
        "output_hours": None if is_usual else stepping.output_hours,
        "outputs": [output.model_dump(mode="json") | _stations(output) for output in outputs],
    }


def published(folder: Path, name: str, identity: Mapping[str, Any]) -> Manifest | None:
    """The manifest, if this very forecast is there with all its files."""
    path = folder / manifest_name(name)
    if not path.is_file():
        return None
    try:
        manifest = read_manifest(path)
    except DataError as error:
        _LOG.warning("%s", error)
        return None
    return manifest if not lost_files(folder, manifest) and manifest.run_sha256 == _sha256(identity) else None


def manifest_of(job: Job, layout: EnsembleLayout, begun: Run, stopped: Mapping[int, Stop]) -> Manifest:
    """Of a forecast that is finished now, without its files."""
    step_hours = layout.lead_hours[0]
    last = min((stop.step for stop in stopped.values()), default=job.steps + 1) - 1
    stops = [stopped[member] for member in sorted(stopped)]
    return Manifest(
        complete=not stopped,
        initial_time=shown(job.initial.time),
        members=tuple(layout.members),
        steps=job.steps,
        step_hours=step_hours,
        hours_complete=last * step_hours,
        stopped=tuple(
            StoppedMember(member=stop.member, step=stop.step, time=shown(stop.time), reason=str(stop)) for stop in stops
        ),
        checkpoint=job.origin.checkpoint,
        checkpoint_sha256=job.origin.checkpoint_sha256,
        seed=job.seed,
        initial_data=job.origin.initial_data,
        initial_sha256=begun.identity["initial_data_sha256"],
        perturbation=job.origin.perturbation,
        run_sha256=_sha256({key: value for key, value in begun.identity.items() if key != "versions"}),
        versions=versions(),
        started=begun.started,
        finished=now(),
    )


def refuse_foreign(folder: Path, names: Sequence[str], name: str) -> None:
    """Raise a SphercastError if what has one of the ``names`` is not of an older forecast that was called ``name``.

    That one may have been ended while it was published.
    """
    for path in (folder / name for name in names):
        if path.suffix == ".zarr" and path.is_file():
            raise SphercastError(f"{path} is a file, expected the name of a Zarr store to write; give another")
        zarr_store = path.suffix == ".zarr" and path.is_dir() and any((path / key).exists() for key in _ZARR)
        if path.exists() and not path.is_file() and not zarr_store:
            raise SphercastError(f"{path} is a folder or a device, expected the name of a file to write; give another")
        own = [work_folder(folder, name) / MANIFEST, folder / manifest_name(name)]  # publishing moves it
        if path.exists() and not any(_may_list(manifest, path.name) for manifest in own):
            raise SphercastError(
                f"{path} is there, and no {manifest_name(name)} beside it lists it as an older forecast's; give "
                "another name, or move it away"
            )


def remove_unlisted(folder: Path, names: Sequence[str], name: str) -> None:
    """Remove forecasts of ours that have lost their manifest from a ``folder`` that nobody else writes to."""
    manifests = [work_folder(folder, name) / MANIFEST, folder / manifest_name(name)]
    if any(manifest.exists() for manifest in manifests):
        return
    for path in (folder / name for name in names):
        if _says_it_is_ours(path):
            _LOG.warning("%s has lost its manifest; it is made again", path)
            path.unlink() if path.is_file() else shutil.rmtree(path)


def _says_it_is_ours(path: Path) -> bool:
    try:
        if path.is_dir():
            source = json.loads((path / ".zattrs").read_bytes()).get("source")
        else:
            with netCDF4.Dataset(path) as file:
                source = getattr(file, "source", None)
    except (OSError, ValueError):
        return False
    return str(source).startswith(MADE_BY)


def _may_list(manifest: Path, file: str) -> bool:
    """Whether it lists the file, or is damaged and may have."""
    try:
        return file in (listed.name for listed in read_manifest(manifest).files)
    except DataError:
        return manifest.exists()


def versions() -> dict[str, str]:
    """Of the software that makes a forecast."""
    return {name: version(name) for name in ("sphercast", "torch")}


def now() -> str:
    """The time in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stations(output: FileConfig) -> dict[str, str]:
    """The contents of a list of stations name it, wherever it lies."""
    if not isinstance(output, OutputConfig) or output.points is None:
        return {}
    return {"points": hashlib.sha256(output.points.read_bytes()).hexdigest()}


def _sha256(identity: Mapping[str, Any]) -> str:
    said = {key: value for key, value in identity.items() if value is not None}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
