"""An experiment: data, model, training and sampling in one flat YAML, read into frozen models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data_pipeline.config import DataConfig
from data_pipeline.errors import ConfigError, DataError
from forecast.forecaster import check_grid
from forecast.networks.unet import HEADS
from forecast.noise import STEEPEST, NoiseName
from forecast.noise_levels import NOISE_LEVELS, NoiseLevelName
from forecast.process import PROCESSES, Process, ProcessName
from forecast.samplers import SamplerName
from forecast.training.config import TrainingConfig
from forecast.validation import described, parse_yaml, validated


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Frozen):
    """The network, the process that makes it a denoiser, the noise it starts from, and the forecast step.

    ``blocks`` are residual blocks per level of the U-Net, or blocks of the transformer, which has one width and cuts
    the grid into ``patch`` x ``patch`` cells. ``other_step_hours`` are steps of other lengths that the model learns
    beside ``step_hours``. ``noise_slope`` makes the noise smoother, ``noise_size`` is that of a global noise vector.
    ``noise_levels`` is the distribution that denoising learns at; by default it is the process's own.
    ``damped`` adds increments to what stays of a state at each scale (see ``forecast.persistence``), not to all of it,
    and lets global means follow the season (see ``forecast.global_means``).
    """

    network: Literal["unet", "transformer"] = "unet"
    widths: tuple[int, ...] = (64, 128, 256)
    blocks: int = Field(default=1, ge=1)
    patch: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    process: ProcessName = "flow_matching"
    noise_levels: NoiseLevelName | None = None
    noise: NoiseName = "spherical"
    noise_slope: float = Field(default=0.0, ge=0.0, le=STEEPEST)
    noise_size: int = Field(default=32, ge=1)
    past_states: int = Field(default=2, ge=1, le=2)
    step_hours: int = Field(ge=1)
    other_step_hours: tuple[int, ...] = ()
    damped: bool = True

    @field_validator("widths")
    @classmethod
    def _heads_fit(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not widths or any(width < HEADS or width % HEADS for width in widths):
            raise ValueError(f"got {list(widths)}, expected multiples of {HEADS}, one per level")
        return widths

    @model_validator(mode="after")
    def _parts_fit(self) -> ModelConfig:
        if self.network == "transformer" and len(self.widths) != 1:
            raise ValueError(f"got widths {list(self.widths)} for a transformer, expected one")
        steps = (self.step_hours, *self.other_step_hours)
        if len(set(steps)) < len(steps) or min(steps) < 1:
            raise ValueError(f"got steps of {list(steps)} h, expected each once, of 1 h at least")
        if self.noise_slope and self.noise != "spherical":
            raise ValueError(f"got noise_slope {self.noise_slope} for {self.noise} noise, expected it for spherical")
        return self

    @property
    def latent_size(self) -> int:
        """Of the global noise vector; 0 if there is none."""
        return self.noise_size if self.noise == "global" else 0

    def build_process(self) -> Process:
        """The process, and the noise levels that it learns at, with their published constants."""
        if self.noise_levels is None:
            return PROCESSES[self.process]()
        return PROCESSES[self.process](levels=NOISE_LEVELS[self.noise_levels]())


class SamplerConfig(_Frozen):
    """How a next state is drawn from the denoiser; ``mean`` draws nothing, but gives the mean in one evaluation.

    ``churn`` is the rate at which noise is added on the way (GenCast: 2.5). ``rho`` puts more of the steps near the
    data, the larger it is; by default it is the process's (EDM 7, flow matching 1). ``bfloat16`` computes the network
    in half precision, which is faster where the hardware has it. ``inflation`` is the standard deviation of the noise
    that it starts from: more than 1 for members that are too alike. ``turned`` shows each member's network the world
    turned in another way in each step (see ``forecast.turning``): for networks that have learnt from turned ones.
    """

    name: SamplerName | Literal["mean"] = "heun"
    steps: int = Field(default=8, ge=1)
    churn: float = Field(default=0.0, ge=0.0)
    rho: float | None = Field(default=None, ge=1.0)
    bfloat16: bool = False
    inflation: float = Field(default=1.0, gt=0.0, le=2.0)
    turned: bool = False


StageName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
"""It is that of a folder too."""


class Experiment(_Frozen):
    """Everything that names a model: the same file serves ``data build`` and ``train``.

    ``stages`` are trainings that follow each other, by name: what is other in each than in the sections above.
    """

    data: DataConfig
    model: ModelConfig
    training: TrainingConfig
    sampler: SamplerConfig = SamplerConfig()
    stages: dict[StageName, dict[Literal["model", "training", "sampler"], dict[str, Any]]] = {}

    @model_validator(mode="after")
    def _parts_fit(self) -> Experiment:
        for hours in (self.model.step_hours, *self.model.other_step_hours):
            if hours % self.data.interval_hours:
                message = f"model: steps of {hours} h are no multiple of data.interval_hours"
                raise ValueError(f"{message} {self.data.interval_hours}; change one of them")
        try:
            check_grid(self.data.grid.build(), self.model)
        except DataError as error:
            raise ValueError(f"data: {error}") from error
        _check_sampler(self)
        _check_learnt_from(self)
        _check_starts(self)
        _check_folders(self)
        return self

    def stage(self, name: str) -> Experiment:
        """The experiment of one stage, in a folder of its own.

        Raises
        ------
        ConfigError
            If there is no such stage.
        """
        if name not in self.stages:
            have = ", ".join(self.stages) or "none; leave --stage out"
            raise ConfigError(f"no stage {name!r}, expected one of: {have}")
        values = {**self.model_dump(), "stages": {}}
        for section, changes in self.stages[name].items():
            values[section] = {**values[section], **changes}
        training = values["training"]
        if "folder" not in self.stages[name].get("training", {}):
            training["folder"] = self.folder_of(name)
        if training["start"] in self.stages:
            training["start"] = str(self.folder_of(training["start"]) / CHECKPOINT)
        return Experiment.model_validate(values)

    def folder_of(self, stage: str) -> Path:
        """Where a stage is trained."""
        return Path(str(self.stages[stage].get("training", {}).get("folder", self.training.folder / stage)))


CHECKPOINT = "checkpoint.safetensors"
"""In the folder of a training that has come to its end."""

MOST_SAMPLER_STEPS = 4
"""Of one draw, in training by the CRPS; in each, a sampler evaluates the network once or twice."""


def _check_sampler(experiment: Experiment) -> None:
    """Raise a ValueError if what is sampled is not what is learnt."""
    sampler, kind = experiment.sampler, experiment.training.objective.kind
    single = sampler.name == "mean" or (sampler.name == "euler" and sampler.steps == 1 and not sampler.churn)
    if experiment.model.noise == "global" and not single:
        raise ValueError("a global noise vector serves one evaluation, expected sampler {name: euler, steps: 1}")
    if (kind == "mean") != (sampler.name == "mean"):
        expected = "sampler {name: mean}" if kind == "mean" else "another sampler than mean"
        raise ValueError(f"the objective {kind} needs {expected}")
    if sampler.name == "mean" and sampler.churn:
        raise ValueError(f"sampler mean draws nothing, got churn {sampler.churn}, expected 0")
    if sampler.name == "mean" and sampler.inflation != 1:
        raise ValueError(f"sampler mean draws nothing, got inflation {sampler.inflation:g}, expected 1")
    if sampler.turned and sampler.name == "mean":
        raise ValueError("sampler mean draws nothing, got turned true, expected false")
    if sampler.turned and not (experiment.training.mirror and experiment.training.rotate):
        raise ValueError("sampler.turned is for networks that have learnt so, expected training mirror and rotate true")
    if sampler.turned and experiment.model.latent_size == 1:
        raise ValueError("sampler.turned takes two numbers of the noise, expected model.noise_size 2 or more")
    if kind == "crps" and (sampler.steps > MOST_SAMPLER_STEPS or sampler.churn):
        raise ValueError(f"the objective crps draws in {MOST_SAMPLER_STEPS} sampler steps at most, without churn")
    if kind == "denoising" and experiment.model.noise == "global":
        raise ValueError("denoising needs noise in the fields, expected model.noise spherical or white")


def _check_learnt_from(experiment: Experiment) -> None:
    """Raise a ValueError if a store is learnt from twice, or a time is both learnt from and validated on."""
    data, config = experiment.data, experiment.training
    if data.store in config.more_stores:
        raise ValueError(f"training.more_stores holds data.store {data.store}, expected other stores; leave it out")
    (begin, end), (first, last) = data.training_period.bounds(), config.validation_period.bounds()
    if first <= end and begin <= last:
        raise ValueError(
            f"the validation_period {config.validation_period.start}..{config.validation_period.stop} overlaps the "
            f"training_period {data.training_period.start}..{data.training_period.stop}, expected times of its own"
        )


def _check_starts(experiment: Experiment) -> None:
    """Raise a ValueError if a stage starts with itself or a later one, or with what can be no checkpoint."""
    general, before = experiment.training.start, list[str]()
    for name, changes in experiment.stages.items():
        start = changes.get("training", {}).get("start", general)
        if start not in before and not _can_be_checkpoint(start):
            raise ValueError(f"stage {name} starts with {start}, expected {_STARTS.format('a stage before it')}")
        before.append(name)
    if not experiment.stages and not _can_be_checkpoint(general):
        raise ValueError(f"training.start is {general}, expected {_STARTS.format('a stage (there is none)')}")


_STARTS = "{}, a .safetensors file, or the name of a shipped checkpoint"


def _can_be_checkpoint(start: str | None) -> bool:
    """Whether it is a file by its name, which need not be there yet, or a shipped one."""
    shipped = files("forecast.checkpoints")
    return start is None or str(start).endswith(".safetensors") or (shipped / f"{start}.safetensors").is_file()


def _check_folders(experiment: Experiment) -> None:
    """Raise a ValueError if two stages would be trained in one folder."""
    owners: dict[Path, str] = {}
    for name in experiment.stages:
        folder = experiment.folder_of(name)
        if folder in owners:
            raise ValueError(f"stages {owners[folder]} and {name} share the folder {folder}, expected one for each")
        owners[folder] = name


class _DataAlone(_Frozen):
    data: DataConfig


def load_experiment(path: str | Path) -> Experiment:
    """Read an experiment from a YAML file, or one shipped under that name (``sphercast config list``).

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML mapping, or has unknown keys or impossible values; each is named.
    """
    experiment = validated(Experiment, parse_yaml(_read(path), path), path)
    for name in experiment.stages:
        try:
            experiment.stage(name)
        except ValidationError as error:
            raise ConfigError(f"{path}, stage {name}: {described(error, Experiment)}") from error
    return experiment


def load_data(path: str | Path) -> DataConfig:
    """The section ``data`` of an experiment, or of a file that has no other; errors as of ``load_experiment``."""
    values = parse_yaml(_read(path), path)
    if set(values) == {"data"}:
        return validated(_DataAlone, values, path).data
    return validated(Experiment, values, path).data


def shipped_configs() -> dict[str, str]:
    """Names and texts of the experiments inside the package."""
    entries = sorted(files("forecast.configs").iterdir(), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".yaml"): entry.read_text() for entry in entries if entry.name.endswith(".yaml")}


def _read(path: str | Path) -> str:
    if Path(path).is_file():
        try:
            return Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not text in UTF-8; give a YAML file") from error
    shipped = shipped_configs()
    if str(path) in shipped:
        return shipped[str(path)]
    raise ConfigError(f"no config file {path}; give a path, or a shipped one: {', '.join(shipped)}")
