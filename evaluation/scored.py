"""One model's scores, out of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from evaluation.estimates import only
from evaluation.question import Question
from evaluation.score_files import models_in, read_attributes, sums_of
from evaluation.tally import FORECAST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import xarray as xr


@dataclass(frozen=True)
class Scored:
    """A model of a file of scores, under the name that people see.

    Attributes
    ----------
    sums
        By variable, each with the one model, called ``name``, read anew whenever it is asked for.
    question, about
        What was asked, and the file's attributes.
    """

    name: str
    sums: Mapping[str, xr.Dataset]
    question: Question
    about: dict[str, str]

    @property
    def members(self) -> str:
        """Its ensembles' sizes, e.g. ``10 members``; nothing for a baseline."""
        size = " or ".join(self.about.get("ensemble_size", "").split())
        return f"{size} {'member' if size == '1' else 'members'}" if size else ""


@dataclass(frozen=True)
class _InFile(Mapping[str, "xr.Dataset"]):
    """The sums of a model by variable; the file is open only while those of one are read."""

    path: Path
    model: str
    shown: str
    variables: tuple[str, ...]

    def __getitem__(self, variable: str) -> xr.Dataset:
        if variable not in self.variables:
            raise KeyError(variable)
        with sums_of(self.path, variable) as sums:
            return only(sums, [self.model]).load().assign_coords(model=[self.shown])

    def __contains__(self, variable: object) -> bool:
        return variable in self.variables

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)


def open_scored(path: Path, model: str = FORECAST, name: str | None = None) -> Scored:
    """A model of a file of 'sphercast score'.

    Raises
    ------
    ScoreError
        If the file is none, or lacks the model.
    """
    about, held = read_attributes(path), models_in(path)
    if model not in (models := names_of_models(held)):
        raise ScoreError(f"{path} holds the models {', '.join(models)}, not {model!r}; choose one of them")
    shown = name or (path.stem if model == FORECAST else model)
    own = _InFile(path, model, shown, tuple(variable for variable, others in held.items() if model in others))
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
    baselines = [model for model in names_of_models(models_in(paths[0])) if model != FORECAST]
    if not baselines:
        raise ScoreError(f"{paths[0]} holds no baseline, expected a second file of scores to compare with; give one")
    chosen = against or ("climatology" if "climatology" in baselines else baselines[0])
    return open_scored(paths[0], name=FORECAST), open_scored(paths[0], chosen)


def names_of_models(held: Mapping[str, Sequence[str]]) -> list[str]:
    """Of all variables, each once.

    >>> names_of_models({"2m_temperature": ["forecast", "persistence"], "geopotential": ["forecast"]})
    ['forecast', 'persistence']
    """
    return list(dict.fromkeys(model for models in held.values() for model in models))


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
