"""Which climatology forecasts are scored beside: of a store's two, the one with quantiles where scores need them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.channels import inventory
from data_pipeline.climatology_reading import DAY_OF_YEAR, open_climatology
from data_pipeline.errors import ScoreError
from data_pipeline.reading import find_climatology, is_store_path
from data_pipeline.store import open_store
from evaluation.answerable import check_variables
from evaluation.climate import has_quantiles
from evaluation.metrics.registry import metric
from evaluation.other_years import ClimatologyOfTruth

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.climate import Climatology
    from evaluation.question import Question

OTHER_YEARS = "truth"
"""The name of the climatology that is made of the truth's other years."""


@dataclass(frozen=True)
class Chosen:
    """A climatology, if there is one, where it is, and why it is not the one that is usually taken."""

    climatology: Climatology | None
    path: str = "none"
    why: str = ""


def choose_climatology(asked: str | None, truth: str, states: xr.Dataset, question: Question) -> Chosen:
    """The climatology to score beside.

    Parameters
    ----------
    asked
        A path, or ``truth`` for the truth's other years; by default what belongs to the truth.
    truth, states
        The truth's path, and what is there.
    question
        Whose scores may need quantiles. A store's harmonics have none: its climatology by hour and day of the year
        is then taken in their place.

    Raises
    ------
    ScoreError
        If a score needs quantiles and there are none, or no variable can have it anyway.
    DataError
        If the path that is asked for holds no climatology.
    """
    if asked == OTHER_YEARS:
        return Chosen(ClimatologyOfTruth(states), OTHER_YEARS)
    path = asked or truth
    held = [str(name) for name in question.variables or states.data_vars if name in states]
    found = find_climatology(truth) if asked is None else open_climatology(asked, inventory(states[held]) or None)
    needy = [name for name in question.metrics if "quantiles" in metric(name).needs]
    if not needy or has_quantiles(found):
        return Chosen(found, "none" if found is None else path)
    ask = f"{', '.join(needy)} {'needs' if len(needy) == 1 else 'need'} quantiles"
    if _has_day_of_year(path):
        richer = open_climatology(f"{path}/{DAY_OF_YEAR}")
        if has_quantiles(richer):
            return Chosen(richer, f"{path}/{DAY_OF_YEAR}", ask)
    check_variables(question, question.variables or [str(name) for name in states.data_vars])
    raise ScoreError(f"{ask} of the climatology, and {_without(path, found)}")


def _has_day_of_year(path: str) -> bool:
    return is_store_path(path) and DAY_OF_YEAR in open_store(Path(path)).group


def _without(path: str, found: object) -> str:
    """Why there are none, and how to get some."""
    others = f"pass --climatology {OTHER_YEARS} for the truth's other years"
    if is_store_path(path):
        section = (
            "'quantiles' in the section 'climatology' of" if _has_day_of_year(path) else "a section 'climatology' in"
        )
        return f"{path} was built without {section} its config; add it and build the store again, or {others}"
    held = "has no climatology" if found is None else "has a climatology without them"
    return f"{path} {held}; build a store with a section 'climatology', pass it with --climatology, or {others}"
