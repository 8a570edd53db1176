"""One forecast: computed, written and published whole; the same call goes on with one that was killed."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import ConfigError
from data_pipeline.publish import only_one_in
from forecast.ensemble import Ensemble, here
from forecast.files import file_names, verify_files
from forecast.memory import Room, plan_batches
from forecast.output import EnsembleLayout, Manifest, OutputConfig, go_on_publishing, is_publishing, publish
from forecast.published import (
    MADE_BY,
    UNKNOWN,
    identity_of,
    manifest_name,
    manifest_of,
    now,
    published,
    refuse_foreign,
    versions,
    work_folder,
)
from forecast.restart import Run, holds_states, read_run, require_same
from forecast.running import AllStoppedError, Running, Spread
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from forecast.files import FileConfig
    from forecast.forecaster import Forecaster
    from forecast.guards import Stop
    from forecast.initial import InitialEnsemble

NAME = "forecast"
"""Of a forecast in its folder: ``.forecast.partial`` while it grows, and ``forecast.manifest.json``."""


@dataclass(frozen=True)
class Origin:
    """What a forecast is made of: names for people, and the checkpoint's sha256, by which a resume knows it.

    ``control`` is the number of the unperturbed member, where the others are perturbed.
    """

    checkpoint: str = "unnamed"
    checkpoint_sha256: str = UNKNOWN
    initial_data: str = "unnamed"
    perturbation: str = "none"
    control: int | None = None


@dataclass(frozen=True)
class Job:
    """What to forecast: ``members`` members for ``steps`` outputs, which are the ends of the model's own steps unless
    ``stepping`` says otherwise.

    ``batch`` members are computed together, or as many as fit in ``memory`` (bytes, found by itself if None), in at
    least as many batches as there are ``workers``; which does not change the members, but for rounding.
    """

    initial: InitialEnsemble
    members: int
    steps: int
    seed: int = 0
    antithetic: bool = False
    origin: Origin = Origin()
    batch: int | None = None
    memory: int | None = None
    workers: int = 1
    stepping: Stepping | None = None

    def walk(self, forecaster: Forecaster) -> Stepping:
        """How the forecast walks through time."""
        return self.stepping or Stepping.of(forecaster)

    def layout(self, forecaster: Forecaster) -> EnsembleLayout:
        """The axes of the forecast."""
        times = self.initial.time + np.arange(1, self.steps + 1) * self.walk(forecaster).output_length
        return EnsembleLayout(forecaster.channels, forecaster.grid, range(self.members), self.initial.time, times)

    def attributes(self) -> dict[str, str]:
        """What files say of where the forecast comes from."""
        pairs = "; members 2k and 2k + 1 have noise of opposite sign" if self.antithetic else ""
        return {
            "source": f"{MADE_BY} {self.origin.checkpoint}",
            "checkpoint_sha256": self.origin.checkpoint_sha256,
            "initial_data": self.origin.initial_data,
            "initial_perturbation": self.origin.perturbation,
            "model_noise": f"seed {self.seed}{pairs}",
            "seed": str(self.seed),
            **({} if self.stepping is None else {"model_steps": str(self.stepping)}),
            **({} if self.origin.control is None else {"control_member": str(self.origin.control)}),
        }


def run(
    job: Job, forecaster: Forecaster, folder: Path, outputs: Sequence[FileConfig] = (OutputConfig(),),
    attributes: Mapping[str, str] | None = None, *, name: str = NAME, spread: Spread = here, progress: bool = True,
) -> Manifest:  # fmt: skip
    """Forecast into ``folder`` and publish ``outputs`` with the manifest ``name.manifest.json``.

    Until all is complete it grows in the hidden folder ``.name.partial``. A run that was ended there goes on where it
    was; one that is published is not done again. ``attributes`` are added to those of the files.

    Raises
    ------
    ConfigError
        If outputs do not fit the forecast, the memory is too small, or another forecast was begun there.
    DataError
        If all members stopped, or what was written does not read back.
    SphercastError
        If another process is at work there, or what is there under the name of an output is no forecast of ours.
    OSError
        If the disk is full or fails; what is written stays for the next call.
    """
    layout, work = job.layout(forecaster), work_folder(folder, name)
    names = file_names(outputs, layout, job.attributes())
    refuse_foreign(folder, names, name)
    identity = identity_of(job, forecaster, outputs)
    done = published(folder, name, identity)
    if done is not None and not work.exists():
        return done
    with only_one_in(work):
        done = published(folder, name, identity)  # another process may have ended meanwhile
        if done is None:
            begun = _begin(job, forecaster, work, identity, {**job.attributes(), **(attributes or {})})
            if not is_publishing(work):
                ensemble = Ensemble(
                    forecaster, job.initial, job.walk(forecaster), begun.plan, job.seed, job.antithetic, work
                )
                stopped = _write(ensemble, layout, outputs, begun.attributes, spread, progress=progress)
                verify_files(outputs, layout, begun.attributes, work, stopped)
                done = publish(work, folder, names, manifest_of(job, layout, begun, stopped), manifest_name(name))
            else:
                done = go_on_publishing(work, folder, manifest_name(name))
        _remove(work, identity)
    return done


def _remove(work: Path, identity: Mapping[str, Any]) -> None:
    """The work folder of a forecast that is published; not that of another, which may go on."""
    begun = read_run(work)
    if begun is None or begun.identity.items() >= identity.items():
        shutil.rmtree(work)


def _begin(
    job: Job, forecaster: Forecaster, work: Path, identity: Mapping[str, Any], attributes: Mapping[str, str]
) -> Run:
    """The run in ``work``, begun now if there is none: its batches stay what they were, whatever memory there is."""
    begun, whole = read_run(work), {**identity, "versions": versions()}
    held = job.walk(forecaster).held
    if begun is None:
        plan = plan_batches(
            forecaster, job.members, job.steps, batch=job.batch, memory=job.memory, workers=job.workers, held=held
        )
        begun = Run(whole, plan, attributes, now())
        begun.write(work)
        return begun
    require_same(begun.identity, whole, work)
    largest = max(len(batch) for batch in begun.plan.batches)
    if job.batch is not None:
        require_same({"members of a batch": largest}, {"members of a batch": min(job.batch, job.members)}, work)
    if job.memory is not None:
        Room(forecaster, job.memory, held).require(largest)
    return begun


def _write(
    ensemble: Ensemble, layout: EnsembleLayout, outputs: Sequence[FileConfig], attributes: Mapping[str, str],
    spread: Spread, *, progress: bool,
) -> dict[int, Stop]:  # fmt: skip
    work = ensemble.work
    try:
        return Running(ensemble, layout, outputs, attributes).finish(spread, progress=progress)
    except Exception as error:
        if isinstance(error, AllStoppedError) or not holds_states(work):  # it would be the same again, or is nothing
            shutil.rmtree(work)
        raise


def steps_for(forecaster: Forecaster, days: float, stepping: Stepping | None = None) -> int:
    """How many outputs make ``days``; a ConfigError if they are no whole number of them."""
    stepping = stepping or Stepping.of(forecaster)
    steps = days * 24 / stepping.output_hours
    if not 1 <= steps < math.inf or not math.isclose(steps, round(steps), rel_tol=0, abs_tol=1e-6):
        of = "the model's step" if stepping.outputs == 1 else "the time between outputs"
        raise ConfigError(
            f"got {days:g} days, expected a multiple of {of} of {stepping.output_hours} h; give another number"
        )
    return round(steps)
