"""The study's own scores, table and figure."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import study, study_forecasts
from benchmarks.study import GENERATORS, checkpoints_of, climatology, file_name, generators_of, save, with_starts
from benchmarks.study_forecasts import Ensemble, Trial, rollout, score
from benchmarks.study_scores import climatology_crps, crps_of_years, fair_crps, scores_of
from benchmarks.study_table import figure, scores_in, table
from data_pipeline.channels import Channels
from data_pipeline.config import Period
from data_pipeline.errors import ConfigError, DataError
from data_pipeline.grid import Grid
from forecast.config import ModelConfig, SamplerConfig, load_experiment
from forecast.forecaster import Forecaster, static_features
from forecast.harmonics import SphericalTransform
from forecast.normalizer import Normalizer

GRID = Grid.equiangular(8, 16, poles=False)
AREA = torch.as_tensor(GRID.area_weights(), dtype=torch.float32)[:, None]


def ensemble(members: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    states = 100000 + torch.randn(3, members, 2, *GRID.shape, generator=generator)
    return states, 100000 + torch.randn(3, 2, *GRID.shape, generator=generator)


@pytest.mark.parametrize("members", [2, 5])
def test_fair_crps_is_that_of_all_pairs(members: int) -> None:
    states, truth = ensemble(members)
    apart = sum((states[:, j] - states[:, k]).abs() for j, k in combinations(range(members), 2))
    expected = (states - truth[:, None]).abs().mean(1) - apart / (members * (members - 1))
    torch.testing.assert_close(fair_crps(states, truth), expected, atol=0.02, rtol=0)


def test_one_member_has_its_absolute_error() -> None:
    states, truth = ensemble(1)
    assert torch.equal(fair_crps(states, truth), (states[:, 0] - truth).abs())


def test_scores_of_a_reliable_ensemble() -> None:
    states, truth = ensemble(20)
    scores = scores_of(states, truth, AREA, SphericalTransform(GRID))
    assert scores["crps"].shape == (3, 2)
    assert np.sqrt(scores["variance"].mean() / scores["squared_error"].mean()) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(scores["spectrum"][:, 1:].mean(), scores["truth_spectrum"][:, 1:].mean(), rtol=0.2)
    alone = scores_of(states[:, :1], truth, AREA, SphericalTransform(GRID))
    assert not alone["variance"].any()


def test_climatology_takes_pairs_of_different_years() -> None:
    years = np.array([0, 3, 0, 1, 3, 3, 3])
    generator = torch.Generator().manual_seed(0)
    states, truth = (100000 + torch.randn(*shape, 2, 4, generator=generator) for shape in [(7,), ()])
    pairs = [(j, k) for j, k in combinations(range(7), 2) if years[j] != years[k]]
    apart = sum((states[j] - states[k]).abs() for j, k in pairs) / len(pairs)
    expected = (states - truth).abs().mean(0) - apart / 2
    torch.testing.assert_close(crps_of_years(states, truth, years), expected, atol=0.02, rtol=0)
    alone = crps_of_years(states, truth, np.arange(7))
    torch.testing.assert_close(alone, fair_crps(states[None], truth[None])[0], atol=0.02, rtol=0)


def test_days_of_one_year_are_no_climatology() -> None:
    with pytest.raises(DataError, match="two years or more, got 1"):
        crps_of_years(torch.zeros(3, 2), torch.zeros(2), np.zeros(3, int))


class Store(SimpleNamespace):
    """Random states of two channels, twice a day, 50 higher from November to February."""

    channels = Channels.of({"temperature": [850], "u_component_of_wind": [850]})
    grid = GRID
    interval = np.timedelta64(12, "h")

    @classmethod
    def of(cls, start: str, days: int, seed: int = 0) -> Any:
        times = np.datetime64(start, "ns") + np.arange(2 * days) * cls.interval
        winter = np.isin(times.astype("datetime64[M]").astype(int) % 12, [10, 11, 0, 1])[:, None, None, None]
        noise = np.random.default_rng(seed).normal(280, 1, (len(times), 2, *GRID.shape))
        states = (noise + 50 * winter).astype(np.float32)
        return cls(times=times, read=lambda positions: states[np.asarray(positions)])


def test_climatology_is_of_the_same_days_of_the_training_years() -> None:
    store, more = Store.of("2001-12-01", 1200), Store.of("1981-01-01", 800, seed=1)
    test = Trial.of(store, "2004-12-20", "2005-02-01", count=2, days=2)
    crps = climatology_crps([store, more], Period(start="2001-12-01", stop="2004-10-31"), test, torch.device("cpu"))
    assert crps.shape == (2, 2, 2)
    np.testing.assert_allclose(crps, np.pi**-0.5, atol=0.1)  # of a normal truth and as good a climatology


def forecaster_of(**sampler: Any) -> Forecaster:
    torch.manual_seed(0)
    scales = torch.ones(2, 1, 1)
    static = static_features(np.zeros((0, *GRID.shape)), GRID)
    model = ModelConfig(widths=(8, 16), process="edm", step_hours=24)
    created = Forecaster.create(
        Store.channels, GRID, normalizer=Normalizer(280 * scales, scales, scales), static=static, model=model,
        sampler=SamplerConfig(**sampler),
    )  # fmt: skip
    for weight in created.denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    created.denoiser.eval()
    return created


TRIAL = Trial(Store.of("2001-01-01", 10), np.array([4, 8]), 2)


@pytest.mark.parametrize("churn", [0.0, 2.5])
def test_noise_does_not_depend_on_the_states_at_once(churn: float) -> None:
    forecaster = forecaster_of(name="dpmpp_2s", steps=4, churn=churn)
    with torch.inference_mode():
        whole, parts = (list(rollout(forecaster, TRIAL, Ensemble(3, at_once=size))) for size in (128, 4))
    assert whole[0].shape == (2, 3, 2, *GRID.shape)
    assert (whole[0][:, 0] - whole[0][:, 1]).abs().max() > 0.1
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=0)


def test_generators_of_one_member_are_timed_in_the_batch_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(study_forecasts.time, "perf_counter", lambda: next(clock))
    forecaster = forecaster_of(name="euler", steps=1)
    mean = replace(forecaster, sampler=SamplerConfig(name="mean"))
    found = score(mean, TRIAL, Ensemble(3), scored=1)
    assert found["seconds_per_member_day"] == 2 / (3 * 2 * 2)  # two steps of a second each; the one before is free
    assert not found["variance"].any()
    assert found["crps"].shape == (2, 2, 2)
    assert score(forecaster, TRIAL, Ensemble(3))["variance"].all()


def test_stages_are_trained_with_what_they_start_from(capsys: pytest.CaptureFixture[str]) -> None:
    experiment = load_experiment("benchmarks/planet/study.yaml")
    needed = ["mean", "crps", "mean_global", "crps_global", "best"]
    assert with_starts(experiment, ["crps_global", "best"]) == needed
    assert set(with_starts(experiment, None)) == set(experiment.stages)
    assert generators_of(experiment, None) == GENERATORS
    assert not capsys.readouterr().err
    with pytest.raises(ConfigError, match="no stage 'nonsense'"):
        with_starts(experiment, ["nonsense"])


def test_all_stages_go_through_training_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, seen = load_experiment("benchmarks/planet/study.yaml"), []
    monkeypatch.setattr(study, "train", lambda each: seen.append(each.training.folder.name) or "made")
    assert checkpoints_of(experiment, ["crps"], trained=False) == {"mean": "made", "crps": "made"}
    found = checkpoints_of(experiment, ["crps"], trained=True)
    assert str(found["crps"]) == "runs/speedy/crps/checkpoint.safetensors"
    assert seen == ["mean", "crps"]


def test_generators_that_the_config_lacks_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    whole = load_experiment("benchmarks/planet/study.yaml")
    small = whole.model_copy(update={"stages": {name: whole.stages[name] for name in ("mean", "crps")}})
    assert list(generators_of(small, None)) == ["mean", "crps-1", "crps-1 12 h"]
    assert "no such stages: best-1, flow-4," in capsys.readouterr().err


def test_climatology_is_scored_anew_for_another_test(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(study, "open_store", lambda path: path)
    monkeypatch.setattr(study, "climatology_crps", lambda *_: calls.append(1) or np.ones(3))
    experiment, path = load_experiment("benchmarks/planet/study.yaml"), tmp_path / "climatology.npz"
    save(path, {"crps": np.zeros(3)})  # of a version that did not say of what test
    for marker, times in {"one": 1, "other": 2}.items():
        for _ in range(2):
            climatology(experiment, TRIAL, path, marker, torch.device("cpu"))
            assert len(calls) == times
    assert [file.name for file in tmp_path.iterdir()] == ["climatology.npz"]


def write_scores(folder, name: str, days: int = 10, **more: Any) -> None:
    save(folder / name, {"crps": np.ones((days, 4, 2)), "channels": ["t", "u"], **more})


def test_table_takes_the_files_of_the_study(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"no climatology.npz.*run that first"):
        scores_in(tmp_path)
    names = ["climatology.npz", file_name("edm-39 no churn"), file_name("mean"), "old.npz"]
    for name in names:
        write_scores(tmp_path, name)
    assert list(scores_in(tmp_path)[0]) == ["mean", "edm-39 no churn"]
    assert "left out: old.npz" in capsys.readouterr().err
    write_scores(tmp_path, "mean.npz", days=3)
    with pytest.raises(DataError, match="mean and the climatology are of other tests"):
        scores_in(tmp_path)
    write_scores(tmp_path, "mean.npz", test="one")
    write_scores(tmp_path, "climatology.npz", test="other")
    with pytest.raises(DataError, match=r"\(one and other\)"):
        scores_in(tmp_path)


def some_scores(days: int) -> dict[str, Any]:
    draw = np.random.default_rng(0).uniform
    return {
        **{name: draw(1, 2, (days, 4, 2)) for name in ("crps", "variance", "squared_error")},
        "spectrum": np.ones((days, 2, 9)), "truth_spectrum": 2 * np.ones((days, 2, 9)),
        "lead_days": np.arange(1, days + 1), "seconds_per_member_day": np.float64(0.25),
    }  # fmt: skip


def test_table_of_a_shorter_study() -> None:
    head, *_, one = table({"crps-1": some_scores(4)}, {"crps": 3 * np.ones((4, 4, 2))}, 0, 1.0).splitlines()
    assert [day for day in range(11) if f"CRPS day {day} " in head] == [1, 3]
    assert one.count("|") == head.count("|")
    *_, twice = table({"crps-1 12 h": some_scores(4)}, {"crps": 3 * np.ones((4, 4, 2))}, 0, 1.0).splitlines()
    assert "| 2 | 250.00 |" in twice
    *_, many = table({"edm-39 no churn": some_scores(4)}, {"crps": 3 * np.ones((4, 4, 2))}, 0, 1.0).splitlines()
    assert "| 39 | 250.00 |" in many


@pytest.mark.parametrize("words", [
    ["benchmarks.study", "--config", "nowhere.yaml"], ["benchmarks.study_table", "--scores", "nowhere"],
])  # fmt: skip
def test_what_is_missing_is_said_in_a_sentence(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("sphercast: ")
    assert done.stderr.count("\n") == 1


def test_table_and_figure_show_every_generator(tmp_path) -> None:
    scores = some_scores(10)
    mean = {**scores, "variance": np.zeros((10, 4, 2))}
    climate = {"crps": 3 * np.ones((10, 4, 2))}
    head, _, known, one, other = table({"crps-1": scores, "mean": mean}, climate, 0, 1.0).splitlines()
    assert head.count("CRPS day") == 5
    assert known.startswith("| climatology | 3.00 (3.00-3.00) |")
    assert one.startswith("| crps-1 | 1.")
    assert "| 0.50 to 0.50 | 1 | 250.00 |" in one
    assert "| none |" in other
    drawn = figure({"crps-1": scores, "mean": mean}, climate, 0, 1.0, "temperature_850")
    assert [axes.get_xlabel() for axes in drawn.axes] == ["days", "days", "degree of the harmonic"]
    assert [line.get_xdata()[[0, -1]].tolist() for line in drawn.axes[2].lines] == [[1, 8]] * 2
    assert [text.get_text() for text in drawn.axes[0].get_legend().get_texts()] == ["crps-1", "mean", "climatology"]
