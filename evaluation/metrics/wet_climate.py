"""What precipitation is usual at a place and time, as SEEPS asks: how often it is dry, and how much is heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.metrics.exceedance import beyond

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.metrics.forms import Floats, Numbers

LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of the climate's quantiles that its share of dry days and its threshold of heavy precipitation are found from."""


class WetClimate(NamedTuple):
    """What precipitation is usual: of each point the share of dry days, and the amount above which it is heavy.

    Both (latitude, longitude); a wet day is light twice as often as heavy, so that the threshold is the quantile of
    level 2/3 of wet days, (2 + p_1)/3 of all days.
    """

    dry_share: Floats
    """p_1"""
    heavy: Floats

    @classmethod
    def of_amounts(cls, amounts: Numbers, dry: float) -> WetClimate:
        """From amounts (time, ...) of past days, of which those up to ``dry`` are dry.

        The threshold is NaN where it is always dry, both are where an amount is missing.

        >>> climate = WetClimate.of_amounts(np.array([[0.0], [0.0], [1.0], [2.0], [3.0], [4.0]]), 0.25)
        >>> climate.dry_share.round(3).tolist(), climate.heavy.tolist()
        ([0.333], [3.0])
        """
        known = np.isfinite(amounts).all(axis=0)
        is_dry = ~beyond(amounts, np.asarray(dry, dtype=np.float64))
        share = np.where(known, is_dry.mean(axis=0), np.nan)
        ascending = np.sort(np.where(is_dry, -np.inf, amounts), axis=0)
        wet = len(amounts) - is_dry.sum(axis=0)
        place = is_dry.sum(axis=0) + 2 / 3 * (wet - 1)
        low = np.clip(np.floor(place).astype(int), 0, len(amounts) - 1)
        high = np.minimum(low + 1, len(amounts) - 1)
        below, above = (np.take_along_axis(ascending, index[None], axis=0)[0] for index in (low, high))
        with np.errstate(invalid="ignore"):
            heavy = below + (above - below) * (place - low)
        return cls(share, np.where(known & (wet > 0), heavy, np.nan))

    @classmethod
    def of_quantiles(cls, levels: Sequence[float], quantiles: Numbers, dry: float) -> WetClimate:
        """From quantiles (level, ...) of all days, dry ones too, linear between them; 0 or 1 beyond the levels.

        The threshold is NaN where its level (2 + p_1)/3 is above the levels.
        """
        amounts = np.asarray(quantiles, dtype=np.float64)
        probability = np.empty_like(amounts)
        probability[:] = np.reshape(levels, (-1, *(1 for _ in amounts.shape[1:])))
        count = (amounts <= dry).sum(axis=0)
        share = _between(amounts, probability, np.full(amounts.shape[1:], dry), count)
        share = np.where(count == 0, 0.0, np.where(count == len(amounts), 1.0, share))
        wanted = (2 + share) / 3
        heavy = _between(probability, amounts, wanted, np.asarray(np.searchsorted(levels, wanted, side="right")))
        known = np.isfinite(amounts).all(axis=0)
        return cls(np.where(known, share, np.nan), np.where(known & (wanted <= levels[-1]), heavy, np.nan))

    @classmethod
    def of_weatherbench2(cls, climatology: xr.Dataset, time: np.datetime64, name: str) -> WetClimate:
        """From WeatherBench2's climatology by hour and dayofyear, which has ``<name>_seeps_dry_fraction`` and so on.

        As there, the share of dry days is the mean over the year, the threshold that of the hour and day of the year.

        Raises
        ------
        ScoreError
            If one of the two is not there.
        """
        wanted = [f"{name}_seeps_{part}" for part in ("dry_fraction", "threshold")]
        lacking = [part for part in wanted if part not in climatology]
        if lacking:
            raise ScoreError(f"the climatology lacks {', '.join(lacking)}; give WeatherBench2's, made with SEEPS")
        stamp = climatology["hour"].dtype.type((time - time.astype("datetime64[D]")) / np.timedelta64(1, "h"))
        day = int((time.astype("datetime64[D]") - time.astype("datetime64[Y]")).astype(int)) + 1
        share = climatology[wanted[0]].mean(["hour", "dayofyear"])
        heavy = climatology[wanted[1]].sel(hour=stamp, dayofyear=day)
        return cls(*(part.transpose("latitude", "longitude").values.astype(np.float64) for part in (share, heavy)))


def _between(positions: Floats, values: Floats, wanted: Floats, above: NDArray[np.intp]) -> Floats:
    """Values (level, ...) at ``wanted`` (...), linear between the positions (level, ...) below it and ``above``."""
    upper = np.clip(above, 1, len(positions) - 1)[None]
    (x0, x1), (y0, y1) = (
        [np.take_along_axis(field, index, axis=0)[0] for index in (upper - 1, upper)] for field in (positions, values)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(x1 > x0, (wanted - x0) / (x1 - x0), 0.0)
    return np.asarray(y0 + (y1 - y0) * share, dtype=np.float64)
