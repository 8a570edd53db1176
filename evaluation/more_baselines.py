"""Baselines by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from evaluation.analogs import AnalogEnsemble
from evaluation.baselines import ClimatologyMean, GaussianClimatology, Persistence
from evaluation.climate import Season
from evaluation.damped_persistence import DampedPersistence
from evaluation.probabilistic_climatology import ProbabilisticClimatology
from evaluation.record import Record
from evaluation.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr

    from evaluation.baselines import Baseline
    from evaluation.climate import Climatology
    from evaluation.pairs import Match


@dataclass(frozen=True)
class Given:
    """What baselines are made of."""

    truth: Record
    matches: Sequence[Match]
    settings: Settings
    climatology: Climatology | None
    held: Season | None = None

    def known_climatology(self, name: str) -> Climatology:
        """The climatology, or a ScoreError that the baseline ``name`` needs one."""
        if self.climatology is None:
            raise ScoreError(
                f"the baseline {name} needs a climatology, and there is none; give one with --climatology, or leave it "
                "out"
            )
        return self.climatology

    def season(self, name: str) -> Season:
        """The climatology, time after time: the same for all, so that each time is evaluated once."""
        return self.held or Season(self.known_climatology(name), self.truth.grid)


BASELINES: dict[str, Callable[[Given], Baseline]] = {
    "persistence": lambda given: Persistence(given.truth),
    "climatology": lambda given: GaussianClimatology(given.season("climatology")),
    "climatology_mean": lambda given: ClimatologyMean(given.season("climatology_mean")),
    "probabilistic_climatology": lambda given: ProbabilisticClimatology(given.truth, given.settings),
    "damped_persistence": lambda given: DampedPersistence(
        given.truth, given.known_climatology("damped_persistence"), given.matches, given.held
    ),
    "analogs": lambda given: AnalogEnsemble(given.truth, given.matches, given.settings),
}


def default_baselines(climatology: Climatology | None) -> tuple[str, ...]:
    """Persistence, and climatology where there is one.

    >>> default_baselines(None)
    ('persistence',)
    """
    return ("persistence",) if climatology is None else ("persistence", "climatology")


def baselines(
    names: Sequence[str],
    truth: xr.Dataset,
    climatology: Climatology | None,
    matches: Sequence[Match],
    settings: Settings = Settings(),  # noqa: B008, frozen
    season: Season | None = None,
) -> list[Baseline]:
    """The baselines called ``names``, each once, in this order; none if there is nothing to score.

    They share what they read of the truth, and the ``season`` of the climatology with the caller, if it has one.

    Raises
    ------
    ScoreError
        If there is no such baseline, or it needs a climatology and there is none.
    """
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise ScoreError(f"unknown baseline {', '.join(unknown)}; expected some of: {', '.join(BASELINES)}")
    if not matches:
        return []
    record = Record(truth, list(dict.fromkeys(match.channel for match in matches)))
    given = Given(record, matches, settings, climatology, season)
    return [BASELINES[name](given) for name in dict.fromkeys(names)]
