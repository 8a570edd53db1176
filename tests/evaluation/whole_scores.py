"""Scores of files from end to end, as tests ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.question import Question
from evaluation.score import score

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from evaluation.answer import Answer


def answered(
    paths: list[Path], truth: xr.Dataset, *, climatology=None, progress=False, kept=None, **question
) -> Answer:
    asked = {name: tuple(value) if isinstance(value, list) else value for name, value in question.items()}
    return score(paths, truth, Question(**asked), climatology=climatology, progress=progress, kept=kept)


def scored(paths: list[Path], truth: xr.Dataset, **options) -> xr.Dataset:
    """The scores of the whole globe."""
    return answered(paths, truth, **options).scores.isel(region=0, drop=True)
