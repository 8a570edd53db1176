"""What is asked of forecasts."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from data_pipeline.errors import ScoreError
from evaluation.metrics.registry import DEFAULT_METRICS
from evaluation.settings import Settings
from evaluation.sums import BY


@dataclass(frozen=True)
class Question:
    """Which scores, of what, where, grouped how, and how strictly.

    Attributes
    ----------
    metrics, variables
        Names; no variables: all.
    regions
        Names as in ``evaluation.regions``; ``map`` alone: every point by itself.
    grid
        To score on, as ``sphercast data regrid --to`` takes it; none: the coarsest of forecasts and truth.
    by
        ``season``, ``month`` or ``hour``: scores of each group beside each other.
    baselines
        Names as in ``evaluation.more_baselines``; none: persistence, and climatology where there is one.
    allow_missing
        Score what matches and can be read and list the rest, instead of refusing.
    without_members
        Numbers of members of the forecasts that are left out, such as the control's.
    part
        (i, n): only every n-th initial time, from the i-th on, counted from 1.
    settings
        Numbers that scores depend on.
    """

    metrics: tuple[str, ...] = DEFAULT_METRICS
    variables: tuple[str, ...] | None = None
    regions: tuple[str, ...] = ("global",)
    grid: str | None = None
    by: str | None = None
    baselines: tuple[str, ...] | None = None
    allow_missing: bool = False
    without_members: tuple[int, ...] = ()
    part: tuple[int, int] = (1, 1)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        number, count = self.part
        if not 1 <= number <= count:
            raise ScoreError(f"got part {number}/{count}, expected i/n with 1 <= i <= n")
        if self.by is not None and self.by not in BY:
            raise ScoreError(f"got --by {self.by!r}, expected one of {', '.join(BY)}")
        if len(set(self.without_members)) < len(self.without_members):
            raise ScoreError(f"got the members {self.without_members} to leave out, expected each once")

    @property
    def is_map(self) -> bool:
        """Whether every point is scored by itself."""
        return self.regions == ("map",)

    def to_json(self) -> str:
        """As text that ``from_json`` reads back."""
        return _QUESTIONS.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Question:
        """The inverse of ``to_json``.

        Raises
        ------
        ScoreError
            If it is of another version of this program.
        """
        try:
            return _QUESTIONS.validate_json(text)
        except ValidationError as error:
            raise ScoreError(f"the question cannot be read ({error.errors()[0]['msg']}); score again") from error


_QUESTIONS = TypeAdapter(Question)
