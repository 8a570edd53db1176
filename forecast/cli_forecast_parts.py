"""From the options of ``sphercast forecast`` to a job; apart from the command, so that its help needs no torch."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import ConfigError, DataError
from data_pipeline.reading import open_states
from forecast.checkpoint import find_checkpoint, load_checkpoint, provenance
from forecast.devices import choose_device
from forecast.ensemble import here
from forecast.initial import first_time, given_members, initial_state, open_members, parse_time
from forecast.job import NAME, Origin
from forecast.output import Manifest, output_config, read_manifest
from forecast.output.config import MEMBER
from forecast.perturbation_kinds import AnalysisMembers, LaggedPerturbation, NoisePerturbation, described
from forecast.perturbations import perturbed_states
from forecast.products import ProductsConfig
from forecast.published import manifest_name
from forecast.sizes import parse_memory
from forecast.spread_processes import help_out, joined, over_processes, processes
from forecast.stepping import Stepping
from forecast.validation import parse_yaml, validated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.files import FileConfig
    from forecast.forecaster import Forecaster
    from forecast.initial import InitialEnsemble
    from forecast.job import Job
    from forecast.running import Spread

    Perturbation = NoisePerturbation | LaggedPerturbation | AnalysisMembers

JOB_EXAMPLE = "sphercast jobs example"
"""The command that shows a section of products."""

PERTURBATIONS: dict[str, type[Perturbation]] = {
    "noise": NoisePerturbation, "lagged": LaggedPerturbation, "analysis": AnalysisMembers,
}  # fmt: skip


def outputs_of(out: Sequence[Path], points: Path | None, **options: Any) -> tuple[Path, list[FileConfig]]:
    """The folder and the outputs in it; lists in ``options`` are text with commas.

    Raises
    ------
    ConfigError
        If the files are in several folders or have the same name, or an option cannot be, or points come from a pipe.
    """
    folders = {path.parent.absolute() for path in out}
    if len(folders) > 1:
        raise ConfigError(f"got --out in {len(folders)} folders, expected one, as a forecast is published in one piece")
    given = {key: value.split(",") if isinstance(value, str) else value for key, value in options.items()}
    outputs: list[FileConfig] = [output_config(name=path.name, **given) for path in out]
    if points is not None and points.exists() and not points.is_file():
        raise ConfigError(
            f"got --points {points}, expected a file, which is read again when the forecast goes on; write the "
            "stations into one"
        )
    if points is not None:
        outputs.append(output_config(name=f"{points.stem}.nc", points=points, **{**given, "region": None}))
    names = [output.name for output in outputs]
    if len(set(names)) < len(names):
        raise ConfigError(f"got the files {', '.join(names)}, expected each once; rename one")
    return out[0].parent, outputs


def products_of(path: Path | None, name: str) -> list[FileConfig]:
    """The products that a YAML file asks for, if there is one; unless it says otherwise in ``name.products.nc``.

    Raises
    ------
    ConfigError
        If it cannot be read or meant.
    """
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text in UTF-8"
        raise ConfigError(f"--products {path} cannot be read ({reason}); give a YAML file") from error
    values = {"name": f"{name}.products.nc", **parse_yaml(text, path, JOB_EXAMPLE)}
    return [validated(ProductsConfig, values, path, JOB_EXAMPLE)]


def name_of(out: Path) -> str:
    """The name of a forecast, which is that of its first file, for its work folder and its manifest.

    >>> name_of(Path("run/member-{member}.nc")), name_of(Path("{member}.nc"))
    ('member', 'forecast')
    """
    return out.stem.replace(MEMBER, "").strip(" -._") or NAME


def perturbation_of(kind: str | None, amplitude: float | None, lag: int | None) -> Perturbation | None:
    """The perturbation that the options ask for; a ConfigError if they do not fit it."""
    options = {"--amplitude": ("amplitude", amplitude), "--lag": ("lag_hours", lag)}
    given = {option: pair for option, pair in options.items() if pair[1] is not None}
    if kind is None:
        if given:
            raise ConfigError(f"got {' and '.join(given)} without --perturb; give --perturb noise or lagged")
        return None
    model = PERTURBATIONS[kind]
    foreign = [option for option, (name, _) in given.items() if name not in model.model_fields]
    if foreign:
        raise ConfigError(f"got {foreign[0]} with --perturb {kind}, which has none; leave it out")
    return validated(model, dict(given.values()), f"--perturb {kind}")


def loaded(
    checkpoint: str, device: str | None, data: str, perturbation: Perturbation | None
) -> tuple[Forecaster, Origin, dict[str, str]]:
    """The forecaster on its device, where the forecast comes from, and what the checkpoint says of itself.

    Not its config, which is long; the checkpoint's sha256 tells which it is.
    """
    path = find_checkpoint(checkpoint)
    forecaster = load_checkpoint(path).to(choose_device(device))
    said = provenance(path)
    origin = Origin(path.name, said["sha256"], data, *described(perturbation))
    return forecaster, origin, {f"checkpoint_{key}": value for key, value in said.items() if key != "config"}


def stepping_of(forecaster: Forecaster, step_hours: int | None, output_hours: int | None) -> Stepping | None:
    """What the options ask for, or a ConfigError as of ``Stepping.of``; None without them: the model's own steps."""
    asked = step_hours is not None or output_hours is not None
    return Stepping.of(forecaster, step_hours, output_hours) if asked else None


def initial_ensemble(
    forecaster: Forecaster, data: str, init: str | None, perturbation: Perturbation | None, stepping: Stepping | None,
    *, members: int, seed: int,
) -> InitialEnsemble:  # fmt: skip
    """The members' initial states; a DataError as of ``initial_state``, or if there are too few members or states."""
    if isinstance(perturbation, AnalysisMembers):
        several = open_members(data)
        return given_members(forecaster, several, _time(forecaster, several[0], init, stepping), members, stepping)
    states = open_states(data)
    time = _time(forecaster, states, init, stepping)
    if perturbation is None:
        return initial_state(forecaster, states, time, stepping)
    return perturbed_states(forecaster, states, time, perturbation, members=members, seed=seed, stepping=stepping)


def _time(forecaster: Forecaster, states: Any, init: str | None, stepping: Stepping | None) -> Any:
    return parse_time(init) if init is not None else first_time(forecaster, states, stepping)


def memory_of(text: str | None) -> int | None:
    """Bytes, if any are given."""
    return None if text is None else parse_memory(text)


@dataclass(frozen=True)
class Spreading:
    """Where batches are computed: how, by how many workers, and the number of this process among torchrun's."""

    spread: Spread
    workers: int = 1
    process: int = 0

    def help_out(self, job: Job, forecaster: Forecaster, work: Path) -> None:
        """What a process but number 0 does."""
        help_out(job, forecaster, work)


@contextmanager
def spreading(scheduler: str | None) -> Iterator[Spreading]:
    """Over the cluster at ``scheduler``, over the processes of torchrun, or here alone."""
    if processes() > 1:
        if scheduler is not None:
            raise ConfigError(f"got --scheduler {scheduler} under torchrun; use one of them")
        with joined() as number:
            yield Spreading(over_processes, processes(), number)
    elif scheduler is not None:
        from forecast.spread_cluster import connected, over_cluster, workers

        with connected(scheduler) as client:
            yield Spreading(partial(over_cluster, client=client), workers(client))
    else:
        yield Spreading(here)


def published(folder: Path, name: str) -> Manifest | None:
    """What is there already."""
    try:
        return read_manifest(folder / manifest_name(name))
    except DataError:
        return None


def report(folder: Path, outputs: Sequence[FileConfig], manifest: Manifest, *, again: bool) -> Iterator[str]:
    """Lines for the user."""
    for output in outputs:
        kind = "products" if isinstance(output, ProductsConfig) else "forecast"
        yield f"{kind}: {folder / output.name}{' is complete already' if again else ''}"
    if manifest.stopped:
        numbers = ", ".join(str(stop.member) for stop in manifest.stopped)
        yield f"stopped before the end: members {numbers} (attribute 'stopped_members')"
