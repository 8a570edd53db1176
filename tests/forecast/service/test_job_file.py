"""The job file: every mistake is one sentence that names the key, and the nearest one that there is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_pipeline.errors import ConfigError
from forecast.service.deploy import example
from forecast.service.job_file import JobFile, load_job
from forecast.service.states import INTERRUPTED, State

NEEDED: dict[str, Any] = {
    "name": "x", "checkpoint": "planet", "source": {"kind": "folder", "path": "x"}, "folder": "f",
}  # fmt: skip


def problem(folder: Path, text: str | bytes = "", **values: Any) -> str:
    path = folder / "job.yaml"
    data = text or yaml.safe_dump({**NEEDED, **values})
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ConfigError) as caught:
        load_job(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(f"{path}: ")


def test_what_is_needed_is_enough(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(NEEDED))
    job = load_job(tmp_path / "job.yaml")
    assert job.outputs[0].name == "forecast.nc"
    assert job.cycles == (0, 6, 12, 18)
    assert job.length == timedelta(days=10)


def test_the_example_holds_every_key_and_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(example())
    job, plain = load_job(tmp_path / "job.yaml"), JobFile.model_validate(NEEDED)
    assert set(yaml.safe_load(example())) == set(JobFile.model_fields)
    examples = {"name", "checkpoint", "source", "folder", "products", "plots", "scores", "retention"}
    for key in set(JobFile.model_fields) - examples:
        assert getattr(job, key) == getattr(plain, key), key
    for section in ("poll", "catch_up", "scores", "retention", "hooks"):
        assert set(yaml.safe_load(example())[section]) == set(type(getattr(job, section)).model_fields)
    for section in ("outputs", "plots"):
        assert set(yaml.safe_load(example())[section][0]) == set(type(getattr(job, section)[0]).model_fields)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hooks": 3}, "hooks: expected keys with values, got 3; see 'sphercast jobs example'"),
        ({"delay": 5}, "delay: expected a length of time with its unit, as in 90 s, 15 min, 6 h or 2 d, got 5; mend"),
        ({"memory": "lots"}, "memory: expected a size as in 4GiB or 500MB, got 'lots'; mend it"),
        ({"cycles": [12, 0]}, "cycles: expected hours of the day that ascend, as in [0, 12], or a cron expre"),
        ({"cycles": []}, "cycles: expected hours of the day that ascend"),
        ({"cycles": "0 0 * * 1"}, "cycles: expected weekdays by name"),
        ({"outputs": []}, "outputs: expected one output or more"),
        ({"outputs": [{}, {}]}, "got files with the names products.nc, scores.nc, forecast.nc, forecast.nc, expected"),
        ({"outputs": [{"name": "scores.nc"}]}, "expected each once; give other names"),
        ({"outputs": [{"points": "p.csv"}], "products": {}}, "products, plots, the report and scores are made of an"),
        ({"places": {"Vienna": [48.2, 16.4]}}, "places are for meteograms; give 'report: true' too, or plots"),
        ({"places": {"Vienna": [98.2, 16.4]}, "report": True}, "places.Vienna.0: Input should be less than or equal"),
        ({"places": {"Vienna": 3}, "report": True}, "places.Vienna: expected [latitude, longitude], as in [48.1"),
        ({"places": {"Vienna": [1, 2, 3]}, "report": True}, "places.Vienna: expected [latitude, longitude]"),
        (
            {"source": {"kind": "gefs"}, "perturbation": {"kind": "lagged", "lag_hours": 5}},
            "got perturbation.lag_hours 5, expected a multiple of 6: gefs has an analysis every 6 hours",
        ),
        ({"plots": [{"name": "a/b.png", "variable": "x"}]}, "plots.0.name: expected the name of a file that ends"),
        ({"plots": [{"name": "a.png", "variable": 3}]}, "plots.0.variable: expected a name such as geopotential; of"),
        ({"plots": [{"name": "a.png"}]}, "plots.0: a map is of one variable, got none; give one"),
        ({"plots": [{"name": "a.png", "variable": "x", "at": "1,2"}]}, "a map of kind mean has no place, got at: 1,2"),
        ({"plots": [{"name": "a.png", "kind": "plume"}]}, "plots.0: a plume needs 'at': the name of one of the job's"),
        ({"plots": [{"name": "a.gif", "kind": "plume", "at": "V", "animate": True}]}, "a plume has no animate; leave"),
        ({"plots": [{"name": "a.gif", "variable": "x"}]}, "got the name a.gif; with 'animate: true' it ends"),
        ({"plots": [{"name": "a.png", "variable": "x", "animate": True}]}, "got the name a.png; with 'animate: true'"),
        ({"poll": {"first": "1 h"}}, "poll: got a first pause of 1 h and a longest of 15 min, expected 0 < first <="),
        ({"delay": "13 h"}, "the deadline, 12 h, is not after the delay, 13 h; both count from the cycle"),
        ({"retention": {}}, "retention: got neither 'cycles' nor 'days'; give one, or leave 'retention' out"),
        ({"name": "a b"}, "name: String should match pattern"),
        ({"source": {"kind": "folder", "path": "x", "control": 0}}, "give 'perturbation: {kind: analysis}' too"),
        (
            {"source": {"kind": "folder", "path": "x", "control": 10}, "perturbation": {"kind": "analysis"}},
            "got source.control 10, expected one of the members 0 to 9",
        ),
        (
            {"products": {"thresholds": ["2m_temprature>303"]}},
            "thresholds.0.variable: expected a variable such as '2m_temperature', got '2m_temprature'; mend it",
        ),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    assert words in problem(tmp_path, **values)


@pytest.mark.parametrize(
    ("values", "place", "close"),
    [
        ({"mebers": 3}, "mebers", "members"),
        ({"poll": {"frst": "1 min"}}, "poll.frst", "first"),
        ({"outputs": [{}, {"levls": [1]}]}, "outputs.1.levls", "levels"),
        ({"source": {"kind": "folder", "path": "x", "pth": "x"}}, "source.pth", "path"),
        ({"perturbation": {"kind": "noise", "amplitud": 1}}, "perturbation.amplitud", "amplitude"),
        ({"products": {"quantile": [0.1]}}, "products.quantile", "quantiles"),
    ],
)
def test_typos_and_the_nearest_key(tmp_path: Path, values: dict[str, Any], place: str, close: str) -> None:
    said = problem(tmp_path, **values)
    assert f"unknown key {place!r}; remove it or mend the spelling (did you mean {close!r}?)" in said


def test_unknown_source(tmp_path: Path) -> None:
    said = problem(tmp_path, source={"kind": "gsf"})
    kinds = "'arco_era5', 'ecmwf_open_data', 'folder', 'gefs', 'gfs'"
    assert said == f"source: got a source of kind 'gsf', expected one of: {kinds}; did you mean 'gfs'?"
    assert "missing key 'source.path'; add it" in problem(tmp_path, source={"kind": "folder"})


def test_no_yaml(tmp_path: Path) -> None:
    assert "holds nothing, expected keys and values; see 'sphercast jobs example'" in problem(tmp_path, "# empty")
    assert "is not valid YAML at line 2" in problem(tmp_path, "name: x\nname: [")
    assert "is not text in UTF-8; give a YAML file" in problem(tmp_path, b"name: \xff")
    assert "key 'name' twice" in problem(tmp_path, "name: x\nname: y")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no job file .*nix.yaml \(No such file.*'sphercast jobs example'"):
        load_job(tmp_path / "nix.yaml")


def test_retention_in_days() -> None:
    assert JobFile.model_validate({**NEEDED, "retention": {"days": 3}}).retention.days == timedelta(days=3)
    assert JobFile.model_validate({**NEEDED, "retention": {"days": "36 h"}}).retention.days == timedelta(hours=36)


def test_the_page_for_operators_holds_the_example() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert f"```yaml\n{example()}```\n" in page
    assert all(f"| `{state}` |" in page for state in [*State, INTERRUPTED])
