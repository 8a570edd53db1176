"""Experiments whose parts must fit together, and their stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from data_pipeline.errors import ConfigError
from forecast.config import Experiment, load_experiment
from forecast.validation import validated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forecast.conftest import Run

    Make = Callable[..., Experiment]
    Values = Callable[[Path], dict[str, Any]]

MEAN = {"training": {"objective": {"kind": "mean"}}, "sampler": {"name": "mean"}}
CRPS = {"training": {"objective": {"kind": "crps"}, "start": "mean"}, "sampler": {"name": "euler", "steps": 1}}
SINGLE_CRPS: dict[str, Any] = {
    "training__objective": {"kind": "crps"}, "sampler__name": "euler", "sampler__steps": 1,
}  # fmt: skip
MEAN_CHANGES: dict[str, Any] = {"training__objective": {"kind": "mean"}, "sampler__name": "mean"}
STAGES = {"stages__mean": MEAN, "stages__crps": CRPS}


def problem(make: Make, **changes: Any) -> str:
    """The message of a config with these changes, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        make(**changes)
    return str(caught.value).partition("experiment.yaml")[2].lstrip(":, ")


# what does not fit together


@pytest.mark.parametrize(("widths", "network", "said"), [
    ([8, 16], "transformer", "model: got widths [8, 16] for a transformer, expected one"),
    ([6], "unet", "model.widths: got [6], expected multiples of 4, one per level"),
    ([8] * 5, "unet", "data: the network needs latitudes divisible by 16, longitudes by 32"),
])  # fmt: skip
def test_network(experiment: Make, widths: list[int], network: str, said: str) -> None:
    assert problem(experiment, model__widths=widths, model__network=network).startswith(said)


@pytest.mark.parametrize("others", [[12], [24, 24], [0], [-12]])
def test_step_lengths_come_once_and_are_positive(experiment: Make, others: list[int]) -> None:
    expected = f"model: got steps of {[12, *others]} h, expected each once, of 1 h at least"
    assert problem(experiment, model__other_step_hours=others) == expected


@pytest.mark.parametrize("rollout", [{}, {1: 2}, {0: 0}, {0: 1, -2: 1}])
def test_rollout(experiment: Make, rollout: dict[int, int]) -> None:
    expected = f"training: got rollout {rollout}, expected training steps with forecast steps, as in {{0: 1}}"
    assert problem(experiment, **{**MEAN_CHANGES, "training__rollout": rollout}) == expected


@pytest.mark.parametrize(("changes", "said"), [
    ({"training__rollout": {0: 2}}, "training: denoising learns from single steps, expected rollout {0: 1}"),
    ({"training__accumulate": 3}, "training: batch_size 4 is not a multiple of accumulate 3"),
    ({"training__objective": {"kind": "mean"}}, "the objective mean needs sampler {name: mean}"),
    ({**MEAN_CHANGES, "sampler__inflation": 1.3}, "sampler mean draws nothing, got inflation 1.3, expected 1"),
    ({**MEAN_CHANGES, "sampler__turned": True}, "sampler mean draws nothing, got turned true, expected false"),
    ({"sampler__turned": True, "training__mirror": True},
     "sampler.turned is for networks that have learnt so, expected training mirror and rotate true"),
    ({**SINGLE_CRPS, "sampler__turned": True, "training__mirror": True, "training__rotate": True,
      "model__noise": "global", "model__noise_size": 1},
     "sampler.turned takes two numbers of the noise, expected model.noise_size 2 or more"),
    ({"sampler__name": "mean"}, "the objective denoising needs another sampler than mean"),
    ({"training__objective": {"kind": "crps"}, "sampler__steps": 5},
     "the objective crps draws in 4 sampler steps at most, without churn"),
    ({"training__objective": {"kind": "crps"}, "sampler__churn": 1.0},
     "the objective crps draws in 4 sampler steps at most, without churn"),
    ({**MEAN_CHANGES, "sampler__churn": 1.0}, "sampler mean draws nothing, got churn 1.0, expected 0"),
    ({"model__noise": "white", "model__noise_slope": 1.0},
     "model: got noise_slope 1.0 for white noise, expected it for spherical"),
    ({"model__noise": "global"},
     "a global noise vector serves one evaluation, expected sampler {name: euler, steps: 1}"),
    ({"model__noise": "global", "sampler__name": "euler", "sampler__steps": 1},
     "denoising needs noise in the fields, expected model.noise spherical or white"),
])  # fmt: skip
def test_objective_sampler_and_noise(experiment: Make, changes: dict[str, Any], said: str) -> None:
    assert problem(experiment, **changes) == said


@pytest.mark.parametrize(("changes", "said"), [
    ({"training__warmup_steps": 6}, "training: warmup_steps 6 are all of the 6 steps, expected fewer; lower them"),
    ({**MEAN_CHANGES, "training__rollout": {0: 1, 6: 2}},
     "training: rollout {0: 1, 6: 2} changes at step 6, expected before the last of 6"),
    ({"training__more_stores": ["a", "b", "a"]}, "training: got more_stores ['a', 'b', 'a'], expected each once"),
    ({"data__store": "a", "training__more_stores": ["a"]},
     "training.more_stores holds data.store a, expected other stores; leave it out"),
    ({"training__validation_period": {"start": "2000-03-31T18", "stop": "2000-04-20"}},
     "the validation_period 2000-03-31T18..2000-04-20 overlaps the training_period 2000-01-01..2000-03-31, expected"),
    ({"training__validation_period": {"start": "1999-03-31", "stop": "2000-01"}},
     "the validation_period 1999-03-31..2000-01 overlaps the training_period 2000-01-01..2000-03-31, expected"),
    ({"training__start": "first"},
     "training.start is first, expected a stage (there is none), a .safetensors file, or the name of a shipped check"),
    ({"stages__x": {}, "stages__y": {"training": {"folder": "x"}}, "stages__z": {"training": {"folder": "x"}}},
     "stages y and z share the folder x, expected one for each"),
])  # fmt: skip
def test_periods_stores_steps_and_starts(config_values: Values, tmp_path: Path, changes: Any, said: str) -> None:
    values = config_values(tmp_path)
    for name, value in changes.items():
        section, _, key = name.partition("__")
        values.setdefault(section, {})[key] = value
    with pytest.raises(ConfigError) as caught:
        validated(Experiment, values, "c.yaml")
    assert str(caught.value).startswith(f"c.yaml: {said}")


def test_a_stage_begins_in_the_folder_of_the_one_before(experiment: Make) -> None:
    stages = {"stages__mean": {**MEAN, "training": {**MEAN["training"], "folder": "own"}}, "stages__crps": CRPS}
    assert experiment(**stages).stage("crps").training.start == "own/checkpoint.safetensors"


@pytest.mark.parametrize(("objective", "said"), [
    ({"kind": "energy"}, "training.objective: got kind 'energy', expected one of mean, denoising, crps"),
    ({"kind": "cprs"}, "training.objective: got kind 'cprs', expected one of mean, denoising, crps (did you mean 'c"),
    ({"norm": "mae"}, "training.objective has no 'kind', got {'norm': 'mae'}; add it, see 'sphercast "),
    ({"kind": "mean", "norm": "l1"}, "training.objective.norm: Input should be 'mse' or 'mae', got 'l1'; mend it"),
    ({"kind": "mean", "members": 2}, "unknown key 'training.objective.members'; remove it or mend the spelling"),
    ({"kind": "crps", "members": 1}, "training.objective.members: Input should be greater than or equal to 2, got 1"),
    ({"kind": "crps", "alpha": 1.1}, "training.objective.alpha: Input should be less than or equal to 1, got 1.1"),
    ({"kind": "crps", "spectral": -1}, "training.objective.spectral: Input should be greater than or equal to 0"),
])  # fmt: skip
def test_values_of_an_objective(experiment: Make, objective: dict[str, Any], said: str) -> None:
    assert problem(experiment, training__objective=objective, sampler__steps=1).startswith(said)


def test_everything_that_fits(experiment: Make) -> None:
    single: dict[str, Any] = {"sampler__name": "euler", "sampler__steps": 1}
    for noise in ("spherical", "white", "global"):
        assert experiment(**single, training__objective={"kind": "crps"}, model__noise=noise).model.noise == noise
        assert experiment(**MEAN_CHANGES, model__noise=noise).model.latent_size == (32 if noise == "global" else 0)
    long = experiment(**MEAN_CHANGES, training__rollout={0: 1, 100: 2, 200: 8}, training__steps=201).training
    assert [long.rollout_at(step) for step in (0, 99, 100, 199, 200, 10**6)] == [1, 1, 2, 2, 8, 8]
    assert long.longest_rollout == 8


# stages


def test_a_section_that_no_stage_has(experiment: Make) -> None:
    said = "unknown key 'stages.mean.samplr'; remove it or mend the spelling (did you mean 'sampler'?)"
    assert problem(experiment, stages__mean={"samplr": {}}) == said


def test_stages_are_the_experiment_with_changes(experiment: Make) -> None:
    whole = experiment(**STAGES, sampler__churn=0.0)
    mean, crps = (whole.stage(name) for name in whole.stages)
    assert (mean.training.objective.kind, crps.training.objective.kind) == ("mean", "crps")
    assert (mean.sampler.name, crps.sampler.name, crps.sampler.steps) == ("mean", "euler", 1)
    for stage in (mean, crps):
        assert (stage.data, stage.model, stage.stages) == (whole.data, whole.model, {})
        assert stage.training.steps == whole.training.steps


def test_stages_have_folders_of_their_own_and_begin_with_each_other(experiment: Make) -> None:
    whole = experiment(**STAGES, stages__own={"training": {"folder": "elsewhere", "start": "other.safetensors"}})
    folder = whole.training.folder
    mean, crps, own = (whole.stage(name).training for name in whole.stages)
    assert (mean.folder, crps.folder, own.folder) == (folder / "mean", folder / "crps", Path("elsewhere"))
    assert (mean.start, crps.start) == (None, str(folder / "mean" / "checkpoint.safetensors"))
    assert own.start == "other.safetensors", "a checkpoint"


def test_unknown_stage(experiment: Make) -> None:
    with pytest.raises(ConfigError, match="no stage 'edm', expected one of: mean, crps"):
        experiment(**STAGES).stage("edm")
    with pytest.raises(ConfigError, match="no stage 'edm', expected one of: none; leave --stage out"):
        experiment().stage("edm")


@pytest.mark.parametrize(("stage", "said"), [
    ({"training": {"steps": 0}}, "stage x: training.steps: Input should be greater than or equal to 1, got 0"),
    ({"training": {"lr": 1}}, "stage x: unknown key 'training.lr'; remove it or mend the spelling"),
    ({"training": {"objective": {"kind": "mean"}}}, "stage x: the objective mean needs sampler {name: mean}"),
    ({"data": {}}, "unknown key 'stages.x.data'; remove it or mend the spelling"),
    ({"training": None}, "stages.x.training: expected keys with values, got None; see"),
    ([1], "stages.x: expected keys with values, got [1]; see"),
    ({"training": {"start": "x"}}, "stage x starts with x, expected a stage before it, a .safetensors file, or the na"),
    ({"training": {"start": "y"}}, "stage x starts with y, expected a stage before it, a .safetensors file, or the na"),
    ({"training": {"start": "maen"}}, "stage x starts with maen, expected a stage before it, a .safetensors file, or"),
    ({"training": {"folder": 3}}, "stage x: training.folder: Input is not a valid path for <class 'pathlib.Path'>"),
])  # fmt: skip
def test_bad_stage_is_named(experiment: Make, stage: Any, said: str) -> None:
    assert problem(experiment, stages__x=stage, stages__y={}).startswith(said)


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden"])
def test_name_of_a_stage_is_that_of_a_folder(experiment: Make, name: str) -> None:
    assert "String should match pattern" in problem(experiment, **{f"stages__{name}": {}})


def test_study_loads_with_all_its_stages() -> None:
    study = load_experiment(Path(__file__).parents[2] / "benchmarks" / "planet" / "study.yaml")
    assert {"mean", "crps", "edm", "flow"} <= set(study.stages)
    assert study.stage("flow").model.process == "flow_matching"


# the command


@pytest.fixture
def staged(experiment: Make, tmp_path: Path) -> Path:
    """The file of a small experiment with two stages."""
    experiment(**STAGES, training__steps=2, training__warmup_steps=1)
    return tmp_path / "experiment.yaml"


def test_train_goes_through_all_stages(run: Run, staged: Path) -> None:
    plan = run("train", staged, "--dry-run").out.splitlines()
    assert [line.split(", ")[:3] for line in plan] == [
        ["mean: 2 batches of 4", "mean", "0 done"], ["crps: 2 batches of 4", "crps", "0 done"],
    ]  # fmt: skip
    outcome = run("train", staged, "--quiet")
    plan = run("train", staged, "--dry-run").out.splitlines()
    assert [line.split(", ")[2] for line in plan] == ["finished"] * 2
    folder = staged.parent / "run"
    said = [f"checkpoint: {folder / name / 'checkpoint.safetensors'}" for name in ("mean", "crps")]
    assert (outcome.code, outcome.out.splitlines(), outcome.err) == (0, said, "")
    assert sorted(path.name for path in folder.iterdir()) == ["crps", "mean"]


def test_train_one_stage_after_the_one_that_it_begins_with(run: Run, staged: Path) -> None:
    outcome = run("train", staged, "--stage", "crps", "--quiet")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.rstrip().endswith("mean/checkpoint.safetensors to start from; train stage mean first")
    assert run("train", staged, "--stage", "mean", "--quiet").code == 0
    assert not (staged.parent / "run" / "crps" / "checkpoint.safetensors").exists()
    assert run("train", staged, "--stage", "crps", "--quiet").code == 0
    assert run("train", staged, "--stage", "flow").err == "sphercast: no stage 'flow', expected one of: mean, crps\n"


def test_train_without_stages(run: Run, experiment: Make, tmp_path: Path) -> None:
    experiment(training__steps=2, training__warmup_steps=1)
    outcome = run("train", tmp_path / "experiment.yaml", "--quiet")
    assert outcome.out == f"checkpoint: {tmp_path / 'run' / 'checkpoint.safetensors'}\n"
    values = yaml.safe_load((tmp_path / "experiment.yaml").read_text())
    assert "stages" not in values
