"""The scorecard of a comparison, written as HTML, PNG or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from data_pipeline.publish import write_text
from evaluation.card_page import card_page
from evaluation.comparison_text import MOST_REGIONS, comparison_csv, groups, regions
from evaluation.plots.canvas import save
from evaluation.plots.card import card_figure

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.compare import Comparison


def write_scorecard(comparison: Comparison, out: Path) -> None:
    """Write ``out`` whole or not at all, in the format that its suffix says.

    Raises
    ------
    ScoreError
        If the suffix is another, or no cell holds a number.
    """
    if out.suffix.lower() not in {".html", ".png", ".csv"}:
        raise ScoreError(f"got {out.name}, expected a scorecard's name that ends in .html, .png or .csv")
    if all(own["improvement"].isnull().all() for own in comparison.cells.values()):
        raise ScoreError(
            f"no score of {comparison.ours} can be set against one of {comparison.theirs}: all are missing or of zero; "
            "choose others with --scores"
        )
    count = len(regions(comparison)) * len(groups(comparison))
    if count > MOST_REGIONS and out.suffix.lower() != ".csv":
        raise ScoreError(
            f"got scores of {count} regions{' and groups' * (groups(comparison) != [None])}, expected at most "
            f"{MOST_REGIONS} on a card; score fewer, or write .csv"
        )
    if out.suffix.lower() == ".png":
        save(card_figure(comparison), out)
    else:
        write_text(out, card_page(comparison) if out.suffix.lower() == ".html" else comparison_csv(comparison))
