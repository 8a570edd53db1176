"""An experiment: data, model, training and sampling in one flat YAML, read into frozen models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from data_pipeline.config import DataConfig, Period
from data_pipeline.errors import ConfigError, DataError
from forecast.forecaster import check_grid
from forecast.networks.unet import HEADS
from forecast.process import PROCESSES, Process, ProcessName
from forecast.samplers import SamplerName
from forecast.validation import parse_yaml, validated


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Frozen):
    """The network, the process that makes it a denoiser, and the forecast step."""

    network: Literal["unet"] = "unet"
    widths: tuple[int, ...] = (64, 128, 256)
    blocks: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    process: ProcessName = "flow_matching"
    step_hours: int = Field(ge=1)

    @field_validator("widths")
    @classmethod
    def _heads_fit(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not widths or any(width < HEADS or width % HEADS for width in widths):
            raise ValueError(f"got {list(widths)}, expected multiples of {HEADS}, one per level")
        return widths

    def build_process(self) -> Process:
        """The process with its published constants."""
        return PROCESSES[self.process]()


class TrainingConfig(_Frozen):
    """How long and how fast to learn. One step is one batch.

    ``mirror`` shows every second sample with north and south exchanged: physics is the same there, which doubles
    a short record. ``flat_cache`` is a file to keep the store's states in, uncompressed, where they do not fit in
    memory.
    """

    folder: Path
    steps: int = Field(ge=1)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_steps: int = Field(default=200, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    ema_steps: int = Field(default=500, ge=1)
    save_every: int = Field(default=250, ge=1)
    flat_cache: Path | None = None
    validation_period: Period
    mirror: bool = False
    bfloat16: bool = True
    seed: int = Field(default=0, ge=0)


class SamplerConfig(_Frozen):
    """How a next state is drawn from the denoiser."""

    name: SamplerName = "heun"
    steps: int = Field(default=8, ge=1)


class Experiment(_Frozen):
    """Everything that names a model: the same file serves ``data build`` and ``train``."""

    data: DataConfig
    model: ModelConfig
    training: TrainingConfig
    sampler: SamplerConfig = SamplerConfig()

    @model_validator(mode="after")
    def _parts_fit(self) -> Experiment:
        if self.model.step_hours % self.data.interval_hours:
            message = f"model.step_hours {self.model.step_hours} is not a multiple of data.interval_hours"
            raise ValueError(f"{message} {self.data.interval_hours}; change one of them")
        try:
            check_grid(self.data.grid.build(), len(self.model.widths))
        except DataError as error:
            raise ValueError(f"data: {error}") from error
        return self


class _DataAlone(_Frozen):
    data: DataConfig


def load_experiment(path: str | Path) -> Experiment:
    """Read an experiment from a YAML file, or one shipped under that name (``sphercast config list``).

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML mapping, or has unknown keys or impossible values; each is named.
    """
    return validated(Experiment, parse_yaml(_read(path), path), path)


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
