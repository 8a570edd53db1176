"""Maps of scores at every point, and what else is said of such files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.errors import ScoreError
from evaluation.compare import compare
from evaluation.plots.scores import draw_scores
from evaluation.score_files import read_scores, write_scores
from evaluation.scored import open_pair
from tests.evaluation.viewed import texts
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(two_runs, truth, climatology, tmp_path) -> Path:
    asked = answered(
        two_runs, truth, climatology=climatology, metrics=("rmse", "crps", "bias", "spread_skill", "quantile_score"),
        regions=("map",),
    )  # fmt: skip
    write_scores(asked, tmp_path / "map.nc")
    return tmp_path / "map.nc"


def test_a_map_has_a_panel_for_each_model(path, drawn, tmp_path):
    draw_scores([path], tmp_path / "a.png", variable="geopotential", level=850)
    figure = drawn["figure"]
    assert [axes.get_title() for axes in figure.axes[:3]] == ["forecast", "persistence", "climatology"]
    assert "850 hPa geopotential height: CRPS | 36 h   2 initial times" in texts(figure)
    assert "4 members" in texts(figure)
    assert figure.axes[-1].get_xlabel() == "CRPS (m)"


def test_a_difference_is_the_forecast_less_the_other(path, drawn, tmp_path, monkeypatch):
    seen: list[np.ndarray] = []
    from evaluation.plots.mesh import Mesh

    sample = Mesh.sample
    monkeypatch.setattr(Mesh, "sample", lambda self, values: seen.append(values) or sample(self, values))
    options = {"variable": "2m_temperature", "against": "persistence", "lead": 24.0}
    draw_scores([path], tmp_path / "a.png", **options)
    scores = read_scores(path)["crps_2m_temperature"].sel(lead_time=24.0)
    np.testing.assert_array_equal(seen[-1], scores.sel(model="forecast") - scores.sel(model="persistence"))
    assert "Negative where forecast is better" in texts(drawn["figure"])
    assert drawn["figure"].axes[0].get_title() == "forecast minus persistence"
    assert drawn["figure"].axes[-1].get_xlabel() == "Difference in CRPS (K)"
    draw_scores([path], tmp_path / "a.png", score="bias", **options)
    bias = read_scores(path)["bias_2m_temperature"].sel(lead_time=24.0)
    np.testing.assert_array_equal(seen[-1], abs(bias.sel(model="forecast")) - abs(bias.sel(model="persistence")))
    assert "nearer to 0" in texts(drawn["figure"])
    draw_scores([path], tmp_path / "a.png", score="spread_skill", **{**options, "against": "climatology"})
    ratio = read_scores(path)["spread_skill_2m_temperature"].sel(lead_time=24.0)
    ours, theirs = (abs(ratio.sel(model=model) - 1) for model in ("forecast", "climatology"))
    np.testing.assert_array_equal(seen[-1], ours - theirs)


def test_scores_with_an_own_axis_are_drawn_at_a_label_of_it(path, drawn, tmp_path):
    draw_scores([path], tmp_path / "a.png", variable="2m_temperature", score="quantile_score",
                at={"quantile_level": 0.5}, region="europe", projection="plate_carree")  # fmt: skip
    assert "36 h   quantile level 0.5" in texts(drawn["figure"])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"score": "acc"}, "holds no acc of 2m_temperature, expected one of rmse, crps"),
     ({"score": "quantile_score"}, "has several of quantile_level, expected --at quantile_level=LABEL with one of"),
     ({"score": "spread_skill", "against": "persistence"}, "got --against persistence, expected a model beside"),
     ({"variable": "geopotential"}, "geopotential is on levels, expected --level with one of 500, 850"),
     ({"variable": None}, "holds several variables, expected --variable with one of geopotential, 2m_temperature"),
     ({"lead": 6.0}, "got the lead time 6.0 for 2m_temperature, expected one of: 12.0, 24.0, 36.0"),
     ({"group": "DJF"}, "got --group DJF, but nothing was scored --by season"),
     ({"kind": "roc"}, "is a map of points, of which there is no roc; score again without --regions map"),
     ({"kind": "curve"}, "forecast is a map, which keeps no series by initial time; draw it alone, as --kind map")],
)  # fmt: skip
def test_what_a_map_does_not_show(path, tmp_path, options, message):
    with pytest.raises(ScoreError, match=message):
        draw_scores([path], tmp_path / "a.png", **{"variable": "2m_temperature", **options})


def test_a_map_is_not_compared_and_regions_are_no_map(path, two_runs, truth, tmp_path):
    with pytest.raises(ScoreError, match=r"scores of forecast are a map, .* or draw the difference with 'sphercast"):
        compare(*open_pair([path], "persistence"))
    write_scores(answered(two_runs, truth, metrics=("crps",)), tmp_path / "regions.nc")
    with pytest.raises(ScoreError, match=r"regions\.nc holds scores of regions and no map; score again with --reg"):
        draw_scores([tmp_path / "regions.nc"], tmp_path / "a.png", kind="map", variable="2m_temperature")


def test_groups_of_a_map_are_drawn_one_by_one(two_runs, truth, tmp_path, drawn):
    asked = {"metrics": ("rmse",), "regions": ("map",), "variables": ("2m_temperature",), "by": "hour"}
    write_scores(answered(two_runs, truth, **asked), tmp_path / "map.nc")
    with pytest.raises(ScoreError, match="got scores by hour, expected --group with one of 00, 12"):
        draw_scores([tmp_path / "map.nc"], tmp_path / "a.png")
    draw_scores([tmp_path / "map.nc"], tmp_path / "a.png", group="12")
    assert "36 h   from 12 UTC" in texts(drawn["figure"])
