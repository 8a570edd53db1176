"""Where to compute."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from data_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def choose_device(asked: str | None = None) -> str:
    """The device that is ``asked`` for; else a GPU, each process of torchrun its own, or the CPU where there is none.

    Raises
    ------
    ConfigError
        If there is no such device.

    >>> choose_device("cpu")
    'cpu'
    """
    count = torch.cuda.device_count()
    if asked is None:
        return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % count}" if count else "cpu"
    here = ["cpu", *(["cuda"] if count else []), *(f"cuda:{number}" for number in range(count))]
    if asked not in here:
        raise ConfigError(f"got device {asked!r}, expected one of: {', '.join(here)}; choose one that is there")
    return asked


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bfloat16; elsewhere torch emulates it, slower than float32."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older ones do not tell
    return any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
