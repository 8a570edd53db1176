"""What cannot be answered is refused before anything is read."""

from __future__ import annotations

import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.answerable import check_answerable, check_map_fits, check_metres
from evaluation.question import Question
from evaluation.settings import Settings


class Plain:
    """A climatology without quantiles."""

    def at(self, times):
        raise NotImplementedError


class WithQuantiles(Plain):
    def quantiles_at(self, times):
        raise NotImplementedError


def check(*metrics: str, sizes=(4,), climatology=None, variables=("2m_temperature",), **changes) -> None:
    check_answerable(Question(metrics=metrics, **changes), sizes, climatology, variables)


def test_what_can_be_answered_passes() -> None:
    check("crps", "rank_histogram", "rmse")
    check("acc", climatology=Plain())
    check("climate_brier_score", climatology=WithQuantiles())
    check("pit_histogram", "crps", sizes=(4, 10))
    check("brier_score", settings=Settings(thresholds={"2m_temperature": (280.0,)}))
    check("rmse", "crps", regions=("map",))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda: check("crps", "rmse", sizes=(1, 4)), "crps cannot be had from 1 member, at least 2 are expected"),
        (lambda: check("fair_gaussian_log_score", sizes=(3,)), "cannot be had from 3 members, at least 4"),
        (lambda: check("rank_histogram", sizes=(4, 10)), "needs ensembles of one size, got sizes 4, 10; score them"),
        (lambda: check("acc"), "^acc needs a climatology, and there is none; give one with --climatology"),
        (lambda: check("climate_brier_score", climatology=Plain()), "needs quantiles, and the climatology has none"),
        (lambda: check("crps", "brier_score"), "^brier_score needs thresholds, and there are none for 2m_temperature;"),
        (lambda: check("brier_score", "roc_area"), "^brier_score, roc_area need thresholds, and there are none for"),
        (
            lambda: check("seeps", climatology=WithQuantiles()),
            "^seeps needs total_precipitation or total_precipitation_24hr, and got 2m_temperature; score one of",
        ),
        (lambda: check("seeps", climatology=Plain()), "^seeps needs total_precipitation or"),
        (lambda: check("crps", "energy_score", regions=("map",)), "no map of energy_score, only of scores of"),
    ],
)
def test_what_cannot_is_refused(question, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        question()


def test_precipitation_in_other_units_is_refused() -> None:
    """Names that the table of variables does not know are not converted."""
    name, question = "total_precipitation_24hr", Question(metrics=("seeps", "crps"))
    metres, millimetres = (xr.Dataset({name: ((), 0.004, {"units": units})}) for units in ("m", "mm"))
    check_metres(question, [name], [metres, metres.drop_attrs(), metres.drop_vars(name)])
    check_metres(Question(metrics=("crps",)), [name], [millimetres])
    check_metres(question, ["2m_temperature"], [millimetres])
    with pytest.raises(ScoreError, match=r"^seeps needs total_precipitation_24hr in m, and got it in 'mm'; convert it"):
        check_metres(question, [name], [metres, millimetres])


def test_questions_survive_their_text() -> None:
    question = Question(("crps", "acc"), ("geopotential",), ("global", "box:1,2,3,4"), "equiangular:32x64", "season",
                        ("persistence",), allow_missing=True, part=(2, 3),
                        settings=Settings.of(["alpha=0.5"]))  # fmt: skip
    assert Question.from_json(question.to_json()) == question
    with pytest.raises(ScoreError, match=r"the question cannot be read .*; score again"):
        Question.from_json('{"metrics": 3}')


def test_thresholds_must_ascend() -> None:
    with pytest.raises(ScoreError, match=r"got thresholds \(2.0, 1.0\) of x, expected numbers, ascending, each once"):
        Settings(thresholds={"x": (2.0, 1.0)})


def test_a_map_that_no_memory_holds_is_refused() -> None:
    question, fine = Question(metrics=("crps", "rmse"), regions=("map",)), Grid.equiangular(721, 1440, poles=True)
    check_map_fits(question, fine, fields=40, models=3)
    with pytest.raises(ScoreError, match=r"a map of 2760 fields on a 721x1440 grid .* takes 413 GB, at most 8 GB are"):
        check_map_fits(question, fine, fields=69 * 40, models=3)
