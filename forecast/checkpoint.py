"""Self-contained checkpoints: weights, channels, grid, statistics and config in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from data_pipeline.channels import Channels
from data_pipeline.errors import CheckpointError, FormatError, SphercastError
from data_pipeline.grid import Grid
from data_pipeline.publish import publishing
from forecast.config import ModelConfig, SamplerConfig
from forecast.forecaster import Forecaster
from forecast.global_means import CYCLE, GlobalMeans, Memory
from forecast.normalizer import Normalizer
from forecast.persistence import Persistence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

FORMAT = "sphercast checkpoint 3"
"""1 had a U-Net of sharper edges, and no persistence; 2 a bias in the head, and nothing kept beyond the harmonics."""
_WEIGHT = "weight."


def save_checkpoint(
    forecaster: Forecaster, path: Path, provenance: dict[str, str], weights: Mapping[str, Tensor] | None = None
) -> None:
    """Write the forecaster aside, then rename, with other ``weights`` than its own if they are given.

    ``provenance`` says where it came from, in words.
    """
    with publishing(path) as aside:
        write_tensors(*_contents(forecaster, provenance, weights), aside)


def fingerprint(forecaster: Forecaster) -> str:
    """The sha256 of a forecaster's checkpoint without provenance, written or not."""
    return hashlib.sha256(_bytes(*_contents(forecaster, {}))).hexdigest()


def _contents(
    forecaster: Forecaster, provenance: dict[str, str], weights: Mapping[str, Tensor] | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata."""
    scales = forecaster.normalizer
    tensors = {"mean": scales.mean, "std": scales.std, "tendency_std": scales.tendency_std, "static": forecaster.static}
    tensors |= {f"tendency_std.{hours}": std for hours, std in scales.others.items()}
    if forecaster.persistence:
        tensors["mean_state"] = forecaster.persistence.mean
        tensors |= {_named("kept", hours): share for hours, share in forecaster.persistence.kept.items()}
    if forecaster.global_means:
        for hours, memory in forecaster.global_means.memory.items():
            tensors |= {f"global.{name}.{hours}": value for name, value in memory._asdict().items()}
    named = forecaster.denoiser.state_dict() if weights is None else weights
    tensors |= {_WEIGHT + name: value for name, value in named.items()}
    metadata = {
        "format": FORMAT,
        "channels": json.dumps(forecaster.channels.names),
        "latitude": json.dumps(forecaster.grid.latitude),
        "longitude": json.dumps(forecaster.grid.longitude),
        "model": forecaster.model.model_copy(update={"damped": forecaster.persistence is not None}).model_dump_json(),
        "sampler": forecaster.sampler.model_dump_json(),
        "provenance": json.dumps(provenance),
    }
    return tensors, metadata


def load_checkpoint(path: Path) -> Forecaster:
    """Read a forecaster; no code in the file is run.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another format, or its weights do not fit its own config.
    """
    metadata, tensors = read_tensors(path)
    _require_format(metadata, path)
    try:
        return _assemble(metadata, tensors)
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, SphercastError) as error:
        found = f"{type(error).__name__}: {one_line(error)}"
        raise CheckpointError(f"the contents of {path} do not fit together ({found}); copy or train it anew") from error


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file, or a CheckpointError."""
    with _opened(path) as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        known = ", ".join(shipped()) or "none is shipped"
        raise CheckpointError(f"no checkpoint at {path}; give a .safetensors file, or a shipped one by name: {known}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file ({error}); copy or train it anew") from error


def write_tensors(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    """A safetensors file; equal contents give equal bytes, so that its sha256 names them."""
    path.write_bytes(_bytes(tensors, metadata))


def _bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    own = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    data = save(own, dict(metadata))
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(metadata.items()))  # the library's order changes from run to run
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return data[:8] + text.ljust(size) + data[8 + size :]


def shipped() -> dict[str, Path]:
    """Names and paths of the checkpoints inside the package."""
    folder = Path(str(files("forecast.checkpoints")))
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def find_checkpoint(name_or_path: str) -> Path:
    """A shipped checkpoint by name, or a path as it is."""
    return shipped().get(name_or_path, Path(name_or_path))


def provenance(path: Path) -> dict[str, str]:
    """What the checkpoint says of its origin, with the sha256 of the file itself; errors as of ``load_checkpoint``."""
    with _opened(path) as file:
        metadata = file.metadata() or {}
    _require_format(metadata, path)
    said: dict[str, str] = json.loads(metadata.get("provenance", "{}"))
    return {**said, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _require_format(metadata: Mapping[str, str], path: Path) -> None:
    if metadata.get("format") != FORMAT:
        found = repr(metadata.get("format"))
        raise FormatError(f"{path} has format {found}, expected {FORMAT!r}; train or copy it anew")


def one_line(error: Exception, longest: int = 200) -> str:
    """The error's message without line breaks; a KeyError says only the key."""
    text = " ".join(str(error).split())
    return text if len(text) <= longest else text[:longest] + "..."


def _assemble(metadata: dict[str, str], tensors: dict[str, Tensor]) -> Forecaster:
    channels = Channels.from_names(json.loads(metadata["channels"]))
    grid = Grid(tuple(json.loads(metadata["latitude"])), tuple(json.loads(metadata["longitude"])))
    model = ModelConfig.model_validate_json(metadata["model"])
    others = {hours: f"tendency_std.{hours}" for hours in model.other_step_hours}
    for name in ("mean", "std", "tendency_std", *others.values()):
        _require_shape(name, tensors[name], (len(channels), 1, 1))
    _require_shape("static", tensors["static"], (len(tensors["static"]), *grid.shape))
    forecaster = Forecaster.create(
        channels,
        grid,
        normalizer=Normalizer(
            tensors["mean"],
            tensors["std"],
            tensors["tendency_std"],
            {hours: tensors[name] for hours, name in others.items()},
        ),
        static=tensors["static"],
        model=model,
        sampler=SamplerConfig.model_validate_json(metadata["sampler"]),
    )
    if model.damped:
        forecaster = _with_climate(forecaster, tensors)
    weights = {name.removeprefix(_WEIGHT): value for name, value in tensors.items() if name.startswith(_WEIGHT)}
    forecaster.denoiser.load_state_dict({name: value.to(torch.float32) for name, value in weights.items()})
    forecaster.denoiser.eval()
    return forecaster


def _with_climate(forecaster: Forecaster, tensors: Mapping[str, Tensor]) -> Forecaster:
    """With its persistence and its global means."""
    model, channels, truncation = forecaster.model, len(forecaster.channels), forecaster.truncation
    kept = {hours: tensors[_named("kept", hours)] for hours in (None, *model.other_step_hours)}
    memory = {
        hours: Memory(*(tensors[f"global.{name}.{hours}"] for name in Memory._fields))
        for hours in (model.step_hours, *model.other_step_hours)
    }
    for share in kept.values():
        _require_shape("kept", share, (channels, truncation.shares))
    for each in memory.values():
        for name, shape in {"cycle": (channels, CYCLE), "kept": (channels,), "new": (channels, channels)}.items():
            _require_shape(f"global.{name}", getattr(each, name), shape)
    _require_shape("mean_state", tensors["mean_state"], (channels, *forecaster.grid.shape))
    return replace(
        forecaster,
        persistence=Persistence(truncation, tensors["mean_state"], kept),
        global_means=GlobalMeans.of(forecaster.channels, forecaster.grid, memory),
    )


def _named(name: str, hours: int | None) -> str:
    return name if hours is None else f"{name}.{hours}"


def _require_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise CheckpointError(f"{name} has shape {tuple(tensor.shape)}, expected {shape}")
