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
    return capital(f"{quantity(ensemble)}: {what}")


def statistic(ensemble: EnsembleField) -> str:
    """What the mean of these members is: an ensemble mean, one member of several, or the only forecast there is."""
    if len(ensemble.members) > 1:
        return "ensemble mean"
    return "single forecast" if ensemble.size == 1 else f"member {ensemble.members[0]}"


def everyone(ensemble: EnsembleField) -> str:
    """All members, or the one that there is."""
    return "all members" if len(ensemble.members) > 1 else statistic(ensemble)


def probability_headline(ensemble: EnsembleField, threshold: float, *, above: bool) -> str:
    """First line of a probability map: 'at or above' is >=, its complement is <."""
    return f"Probability of {quantity(ensemble)} {_sign(above)} {number(threshold)} {ensemble.style.units}"


def climate_headline(ensemble: EnsembleField, level: float, *, above: bool) -> str:
    """First line of a probability that is relative to what is usual at the place and time of the year."""
    return f"Probability of {quantity(ensemble)} {_sign(above)} the climate's {percent(level)} quantile"


def times(ensemble: EnsembleField) -> str:
    """Second line: initial time, valid time, lead and size of the ensemble."""
    count, size = len(ensemble.members), ensemble.size
    people = f"{count} member{'s' if count != 1 else ''}" if count == size else f"{count} of {size} members"
    moments = f"Init {moment(ensemble.initial_time)}   Valid {moment(ensemble.valid_time)}"
    return f"{moments}   T+{ensemble.lead:g} h   {people}"


def bar_label(style: Style, what: str = "") -> str:
    """Label of a colour bar, always with units."""
    return capital(f"{what or style.title} ({style.units})")


def field_label(ensemble: EnsembleField) -> str:
    """Label of a colour bar on a map of several fields, e.g. ``'850 hPa temperature (°C)'``."""
    return capital(f"{quantity(ensemble)} ({ensemble.style.units})")


def number(value: float) -> str:
    """Without trailing zeros, and with a true minus sign, e.g. ``'−7.5'``."""
    return f"{round(value, 9):g}".replace("-", "−")


def percent(level: float) -> str:
    """A level of quantiles as people write it, e.g. ``'90 %'``."""
    return f"{number(100 * level)} %"


def moment(time: pd.Timestamp) -> str:
    """E.g. ``'2001-01-05 00 UTC'``; with minutes only where there are any."""
    return time.strftime("%Y-%m-%d %H UTC" if time.minute == 0 else "%Y-%m-%d %H:%M UTC")


def _sign(above: bool) -> str:
    return "≥" if above else "<"


def capital(text: str) -> str:
    """The text with a capital letter in front."""
    return text[0].upper() + text[1:]
