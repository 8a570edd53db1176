"""Experiments: every mistake is one sentence that names the key; what is shipped loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import ValidationError

from data_pipeline.errors import ConfigError
from forecast.config import Experiment, ModelConfig, load_experiment, shipped_configs
from forecast.process import EDM, FlowMatching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Values = dict[str, Any]


@pytest.fixture
def values(config_values: Callable[[Path], Values], tmp_path: Path) -> Values:
    return config_values(tmp_path)


@pytest.fixture
def problem(tmp_path: Path) -> Callable[[Values | str | bytes], str]:
    """The message that a config gives."""

    def say(values: Values | str | bytes) -> str:
        path = tmp_path / "bad.yaml"
        text = yaml.safe_dump(values, sort_keys=False) if isinstance(values, dict) else values
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(ConfigError) as caught:
            load_experiment(path)
        message = str(caught.value)
        assert message.startswith(str(path)), "the file is named"
        assert "\n" not in message, "one sentence"
        return message

    return say


def test_valid_config_loads(values: Values, tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    experiment = load_experiment(path)
    assert experiment.model.widths == (8, 16)
    assert experiment.sampler.name == "heun"
    assert experiment.data.channels.names[:2] == ["geopotential_500", "u_component_of_wind_850"]
    assert load_experiment(str(path)) == experiment


def test_defaults_build_the_published_processes() -> None:
    assert ModelConfig(step_hours=24).build_process() == FlowMatching()
    assert ModelConfig(step_hours=24, process="edm").build_process() == EDM()


def test_experiments_are_frozen(values: Values) -> None:
    experiment = Experiment.model_validate(values)
    with pytest.raises(ValidationError, match="frozen"):
        experiment.model.blocks = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("section", "key", "place"),
    [("model", "depth", "model.depth"), ("training", "lr", "training.lr"), ("data", "levels", "data.levels")],
)
def test_unknown_key(values: Values, problem: Callable[..., str], section: str, key: str, place: str) -> None:
    values[section][key] = 3
    assert f"unknown key '{place}'; remove it or mend the spelling" in problem(values)


def test_unknown_section_and_source_key(values: Values, problem: Callable[..., str]) -> None:
    values["evaluation"] = {}
    values["data"]["sources"][0]["folder"] = "x"
    message = problem(values)
    assert "unknown key 'evaluation'" in message
    assert "unknown key 'data.sources.0.folder'" in message


@pytest.mark.parametrize(("section", "key"), [("model", "step_hours"), ("training", "steps"), ("data", "grid")])
def test_missing_key(values: Values, problem: Callable[..., str], section: str, key: str) -> None:
    del values[section][key]
    assert f"missing key '{section}.{key}'; add it" in problem(values)


def test_missing_section(values: Values, problem: Callable[..., str]) -> None:
    del values["training"]
    assert "missing key 'training'; add it" in problem(values)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("model", "widths", "wide"),
        ("model", "widths", []),
        ("model", "widths", [8, 18]),
        ("model", "widths", [0]),
        ("model", "dropout", 1.5),
        ("model", "process", "flow"),
        ("training", "steps", 0),
        ("training", "steps", "many"),
        ("training", "learning_rate", -1),
        ("training", "seed", -1),
        ("sampler", "name", "rk4"),
        ("sampler", "steps", 0),
        ("data", "interval_hours", 0),
    ],
)
def test_wrong_value(values: Values, problem: Callable[..., str], section: str, key: str, value: object) -> None:
    values[section][key] = value
    message = problem(values)
    assert f"{section}.{key}" in message
    assert f"got {value!r}; mend it" in message or "got [" in message


def test_a_value_where_keys_belong(values: Values, problem: Callable[..., str]) -> None:
    values["data"]["period"] = "1990"
    assert "data.period: expected keys with values, got '1990'; see 'sphercast config show planet'" in problem(values)


def test_wrong_date(values: Values, problem: Callable[..., str]) -> None:
    values["training"]["validation_period"]["start"] = "spring"
    assert "training.validation_period.start" in problem(values)


def test_wrong_kind_of_source(values: Values, problem: Callable[..., str]) -> None:
    values["data"]["sources"][0]["kind"] = "weatherbench"
    assert (
        "data.sources.0: got a source of kind 'weatherbench', expected one of: 'arco_era5', 'files', 'grib', 'speedy', "
        "'weatherbench2'; did you mean 'weatherbench2'?"
    ) in problem(values)


def test_every_problem_is_named_at_once(values: Values, problem: Callable[..., str]) -> None:
    values["model"]["depth"] = 1
    del values["training"]["steps"]
    message = problem(values)
    assert "model.depth" in message
    assert "training.steps" in message


def test_step_must_be_a_multiple_of_the_interval(values: Values, problem: Callable[..., str]) -> None:
    values["model"]["step_hours"] = 18
    expected = "model: steps of 18 h are no multiple of data.interval_hours 12; change one of them"
    assert problem(values).endswith(expected)
    values["model"] |= {"step_hours": 24, "other_step_hours": [18]}
    assert problem(values).endswith(expected)


def test_unknown_variable_or_level_is_found_before_hours_of_building(
    values: Values, problem: Callable[..., str]
) -> None:
    values["data"]["variables"] = {"temprature": [500]}
    assert "unknown variable 'temprature'; expected one of" in problem(values)
    values["data"]["variables"] = {"temperature": None}
    assert "variable temperature: got levels None" in problem(values)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "equiangular_with_poles", "latitudes": 8, "longitudes": 16}, "no row on a pole"),
        ({"kind": "gaussian", "latitudes": 9, "longitudes": 16}, "divisible by 2"),
    ],
)
def test_grid_must_fit_the_network(values: Values, problem: Callable[..., str], wrong: Values, said: str) -> None:
    values["data"]["grid"] = wrong
    assert said in problem(values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: [unclosed\nmodel: 3\n", "not valid YAML at line 2"),
        ("a: 1\n\tb: 2\n", "not valid YAML at line 2"),
        ("model: {}\nmodel: {}\n", "not valid YAML at line 2: key 'model' twice"),
        ("", "holds nothing, expected keys and values"),
        ("- a\n- b\n", "holds list, expected keys and values"),
        ("just words", "holds str"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"a: \x01\n", "not valid YAML"),
        ("stop: 2002-02-30\n", "not valid YAML: day is out of range for month; mend it"),
    ],
)
def test_bad_yaml(problem: Callable[..., str], text: str | bytes, said: str) -> None:
    assert said in problem(text)


def test_missing_file_names_what_is_shipped() -> None:
    with pytest.raises(ConfigError, match=r"no config file nowhere.yaml; give a path, or a shipped one: .*era5_msl"):
        load_experiment("nowhere.yaml")


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_configs_load_and_say_what_they_are(name: str) -> None:
    assert load_experiment(name).training.steps > 0
    assert shipped_configs()[name].startswith("# "), "the first line is what 'config list' shows"
