"""From sums to scores with all that is to be said about them; parts of the same question are put together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from evaluation.assemble import mean_statistics, sample_sizes, to_scores
from evaluation.pairs import minutes
from evaluation.question import Question
from evaluation.score_files import read_scores, read_sums
from evaluation.sums import combine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import xarray as xr

    from evaluation.sums import Sums

_JOINED = ("missing", "forecasts")
"""Attributes of parts that are put one after the other."""


@dataclass(frozen=True)
class Answer:
    """The scores, and the sums that they were made of, which can be put together with others'."""

    scores: xr.Dataset
    sums: Sums


def answer(sums: Sums, question: Question, about: Mapping[str, str]) -> Answer:
    """The scores that are made of ``sums``, with what is known ``about`` them as attributes."""
    scores = to_scores(sums, question.metrics, question.by)
    attributes = {
        "Conventions": "CF-1.11",
        "title": "area-weighted forecast scores",
        "initial_times": " ".join(minutes(time) for time in _initial_times(sums)),
        "invalid_values": _invalid_values(sums) or "none",
        "question": question.to_json(),
        **about,
    }
    return Answer(scores.merge(sample_sizes(sums, scores)).assign_attrs(attributes), sums)


def merge(paths: Sequence[Path]) -> Answer:
    """The scores of all parts, as if they had been made at once.

    Raises
    ------
    ScoreError
        If a file holds no sums, the parts were asked different questions, or an initial time occurs twice.
    """
    parts = [(path, read_scores(path).attrs, read_sums(path)) for path in paths]
    questions = {path: replace(_question(path, about), part=(1, 1)) for path, about, _ in parts}
    first, *others = questions.items()
    for path, asked in others:
        if asked != first[1]:
            raise ScoreError(f"{path} was asked {_difference(asked, first[1])}; score all parts alike")
    about = {name: str(text) for name, text in parts[0][1].items() if name not in {"question", "invalid_values"}}
    for name in _JOINED:
        texts = dict.fromkeys(str(attributes[name]) for _, attributes, _ in parts if attributes[name] != "none")
        about[name] = ("; " if name == "missing" else " ").join(texts) or "none"
    del about["initial_times"]
    return answer(combine([sums for _, _, sums in parts], first[1].by), first[1], about)


def _question(path: Path, attributes: Mapping[str, object]) -> Question:
    if "question" not in attributes:
        raise ScoreError(f"{path} does not say what was asked, expected a file of 'sphercast score'; score again")
    return Question.from_json(str(attributes["question"]))


def _difference(one: Question, other: Question) -> str:
    for name, value in asdict(one).items():
        if value != (theirs := asdict(other)[name]):
            return f"{name} {value}, the first {theirs}"
    return "something else"


def _initial_times(sums: Sums) -> list[np.datetime64]:
    return sorted({time for own in sums.values() for time in own["initial_time"].values})


def _invalid_values(sums: Sums) -> str:
    """Where a forecast is NaN or infinite although the truth is not, with the share of its values."""
    found = []
    for variable, own in sums.items():
        shares = mean_statistics(own[["total_missing", "weight_missing"]])["missing"].isel(region=0)
        if shares.sizes.get("lead_time", 0) == 0:
            continue
        for place in zip(*(shares > 0).values.nonzero(), strict=True):
            share = shares[place]
            level = f"_{int(share['level'])}" if "level" in share.coords else ""
            lead = float(share["lead_time"])
            found.append(f"{share['model'].item()} {variable}{level} +{lead:g} h: {float(share):.3g}")
    return "; ".join(found)
