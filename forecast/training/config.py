"""How a stage of training goes: its objective, optimiser, schedule, data and device, as frozen models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_pipeline.config import Period
from data_pipeline.residence import Residence


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MeanObjective(_Frozen):
    """One evaluation without noise estimates the next state: its mean (``mse``) or its median (``mae``)."""

    kind: Literal["mean"] = "mean"
    norm: Literal["mse", "mae"] = "mse"


class DenoisingObjective(_Frozen):
    """The network learns to take noise of every level away: flow matching or EDM, as the model's process says."""

    kind: Literal["denoising"] = "denoising"


class CrpsObjective(_Frozen):
    """The sampler's few steps draw ``members`` next states, which the CRPS scores.

    ``alpha`` 1 is the fair CRPS, 0 that of the ensemble as it is (Lang et al. 2024, AIFS-CRPS, eq. 4: 0.95).
    ``spectral`` weighs the CRPS of the spherical harmonics, each degree over its own standard deviation: it keeps small
    scales from filling with noise.
    """

    kind: Literal["crps"] = "crps"
    members: int = Field(default=2, ge=2)
    alpha: float = Field(default=0.95, ge=0.0, le=1.0)
    spectral: float = Field(default=0.1, ge=0.0)


Objective = Annotated[MeanObjective | DenoisingObjective | CrpsObjective, Field(discriminator="kind")]


class TrainingConfig(_Frozen):
    """What to learn, how long and how fast. One step is one batch, whole or in ``accumulate`` parts.

    Parameters
    ----------
    start
        A checkpoint, or another stage of the experiment, whose weights this one begins with.
    rollout
        From which training step on, how many forecast steps are made in a row: {0: 1, 2000: 2}.
    schedule
        The learning rate after the warm-up: half a ``cosine``, or constant with a ``cooldown`` to zero that takes the
        last ``cooldown_share`` of the steps.
    optimizer
        ``adamw``, or ``muon`` for the weights of layers and AdamW for the rest.
    ema_steps
        The average of the weights that forecasts are made with goes over about so many steps.
    mirror
        Show the network every second sample with north and south exchanged: physics is the same there, which doubles a
        short record.
    rotate
        Show it each batch with another first meridian, so that it does not learn where its coarser cells lie.
    more_stores
        Other stores of the same channels and grid; all of their states are learnt from as well.
    residence
        Where the states live: on the ``device``, in ``memory``, on ``disk``; by default, on the first of these in half
        of whose free room they fit, the device being a GPU.
    flat_cache
        A file to keep the store's states in, uncompressed, where they do not fit in memory.
    device
        ``cpu``, ``cuda``, ``cuda:1`` ...; ``auto`` is the GPU, if there is one.
    compile
        Let torch.compile fuse the network: a wait at the start, for faster steps.
    checkpointing
        Compute the activations inside each block again in the backward pass instead of keeping them: a third more
        work, less memory.
    shard
        Of several processes, each keeps only its share of the weights, of their average and of the optimiser's moments
        (FSDP2); else all of them (DDP). ``batch_size`` is in both cases that of all processes together.
    tensorboard
        Write the log for TensorBoard too, into the folder's ``tensorboard``; needs the extra of that name.
    """

    folder: Path
    start: str | None = None
    objective: Objective = DenoisingObjective()
    steps: int = Field(ge=1)
    batch_size: int = Field(default=16, ge=1)
    accumulate: int = Field(default=1, ge=1)
    rollout: dict[int, int] = {0: 1}
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Literal["cosine", "cooldown"] = "cosine"
    cooldown_share: float = Field(default=0.2, gt=0.0, le=1.0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_steps: int = Field(default=200, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    ema_steps: int = Field(default=500, ge=1)
    save_every: int = Field(default=250, ge=1)
    log_every: int = Field(default=10, ge=1)
    keep: int = Field(default=2, ge=1)
    validation_period: Period
    more_stores: tuple[Path, ...] = ()
    residence: Residence | None = None
    flat_cache: Path | None = None
    mirror: bool = False
    rotate: bool = False
    device: str = "auto"
    bfloat16: bool = True
    compile: bool = False
    checkpointing: bool = False
    shard: bool = False
    tensorboard: bool = False
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _parts_fit(self) -> TrainingConfig:
        if 0 not in self.rollout or min(self.rollout) < 0 or min(self.rollout.values()) < 1:
            raise ValueError(f"got rollout {self.rollout}, expected training steps with forecast steps, as in {{0: 1}}")
        if self.objective.kind == "denoising" and self.longest_rollout > 1:
            raise ValueError("denoising learns from single steps, expected rollout {0: 1}")
        if max(self.rollout) >= self.steps:
            raise ValueError(
                f"rollout {self.rollout} changes at step {max(self.rollout)}, expected before the last of {self.steps}"
            )
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"warmup_steps {self.warmup_steps} are all of the {self.steps} steps, expected fewer; lower them"
            )
        if len(set(self.more_stores)) < len(self.more_stores):
            raise ValueError(f"got more_stores {[str(path) for path in self.more_stores]}, expected each once")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of accumulate {self.accumulate}")
        if self.shard and self.optimizer == "muon":
            raise ValueError("muon needs whole weights, expected optimizer adamw with shard, or shard false")
        return self

    @property
    def longest_rollout(self) -> int:
        """The most forecast steps in a row."""
        return max(self.rollout.values())

    def rollout_at(self, step: int) -> int:
        """How many forecast steps are made in a row at a training step."""
        return self.rollout[max(first for first in self.rollout if first <= step)]
