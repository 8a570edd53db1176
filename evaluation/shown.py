"""Names and units in which people read scores, and leads that fit on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.variables import GRAVITY
from evaluation.improvement import MEANING
from evaluation.metrics.registry import metric
from evaluation.plots.style import STYLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.metrics.definitions import Direction

_UNITS: dict[str, tuple[float, str]] = {
    "m2 s-2": (1 / GRAVITY, "m"),
    "Pa": (1e-2, "hPa"),
    "kg kg-1": (1e3, "g/kg"),
    "m s-1": (1.0, "m/s"),
    "s-1": (1e5, "10⁻⁵ s⁻¹"),
    "m": (1e3, "mm"),
    "1": (1.0, ""),
}
"""Scale and name, for the SI units of the files; geopotential is shown as height."""

_METRICS = {"standard_crps": "CRPS of the members", "spread_skill": "spread/skill"}
_SHORT = {"crps", "rmse", "mae", "rms", "acc", "sedi", "edi", "seds", "csi", "ets", "hss", "fss", "efi", "roc", "seeps"}
"""Words that are written in capitals."""
_NAMES = {"brier", "gaussian", "dawid", "sebastiani"}


def units(name: str, stored: str) -> tuple[float, str]:
    """What to multiply a metric's values by, and the units that they then have.

    >>> units("crps", "Pa"), units("spread_skill", "1")
    ((0.01, 'hPa'), (1.0, ''))
    """
    if metric(name).units != "variable":
        return 1.0, "" if stored == "1" else stored
    return shown_units(stored)


def shown_units(stored: str) -> tuple[float, str]:
    """What to multiply values of a variable by, and the units that they then have, of the units in the files.

    >>> shown_units("Pa"), shown_units("K")
    ((0.01, 'hPa'), (1.0, 'K'))
    """
    return _UNITS.get(stored, (1.0, stored))


def is_share(direction: Direction) -> bool:
    """Whether an improvement is a share of a score, in per cent, and no difference of scores, in hundredths."""
    return MEANING[direction].startswith("%")


def gain_unit(direction: Direction, stored: str) -> str:
    """Of the numbers of an improvement, by the direction of the score and its units in the files.

    >>> gain_unit("lower", "K"), gain_unit("higher", "1"), gain_unit("higher", "K")
    ('%', 'hundredths', 'hundredths of K')
    """
    if is_share(direction):
        return "%"
    return "hundredths" if stored == "1" else f"hundredths of {stored}"


def score_name(name: str) -> str:
    """Of a metric, as it is written in a title.

    >>> score_name("rmse"), score_name("quantile_score"), score_name("almost_fair_crps")
    ('RMSE', 'quantile score', 'almost fair CRPS')
    """
    words = (
        word.upper() if word in _SHORT else word.capitalize() if word in _NAMES else word for word in name.split("_")
    )
    return _METRICS.get(name, " ".join(words))


def field_name(variable: str, level: float | None = None) -> str:
    """E.g. ``500 hPa geopotential height``."""
    title = STYLES[variable].title if variable in STYLES else variable.replace("_", " ")
    return title if level is None else f"{level:g} hPa {title}"


def chosen_leads(hours: Sequence[float], most: int) -> list[int]:
    """Positions of at most so many leads: all, else whole days, else evenly spaced ones; the last is always there.

    >>> chosen_leads([6.0, 12.0, 18.0, 24.0, 48.0], 3)
    [3, 4]
    >>> chosen_leads([6.0, 12.0, 18.0], 2)
    [0, 2]
    """
    whole = [place for place, hour in enumerate(hours) if hour % 24 == 0 or place == len(hours) - 1]
    candidates = list(range(len(hours))) if len(hours) <= most or not any(hour % 24 == 0 for hour in hours) else whole
    if len(candidates) <= most:
        return candidates
    return [candidates[place] for place in np.unique(np.linspace(0, len(candidates) - 1, most).round().astype(int))]


def lead_name(hours: float) -> str:
    """E.g. ``5 d``, ``+6 h``.

    >>> lead_name(120.0), lead_name(6.0)
    ('5 d', '6 h')
    """
    return f"{hours / 24:g} d" if hours % 24 == 0 and hours else f"{hours:g} h"


def capital(text: str) -> str:
    """With a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def times_line(times: Sequence[str]) -> str:
    """How many initial times, and from when to when.

    >>> times_line(["2001-01-02T00:00", "2001-07-20T12:00"])
    '2 initial times, 2001-01-02 00:00 to 2001-07-20 12:00 UTC'
    """
    shown = [time.replace("T", " ") for time in times]
    if len(shown) == 1:
        return f"1 initial time, {shown[0]} UTC"
    return f"{len(shown)} initial times, {shown[0]} to {shown[-1]} UTC"
