"""``sphercast score`` and its subcommands, as a user runs them."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.reading import open_states, sample_path
from evaluation.metrics.registry import METRICS
from evaluation.settings import Settings
from forecast import cli

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Outcome:
    """What a command left behind."""

    code: object
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run ``sphercast score`` with these words, in ``tmp_path``."""

    def command(*words: object, group: str = "score") -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["sphercast", group, *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capfd.readouterr()
        return Outcome(caught.value.code, captured.out, captured.err)

    return command


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs of 3 members and two days from the shipped sample: the truth and noise."""
    folder, sample = tmp_path_factory.mktemp("runs"), open_states("sample")
    wanted = sample[["2m_temperature", "mean_sea_level_pressure"]]
    paths = []
    for number in range(3):
        rng = np.random.default_rng(number)
        start, verifying = sample["time"].values[number], wanted.isel(time=slice(number + 1, number + 3)).load()
        noise = {
            name: field.expand_dims(realization=3) + rng.normal(0, 1 + number, (3, *field.shape))
            for name, field in verifying.data_vars.items()
        }
        leads = (verifying["time"].values - start) / np.timedelta64(1, "h")
        run = xr.Dataset(noise).assign_coords(
            forecast_reference_time=start, realization=np.arange(3),
            forecast_period=("time", leads.astype(float), {"units": "hours"}),
        )  # fmt: skip
        for name, field in wanted.data_vars.items():
            run[name].attrs = field.attrs
        paths.append(folder / f"run{number}.nc")
        run.to_netcdf(paths[-1], engine="netcdf4")
    return paths


def opened(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as scores:
        return scores.load()


def test_scores_regions_groups_and_settings_by_option(run: Run, forecasts: list[Path], tmp_path: Path) -> None:
    words = ("--scores", "crps,rank_histogram", "--scores", "almost_fair_crps,fair_brier_score", "--set", "alpha=1",
             "--regions", "global", "--regions", "box:20,60,-10,40", "--by", "month", "--baseline", "persistence",
             "--threshold", "2m_temperature>280", "--variable", "2m_temperature", "--quiet")  # fmt: skip
    ended = run(*forecasts, "sample", *words)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Fair CRPS, global, January: area-weighted mean over 3 initial times, 3 members\n")
    assert "\nAlmost fair CRPS, global, January: " in ended.out
    assert ended.out.endswith("\nSee them with 'sphercast score plot', or --json\nscores: scores.nc\n")
    scores = opened(tmp_path / "scores.nc")
    assert scores["region"].values.tolist() == ["global", "box:20,60,-10,40"]
    assert scores["model"].values.tolist() == ["forecast", "persistence"]
    assert scores["group"].values.tolist() == ["01"]
    assert scores["rank_histogram_2m_temperature"].sizes["rank"] == 4
    np.testing.assert_array_equal(scores["almost_fair_crps_2m_temperature"], scores["crps_2m_temperature"])
    assert np.isfinite(scores["fair_brier_score_2m_temperature"].sel(model="forecast")).all()


def test_parts_are_merged_to_the_scores_of_all(run: Run, forecasts: list[Path], tmp_path: Path) -> None:
    for number in (1, 2):
        ended = run(*forecasts, "sample", "--part", f"{number}/2", "--out", f"p{number}.nc", "--quiet")
        assert ended.code == 0
    assert run("merge", "p1.nc", "p2.nc", "--out", "merged.nc").out == "scores: merged.nc\n"
    assert run(*forecasts, "sample", "--out", "whole.nc", "--quiet").code == 0
    xr.testing.assert_equal(opened(tmp_path / "merged.nc"), opened(tmp_path / "whole.nc"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged.nc", "p1.nc", "p2.nc", "whole.nc"]


def test_json_has_every_score_with_its_labels(run: Run, forecasts: list[Path]) -> None:
    ended = run(forecasts[0], "sample", "--json", "--quiet")
    found = json.loads(ended.out)
    assert found["labels"]["lead_time"] == [12.0, 24.0]
    entry = found["scores"]["crps_2m_temperature"]
    assert (entry["dims"], entry["units"]) == (["lead_time", "region"], "K")
    assert all(0.15 < value[0] < 0.35 for value in entry["values"])


def test_maps_have_latitude_and_longitude(run: Run, forecasts: list[Path], tmp_path: Path) -> None:
    assert run(*forecasts, "sample", "--regions", "map", "--scores", "rmse,bias", "--quiet").code == 0
    scores = opened(tmp_path / "scores.nc")
    assert scores["rmse_2m_temperature"].dims == ("model", "lead_time", "latitude", "longitude")
    assert run(*forecasts, "sample", "--scores", "rmse", "--out", "mean.nc", "--quiet").code == 0
    weights = np.cos(np.deg2rad(scores["latitude"]))
    squares = (scores["rmse_2m_temperature"] ** 2).weighted(weights).mean(("latitude", "longitude"))
    whole = opened(tmp_path / "mean.nc")["rmse_2m_temperature"].isel(region=0)
    np.testing.assert_allclose(np.sqrt(squares), whole, rtol=2e-3)
    refused = run(*forecasts, "sample", "--regions", "map", "--scores", "energy_score", "--quiet")
    assert "there is no map of energy_score, only of scores of single points" in str(refused.code)


def test_a_cluster_gives_the_same(run: Run, forecasts: list[Path], tmp_path: Path) -> None:
    from distributed import LocalCluster

    # not in this process: netCDF4 crashes when one thread reads while another writes what is kept
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None) as cluster:
        words = ("--scheduler", cluster.scheduler_address, "--out", "cluster.nc", "--quiet")
        ended = run(*forecasts, "sample", *words)
        assert ended.code == 0, ended
    assert run(*forecasts, "sample", "--out", "here.nc", "--quiet").code == 0
    xr.testing.assert_equal(opened(tmp_path / "cluster.nc"), opened(tmp_path / "here.nc"))


def test_joint_histograms(run: Run, forecasts: list[Path], tmp_path: Path) -> None:
    words = ("--fields", "2m_temperature,mean_sea_level_pressure", "--regions", "tropics")
    assert run("joint", *forecasts, "sample", *words).out == "joint histogram: joint.nc\n"
    found = opened(tmp_path / "joint.nc")
    np.testing.assert_allclose(found["truth"].sum(("2m_temperature", "mean_sea_level_pressure")), 1.0)
    assert ((found["hellinger"] > 0) & (found["hellinger"] < 0.5)).all()
    refused = run("joint", *forecasts, "sample", "--fields", "2m_temperature")
    assert "got --fields 2m_temperature, expected two with a comma" in str(refused.code)


def test_lists(run: Run) -> None:
    named = run("list").out
    for name, entry in METRICS.items():
        assert f"  {name} " in named
        assert entry.summary in named
    assert "wmo-asia" in run("list", "regions").out
    assert "damped_persistence\n" in run("list", "baselines").out
    assert "10m_wind_speed" in run("list", "variables").out
    *settings, thresholds = run("list", "settings").out.splitlines()
    assert "alpha                    0.95" in settings
    assert Settings.of(["=".join(line.split()) for line in settings]) == Settings(), "each as --set takes it"
    assert thresholds.startswith("thresholds, by --threshold instead of --set; without any: total_precipitation > ")


def test_a_climatology_of_unknown_or_of_the_same_years_is_told(run: Run, forecasts: list[Path], tmp_path: Path) -> None:
    words = (forecasts[0], "sample", "--scores", "rmse", "--quiet")
    assert run(*words).err == ""
    assert opened(tmp_path / "scores.nc").attrs["climatology_overlap"] == "none"
    unknown, seen = "the years of the climatology are not known; if", "2 of 2 valid times lie in the period of the clim"
    for period, said in (("", unknown), ("2001-01-01..2001-12-31", seen)):
        with xr.open_dataset(sample_path("climatology.nc"), engine="netcdf4") as own:
            own.attrs["training_period"] = period
            own.to_netcdf(tmp_path / f"{len(said)}.nc", engine="netcdf4")
        assert f"sphercast: warning: {said}" in run(*words, "--climatology", f"{len(said)}.nc").err
        assert opened(tmp_path / "scores.nc").attrs["climatology_overlap"].startswith(said)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--part", "x"), "got --part x, expected i/n, e.g. 1/4"),
        (("--part", "3/2"), "got part 3/2, expected i/n with 1 <= i <= n"),
        (("--scores", "crsp"), "unknown metric 'crsp'; expected one of: crps, "),
        (("--regions", "atlantis"), "unknown region 'atlantis'; expected one of global"),
        (("--threshold", "2m_temperature"), "got --threshold '2m_temperature', expected VARIABLE>VALUE"),
        (("--set", "beta=1"), "got the setting 'beta=1', expected NAME=VALUE with one of alpha"),
        (("--set", "alpha=x"), "got the setting 'alpha=x', expected a number"),
        (("--set", "alpha=0.1,0.2"), "got the setting 'alpha=0.1,0.2', expected one number"),
        (("--set", "alpha=3"), "got alpha 3.0, expected 0 (standard) to 1 (fair)"),
        (("--by", "day"), "got --by 'day', expected one of season, month, hour"),
        (("--baseline", "magic"), "unknown baseline magic; expected some of: persistence"),
        (("--scores", "brier_score", "--variable", "2m_temperature"), "brier_score needs thresholds, and there are"),
        (("--scores", "climate_brier_score"), "climate_brier_score needs quantiles of the climatology, and sample"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    run: Run, forecasts: list[Path], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    ended = run(forecasts[0], "sample", "--quiet", *words)
    assert message in str(ended.code)
    assert "\n" not in str(ended.code)
    assert not list(tmp_path.glob("scores.nc*")), "nothing is left of what was not begun"


@pytest.mark.parametrize(("code", "mend"), [(errno.EINVAL, "mend the path, or if it is right report this"),
                                            (errno.EIO, "free space or mend the path")])  # fmt: skip
def test_what_is_no_lack_of_space_is_not_called_so(
    run: Run, forecasts: list[Path], monkeypatch: pytest.MonkeyPatch, code: int, mend: str
) -> None:
    def failing(*_: object) -> None:
        raise OSError(code, "cannot write (NetCDF)", "scores.nc")

    monkeypatch.setattr("evaluation.score_files.write_scores", failing)
    ended = run(forecasts[0], "sample", "--scores", "rmse", "--quiet")
    assert str(ended.code).startswith(f"sphercast: cannot write (NetCDF): scores.nc; {mend}")


def test_tracks_are_found_and_scored(run: Run, tmp_path: Path) -> None:
    found = run("find", "sample", "--out", "t.geojson", "--draw", "t.png", group="tracks")
    assert found.code == 0
    assert "tracks: t.geojson\nmap: t.png\n" in found.out
    features = json.loads((tmp_path / "t.geojson").read_text())["features"]
    assert found.out.startswith(f"{len(features)} tracks")
    assert len(features) > 5
    assert (tmp_path / "t.png").stat().st_size > 10_000


def test_tracks_that_lack_fields_say_what_to_do(run: Run, forecasts: list[Path], tmp_path: Path) -> None:
    ended = run("find", forecasts[0], "--out", "t.csv", group="tracks")
    assert "pass --ground STATES for the height of the ground, or --allow-missing to leave them out" in str(ended.code)
    lenient = run("find", forecasts[0], "--out", "t.csv", "--allow-missing", group="tracks")
    assert lenient.code == 0
    assert "warning: without the criteria" in lenient.err
    assert "expected forecasts and then the truth" in str(run("score", "sample", group="tracks").code)
    sample = open_states("sample")[["2m_temperature"]].isel(time=slice(0, 2)).load()
    sample.to_netcdf(tmp_path / "warm.nc", engine="netcdf4")
    refused = run("find", "sample", "--ground", "warm.nc", "--out", "t.csv", group="tracks")
    assert "warm.nc lacks geopotential_at_surface; give data that have it, or leave --ground out" in str(refused.code)
