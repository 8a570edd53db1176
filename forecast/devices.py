"""Where to compute."""

from __future__ import annotations

import os

import torch

from data_pipeline.errors import ConfigError


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
