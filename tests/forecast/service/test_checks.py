"""Maps and scores that a forecast cannot have are found before it is made."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_pipeline.channels import Channels
from data_pipeline.errors import ConfigError, ScoreError
from data_pipeline.grid import Grid
from evaluation.plots import KINDS
from forecast.cli_jobs_checks import check_afterwards, check_metrics, check_scores
from forecast.output import EnsembleLayout
from forecast.output.layout import select
from forecast.service.job_file import JobFile

VARIABLES: dict[str, Any] = {
    "geopotential": [500, 850], "temperature": [850], "u_component_of_wind": [500, 850],
    "v_component_of_wind": [500, 850], "mean_sea_level_pressure": None,
}  # fmt: skip
START = np.datetime64("2001-01-05", "ns")
LAYOUT = EnsembleLayout(
    Channels.of(VARIABLES), Grid.equiangular(8, 16, poles=False), range(3), START,
    START + np.arange(1, 5) * np.timedelta64(6, "h"),
)  # fmt: skip


def check(**values: Any) -> None:
    given = {"name": "t", "checkpoint": "planet", "source": {"kind": "gefs"}, "folder": "x", "members": 3, "days": 1}
    job = JobFile.model_validate({**given, **values})
    assert job.main_output is not None
    check_afterwards(job, select(LAYOUT, job.main_output))


def check_plot(output: dict[str, Any] | None = None, **values: Any) -> None:
    plot = {"name": "z.png", "variable": "geopotential", "level": 500, **values}
    check(plots=[plot], outputs=[output or {}])


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_drawn(kind: str) -> None:
    needs = {"probability": {"threshold": 550}, "difference": {"against": "nix.nc"}, "efi": {"climatology": "nix.nc"}}
    check_plot(kind=kind, **needs.get(kind, {}))


def test_of_a_region_across_the_meridian() -> None:
    check_plot(output={"region": [-60, 60, -60, 60]}, region="box:-30,30,-40,40", lead=24)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"variable": "geopotentail"}, "no variable 'geopotentail'; the forecast has geopotential, "),
        ({"lead": 999}, "no lead 999 h in this forecast"),
        ({"level": 555}, "no level 555 for geopotential; the forecast has (hPa): 500, 850"),
        ({"variable": "temperature"}, "temperature on 500 hPa has no value"),
        ({"region": "atlantis"}, "no map of the region 'atlantis'"),
        ({"kind": "difference", "against": "nix.nc", "region": "atlantis"}, "no map of the region 'atlantis'"),
        ({"kind": "efi", "climatology": "nix.nc", "level": 4}, "no level 4 for geopotential"),
        ({"kind": "efi", "threshold": 4, "climatology": "nix.nc"}, "a map of kind 'efi' has no threshold"),
        ({"projection": "mercator"}, "unknown projection 'mercator'"),
        ({"kind": "member", "member": "7"}, "there is no member 7, expected one of 0 to 2"),
        ({"kind": "probability"}, "a probability map needs a threshold: pass threshold VALUE in dam"),
        ({"kind": "difference"}, "a difference needs something to subtract"),
        ({"output": {"lead_hours": [6]}, "lead": 12}, "no lead 12 h in this forecast; it has (hours): 6"),
    ],
)
def test_what_cannot(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_plot(**values)
    assert str(caught.value).startswith("the picture z.png cannot be drawn: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("plot", "places"),
    [
        ({"kind": "meteogram", "at": [48.2, 16.4]}, {}),
        ({"kind": "plume", "at": "Vienna", "climatology": "nix.nc"}, {"Vienna": [48.2, 16.4]}),
        ({"kind": "profile", "at": "48.2,16.4", "variable": ["wind_speed", "geopotential"], "lead": 12}, {}),
        ({"name": "z.gif", "animate": True, "variable": "geopotential", "kind": "chart"}, {}),
    ],
)
def test_places_and_animations_that_can_be_drawn(plot: dict[str, Any], places: dict[str, Any]) -> None:
    check(plots=[{"name": "z.png", **plot}], places=places)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"kind": "plume", "at": "Wien"},
            "there is no place 'Wien', expected [latitude, longitude], or one of",
        ),
        ({"kind": "plume", "at": "98,16"}, "got the place 98,16, expected latitude,longitude in degrees"),
        ({"kind": "plume", "at": "8,16", "lead": 6}, "a plume shows all lead times, got lead 6 h"),
        ({"kind": "profile", "at": "8,16", "lead": 7}, "no lead 7 h in this forecast"),
        ({"kind": "meteogram", "at": "8,16", "variable": "hail"}, "no variable 'hail'; the forecast has"),
        ({"name": "z.gif", "animate": True, "variable": "geopotential", "lead": 6}, "goes through all lead times"),
        ({"name": "z.mp4", "animate": True, "variable": "geopotential"}, "an MP4 needs ffmpeg"),
    ],
)
def test_places_and_animations_that_cannot(
    values: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        check(plots=[{"name": "z.png", **values}])
    assert " cannot be drawn: " in str(caught.value)
    assert words in str(caught.value)


def test_a_file_of_metrics(tmp_path: Path) -> None:
    check_metrics(tmp_path / "x.prom")
    with pytest.raises(
        ConfigError, match=r"^prometheus: there is no folder /nowhere for x\.prom; make it, or mend the"
    ):
        check_metrics(Path("/nowhere/x.prom"))
    with pytest.raises(ConfigError, match=r"^prometheus: .* cannot be written; give the name of a file"):
        check_metrics(tmp_path)


def test_scores() -> None:
    check(scores={"truth": "sample", "scores": ["crps", "acc"]})
    with pytest.raises(
        ConfigError, match=r"^scores: there is no score 'crpss'; did you mean 'crps'\? '[a-z ]*' has th"
    ):
        check(scores={"truth": "sample", "scores": ["crpss"]})
    with pytest.raises(ConfigError, match=r"^scores: there is no score '!'; 'sphercast score list' has them all$"):
        check_scores(["!"], 10)
    with pytest.raises(ScoreError, match="crps cannot be had from 1 member"):
        check_scores(["crps"], 1)
