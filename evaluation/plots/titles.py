"""The words on a map: what is shown, when it started, when it is valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.style import Style


def quantity(ensemble: EnsembleField) -> str:
    """Variable with its level, e.g. ``'500 hPa geopotential height'``."""
    return ensemble.style.title if ensemble.level is None else f"{ensemble.level} hPa {ensemble.style.title}"


def headline(ensemble: EnsembleField, what: str) -> str:
    """First line, e.g. ``'500 hPa geopotential height: ensemble mean'``."""
    return _capitalised(f"{quantity(ensemble)}: {what}")


def probability_headline(ensemble: EnsembleField, threshold: float, *, above: bool) -> str:
    """First line of a probability map: 'at or above' is >=, its complement is <."""
    sign = "≥" if above else "<"
    return f"Probability of {quantity(ensemble)} {sign} {number(threshold)} {ensemble.style.units}"


def times(ensemble: EnsembleField) -> str:
    """Second line: initial time, valid time, lead and size of the ensemble."""
    count = len(ensemble.members)
    people = "1 member" if count == 1 else f"{count} members"
    moments = f"Init {_moment(ensemble.initial_time)}   Valid {_moment(ensemble.valid_time)}"
    return f"{moments}   T+{ensemble.lead:g} h   {people}"


def bar_label(style: Style, what: str = "") -> str:
    """Label of a colour bar, always with units."""
    return _capitalised(f"{what or style.title} ({style.units})")


def number(value: float) -> str:
    """Without trailing zeros, and with a true minus sign, e.g. ``'−7.5'``."""
    return f"{round(value, 9):g}".replace("-", "−")


def _moment(time: pd.Timestamp) -> str:
    """E.g. ``'2001-01-05 00 UTC'``; with minutes only where there are any."""
    return time.strftime("%Y-%m-%d %H UTC" if time.minute == 0 else "%Y-%m-%d %H:%M UTC")


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
