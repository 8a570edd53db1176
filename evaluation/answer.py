"""From sums to scores with all that is to be said about them; parts of the same question are put together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.aggregate import on_map
from evaluation.answerable import check_sizes
from evaluation.assemble import mean_statistics, sample_sizes, to_scores
from evaluation.combine import combine
from evaluation.pairs import minutes
from evaluation.question import Question
from evaluation.score_files import SumsFiles, read_scores
from evaluation.unobserved import unobserved_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import xarray as xr

    from evaluation.sums import Sums

_JOINED = {"missing": "; ", "climatology_overlap": "; ", "forecasts": " "}
"""Attributes of parts that are put one after the other, and what stands between them."""
_ALIKE = {"grid": "on the", "truth_source": "against the truth", "climatology": "beside the climatology"}
"""Attributes in which parts must not differ, and how that is said."""


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
        "unobserved_values": "; ".join(unobserved_values(sums, by_point=question.is_map)) or "none",
        "question": question.to_json(),
        **about,
    }
    return Answer(scores.merge(sample_sizes(sums, scores, question.by)).assign_attrs(attributes), sums)


def merge(paths: Sequence[Path], *, allow_missing: bool = False, into: Path | None = None) -> Answer:
    """The scores of all parts, as if they had been made at once.

    With ``allow_missing`` the parts may be incomplete; those that lack are listed in the attribute ``missing``. The
    sums are put together in memory, or in the file ``into``, of which the answer's are read when they are asked for.

    Raises
    ------
    ScoreError
        If a file holds no sums, one of n parts lacks, the parts were asked different questions, are of different
        grids, truths or models, an initial time occurs twice, or scores cannot be had of ensembles of several sizes.
    """
    parts = {path: read_scores(path) for path in paths}
    asked_each = {path: _question(path, scores.attrs) for path, scores in parts.items()}
    lacking = _lacking_parts([asked.part for asked in asked_each.values()])
    if lacking and not allow_missing:
        raise ScoreError(f"{lacking}; score and give all parts, or pass --allow-missing to merge the others")
    questions = {path: replace(asked, part=(1, 1)) for path, asked in asked_each.items()}
    first, *others = questions.items()
    for path, asked in others:
        if asked != first[1]:
            raise ScoreError(f"{path} was asked {_difference(asked, first[1])}; score all parts alike")
    about = _together({path: scores.attrs for path, scores in parts.items()})
    check_sizes(first[1], [int(size) for size in about["ensemble_size"].split()])
    if lacking:
        about["missing"] = lacking if about["missing"] == "none" else f"{about['missing']}; {lacking}"
    merged = answer(combine(SumsFiles(tuple(paths)), first[1].by, into), first[1], about)
    return replace(merged, scores=on_map(merged.scores, Grid.of(parts[first[0]]))) if first[1].is_map else merged


def _lacking_parts(parts: Sequence[tuple[int, int]]) -> str:
    """The parts of n that are not there; nothing is known of files that were scored whole or merged before.

    >>> _lacking_parts([(1, 3), (3, 3)]), _lacking_parts([(1, 1)])
    ('part 2/3 is not there', '')
    """
    counts = {count for _, count in parts}
    if len(counts) > 1 or counts == {1}:
        return ""
    count = counts.pop()
    names = [f"{number}/{count}" for number in range(1, count + 1) if (number, count) not in parts]
    return (
        f"part{'s' if len(names) > 1 else ''} {', '.join(names)} {'are' if len(names) > 1 else 'is'} not there"
        if (names)
        else ""
    )


def _together(attributes: Mapping[Path, Mapping[str, object]]) -> dict[str, str]:
    """What is to be said of all parts."""
    (path, first), *others = attributes.items()
    for name, words in _ALIKE.items():
        for other, own in others:
            if own.get(name) != first.get(name):
                raise ScoreError(
                    f"{other} was scored {words} {own.get(name, 'none')}, {path} {words} {first.get(name, 'none')}; "
                    "score all parts alike"
                )
    made_here = {"question", "invalid_values", "unobserved_values", "initial_times"}
    about = {name: str(text) for name, text in first.items() if name not in made_here}
    for name in about.keys() & _JOINED.keys():
        texts = dict.fromkeys(str(own[name]) for own in attributes.values() if own.get(name, "none") != "none")
        about[name] = _JOINED[name].join(texts) or "none"
    if all("unreadable_fields" in own for own in attributes.values()):
        counts = [str(own["unreadable_fields"]).split(" of ") for own in attributes.values()]
        about["unreadable_fields"] = " of ".join(str(sum(map(int, column))) for column in zip(*counts, strict=True))
    sizes = {int(size) for own in attributes.values() for size in str(own["ensemble_size"]).split()}
    return {**about, "ensemble_size": " ".join(map(str, sorted(sizes)))}


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
    """Where a forecast is NaN or infinite although the truth is not, with the share of its values.

    Of several regions, that in which it is largest.
    """
    found = []
    for variable, own in sums.items():
        shares = mean_statistics(own[["total_missing", "weight_missing"]])["missing"].max("region")
        if shares.sizes.get("lead_time", 0) == 0:
            continue
        for place in zip(*(shares > 0).values.nonzero(), strict=True):
            share = shares[place]
            level = f"_{int(share['level'])}" if "level" in share.coords else ""
            lead = float(share["lead_time"])
            found.append(f"{share['model'].item()} {variable}{level} +{lead:g} h: {float(share):.3g}")
    return "; ".join(found)
