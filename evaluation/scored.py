"""One model's scores, out of a file, and several side by side where all have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.estimates import only
from evaluation.pairs import minutes
from evaluation.question import Question
from evaluation.score_files import read_scores, read_sums
from evaluation.tally import FORECAST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evaluation.sums import Sums

_SAMPLES = 3
"""How many labels are named where many are lacking."""


@dataclass(frozen=True)
class Scored:
    """A model of a file of scores, under the name that people see.

    Attributes
    ----------
    sums
        By variable, each with the one model, called ``name``.
    question, about
        What was asked, and the file's attributes.
    """

    name: str
    sums: Sums
    question: Question
    about: dict[str, str]

    @property
    def members(self) -> str:
        """Its ensemble's size, e.g. ``10 members``; nothing for a baseline."""
        size = self.about.get("ensemble_size", "")
        return f"{size} {'member' if size == '1' else 'members'}" if size else ""


def open_scored(path: Path, model: str = FORECAST, name: str | None = None) -> Scored:
    """A model of a file of 'sphercast score'.

    Raises
    ------
    ScoreError
        If the file is none, or lacks the model.
    """
    about = {str(key): str(text) for key, text in read_scores(path).attrs.items()}
    sums = read_sums(path)
    models = models_of(sums)
    if model not in models:
        raise ScoreError(f"{path} holds the models {', '.join(models)}, not {model!r}; choose one of them")
    shown = name or (path.stem if model == FORECAST else model)
    own = {
        variable: only(held, [model]).assign_coords(model=[shown])
        for variable, held in sums.items() if model in held["model"].values
    }  # fmt: skip
    question = Question.from_json(about["question"]) if "question" in about else Question()
    if model != FORECAST:
        about = {key: text for key, text in about.items() if key != "ensemble_size"}
    return Scored(shown, own, question, about)


def open_pair(paths: Sequence[Path], against: str | None = None) -> tuple[Scored, Scored]:
    """The forecasts of two files, or of one file the forecast and a baseline: by default climatology, else the first.

    Raises
    ------
    ScoreError
        If there are more files, two and a baseline, or no baseline in one.
    """
    if len(paths) == 2 and against is None:
        ours, theirs = (open_scored(path, name=name) for path, name in zip(paths, distinct_names(paths), strict=True))
        return ours, theirs
    if len(paths) != 1:
        raise ScoreError(
            f"got {len(paths)} files{f' and the baseline {against}' if against else ''}, expected two files of scores, "
            "or one and a baseline in it"
        )
    baselines = [model for model in models_of(read_sums(paths[0])) if model != FORECAST]
    if not baselines:
        raise ScoreError(f"{paths[0]} holds no baseline, expected a second file of scores to compare with; give one")
    chosen = against or ("climatology" if "climatology" in baselines else baselines[0])
    return open_scored(paths[0], name=FORECAST), open_scored(paths[0], chosen)


def models_of(sums: Sums) -> list[str]:
    """Of all variables, each once.

    >>> models_of({"2m_temperature": xr.Dataset(coords={"model": ["forecast", "persistence"]})})
    ['forecast', 'persistence']
    """
    return list(dict.fromkeys(str(model) for own in sums.values() for model in own["model"].values))


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell them apart, without suffixes.

    >>> from pathlib import Path
    >>> distinct_names([Path("runs/old/scores.nc"), Path("runs/new/scores.nc")])
    ['old/scores', 'new/scores']
    """
    parts = [path.with_suffix("").parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-depth:]) for own in parts]
        if len(set(names)) == len(names):
            return names
    raise ScoreError(f"got {paths[0]} twice, expected files that differ; give each once")


def side_by_side(scored: Sequence[Scored]) -> tuple[Sums, list[str]]:
    """Sums of all models where all have them, and in words what only some have.

    Raises
    ------
    ScoreError
        If they have nothing in common, or different units.
    """
    variables = list(dict.fromkeys(name for one in scored for name in one.sums))
    lacking = [
        f"{one.name} lacks {', '.join(absent)}"
        for one in scored if (absent := [name for name in variables if name not in one.sums])
    ]  # fmt: skip
    common: Sums = {}
    for variable in variables:
        if all(variable in one.sums for one in scored):
            together, missing = _joined([one.sums[variable] for one in scored], variable)
            lacking += missing
            if together is not None:
                common[variable] = together
    if not common:
        raise ScoreError(
            f"nothing is in the scores of {' and '.join(one.name for one in scored)}: "
            f"{'; '.join(dict.fromkeys(lacking))}; score both alike"
        )
    return common, list(dict.fromkeys(lacking))


def _joined(sums: Sequence[xr.Dataset], variable: str) -> tuple[xr.Dataset | None, list[str]]:
    units = dict.fromkeys(str(own.attrs.get("units", "")) for own in sums)
    if len(units) > 1:
        raise ScoreError(f"{variable} is in {' and '.join(map(repr, units))}; score both in the same units")
    names = [str(own["model"].item()) for own in sums]
    lacking = []
    for dim in ("initial_time", "lead_time", "level", "region"):
        labels = [own[dim].values.tolist() if dim in own.dims else [] for own in sums]
        every = sorted({label for held in labels for label in held})
        for name, held in zip(names, labels, strict=True):
            absent = [label for label in every if label not in held]
            if absent:
                lacking.append(f"{name} lacks {_named(dim, absent)}")
    held = [name for name in sums[0].data_vars if all(name in own for own in sums)]
    aligned = xr.align(*[own[held] for own in sums], join="inner", exclude={"model"})
    if not held or any(size == 0 for size in aligned[0].sizes.values()):
        return None, lacking
    return xr.concat(aligned, "model", data_vars="all").assign_attrs(sums[0].attrs), lacking


def _named(dim: str, labels: list[Any]) -> str:
    """E.g. ``2 initial times (2020-01-01T00:00, 2020-01-02T00:00)``."""
    shown = [_label(dim, label) for label in labels[:_SAMPLES]] + ["..."] * (len(labels) > _SAMPLES)
    return f"{len(labels)} {dim.replace('_', ' ')}{'s' if len(labels) > 1 else ''} ({', '.join(shown)})"


def _label(dim: str, label: Any) -> str:
    if dim == "initial_time":
        return minutes(np.datetime64(label, "ns"))
    return {"lead_time": f"+{label} h", "level": f"{label} hPa"}.get(dim, str(label))
