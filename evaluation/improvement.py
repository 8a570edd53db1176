"""How much better one score is than another, in per cent, whichever way is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.metrics.definitions import Direction

MEANING: dict[Direction, str] = {
    "lower": "% of the other's score",
    "higher": "hundredths of the score",
    "zero": "% of the larger size",
    "one": "hundredths nearer to 1",
}
"""Of an improvement, by the direction of the score."""


ROUNDING = 1e-9
"""Per cent: what is smaller is no difference but the last digits of the scores."""


def improvement(ours: xr.DataArray, theirs: xr.DataArray, direction: Direction) -> xr.DataArray:
    """Positive where ours is better; NaN where it is divided by a score of zero.

    ``100 (theirs - ours)/|theirs|`` if lower is better, which is the skill score in per cent;
    ``100 (|theirs| - |ours|)/max(|theirs|, |ours|)`` if zero is best, as a bias near zero would divide by nothing;
    ``100 (ours - theirs)`` if higher is better; ``100 (|theirs - 1| - |ours - 1|)`` if one is.

    >>> import xarray as xr
    >>> float(improvement(xr.DataArray(0.8), xr.DataArray(1.0), "lower").round(9))
    20.0
    >>> float(improvement(xr.DataArray(0.8), xr.DataArray(1.2), "one").round(9))
    0.0
    """
    gain = _gain(ours, theirs, direction)
    return gain.where(~(abs(gain) <= ROUNDING), 0.0)


def _gain(ours: xr.DataArray, theirs: xr.DataArray, direction: Direction) -> xr.DataArray:
    match direction:
        case "lower":
            return 100 * (theirs - ours) / abs(theirs.where(theirs != 0))
        case "zero":
            larger = abs(ours).where(abs(ours) > abs(theirs), abs(theirs))
            return 100 * (abs(theirs) - abs(ours)) / larger.where(larger > 0)
        case "one":
            return 100 * (abs(theirs - 1) - abs(ours - 1))
        case "higher":
            return 100 * (ours - theirs)
        case _:
            return theirs * float("nan")  # neither way is better
