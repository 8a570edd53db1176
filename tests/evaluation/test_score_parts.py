"""Parts of a score put together, and killed scores that go on, are the score of everything at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.answer import merge
from evaluation.kept import Kept, keeping
from evaluation.pairs import match
from evaluation.question import Question
from evaluation.readers import open_forecasts, open_runs
from evaluation.score_files import read_scores, read_sums, write_scores
from evaluation.scored import open_pair
from evaluation.tally import Tally
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evaluation.answer import Answer
    from evaluation.lost import Tallied
    from evaluation.pairs import Match
    from tests.evaluation.conftest import RisingClimatology


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize(("by", "longest"), [(None, 0), ("hour", 8192)])
def test_any_parts_make_the_same_scores(
    written: Callable[..., Path], truth: xr.Dataset, tmp_path: Path, count: int, by: str | None, longest: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("evaluation.sums.MOST_NUMBERS", longest)
    paths = [written(start=start) for start in (0, 1, 4, 5, 9)]
    asked = {"by": by, "regions": ["global", "tropics"], "metrics": ["crps", "rmse", "spread_skill", "rank_histogram",
             "zonal_spectrum"]}  # fmt: skip
    whole = answered(paths, truth, **asked).scores
    files = []
    for number in range(count, 0, -1):
        files.append(tmp_path / f"part{number}.nc")
        write_scores(answered(paths, truth, part=(number, count), **asked), files[-1])
    merged = merge(files, into=tmp_path / "all.nc").scores
    xr.testing.assert_equal(merged, whole)
    assert {name: text for name, text in merged.attrs.items() if name != "forecasts"} == {
        name: text for name, text in whole.attrs.items() if name != "forecasts"
    }


def test_parts_that_do_not_fit_are_refused(two_runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.nc", "b.nc", "plain.nc")]
    write_scores(answered(two_runs[:1], truth), files[0])
    write_scores(answered(two_runs[1:], truth, regions=["tropics"]), files[1])
    xr.Dataset({"x": 1.0}).to_netcdf(files[2], engine="netcdf4")
    with pytest.raises(ScoreError, match=r"b.nc was asked regions \('tropics',\), the first \('global',\); score all"):
        merge(files[:2])
    with pytest.raises(ScoreError, match="several parts hold the initial time 2020-01-01T00:00; give each part once"):
        merge([files[0], files[0]])
    with pytest.raises(ScoreError, match=r"plain.nc does not say what was asked, expected a file of 'sphercast score'"):
        merge(files[2:])
    with pytest.raises(ScoreError, match=r"plain.nc holds no sums, expected a file of 'sphercast score'; score again"):
        read_sums(files[2])
    xr.Dataset({"sum_matched": 1.0, "hit_rate": 0.5}).to_netcdf(files[2], engine="netcdf4")
    with pytest.raises(ScoreError, match=r"plain.nc holds scores of tracks \(of 'sphercast tracks score'\), exp"):
        open_pair([files[2]])
    xr.Dataset(dict.fromkeys(("forecast", "truth", "hellinger"), 0.5)).to_netcdf(files[2], engine="netcdf4")
    with pytest.raises(ScoreError, match=r"plain.nc holds a joint histogram \(of 'sphercast score joint'\), exp"):
        open_pair([files[2]])
    with pytest.raises(ScoreError, match=r"absent.nc cannot be read .*; expected a file of 'sphercast score'"):
        read_scores(tmp_path / "absent.nc")
    with pytest.raises(ScoreError, match="got part 3/2, expected i/n with 1 <= i <= n"):
        Question(part=(3, 2))


def test_a_killed_score_goes_on_from_its_last_run(
    two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, question = tmp_path / "scores.nc", Question()
    scored_runs = []
    run = Tally.run

    def dies_in_the_second(self: Tally, matches: list[Match]) -> Tallied:
        scored_runs.append(matches[0].initial_time)
        if len(scored_runs) == 2:
            raise KeyboardInterrupt
        return run(self, matches)

    monkeypatch.setattr(Tally, "run", dies_in_the_second)
    with pytest.raises(KeyboardInterrupt), keeping(out, question, {}) as kept:
        answered(two_runs, truth, kept=kept)
    with keeping(out, question, {}) as kept:
        again = answered(two_runs, truth, kept=kept).scores.isel(region=0, drop=True)
    assert len(scored_runs) == 3, "the second run twice, the first once"
    xr.testing.assert_equal(again, scores.sel(model=again["model"]))
    assert not (tmp_path / "scores.nc.partial").exists()


@pytest.mark.parametrize("longest", [0, 8192])
def test_what_is_kept_while_it_is_made_changes_nothing(
    two_runs: list[Path], truth: xr.Dataset, tmp_path: Path, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.sums.MOST_NUMBERS", longest)
    asked = {"metrics": ("crps", "rank_histogram"), "regions": ("global", "tropics")}
    here = answered(two_runs, truth, **asked)
    for _ in range(2):  # the second time, what the first kept and read is still open
        found = answered(two_runs, truth, kept=Kept(tmp_path / "kept", "one"), **asked)
        write_scores(found, tmp_path / "there.nc")
        xr.testing.assert_identical(found.scores, here.scores)
        for name, sums in read_sums(tmp_path / "there.nc").items():
            xr.testing.assert_identical(found.sums[name].load(), sums)
            xr.testing.assert_equal(here.sums[name], sums)


def test_what_was_kept_of_another_question_or_is_torn_is_not_used(
    two_runs: list[Path], truth: xr.Dataset, tmp_path: Path
) -> None:
    out, sums = tmp_path / "scores.nc", answered(two_runs[:1], truth).sums
    matches = match(open_runs(two_runs[0]), truth)[0]
    one = Kept(tmp_path / "kept", "one")
    one.keep(matches, sums)
    assert one.find(matches) is not None
    assert Kept(one.folder, "two").find(matches) is None
    assert one.find(matches[:-1]) is None, "a run of fewer fields"
    beside = one.among(Grid.of(truth), matches)
    assert beside.find(matches) is None, "baselines may depend on the other runs"
    assert beside.digest != one.among(Grid.of(truth), matches[:2]).digest
    (file,) = one.folder.glob("*.nc")
    file.write_bytes(file.read_bytes()[:500])
    assert one.find(matches) is None
    digests = set()
    for question, inputs in ((Question(), {}), (Question(by="hour"), {}), (Question(), {"truth": "another"})):
        with keeping(out, question, inputs) as kept:
            digests.add(kept.digest)
    assert len(digests) == 3


def test_parts_of_a_map_make_the_same_map(two_runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    whole, files = answered(two_runs, truth, regions=["map"]).scores, [tmp_path / "1.nc", tmp_path / "2.nc"]
    for number, file in enumerate(files, 1):
        write_scores(answered(two_runs, truth, regions=["map"], part=(number, 2)), file)
    merged = merge(files).scores
    assert {"latitude", "longitude"} <= set(merged["crps_2m_temperature"].dims)
    xr.testing.assert_equal(merged, whole)


def test_parts_beside_other_baselines_grids_or_truths_are_refused(
    two_runs: list[Path], truth: xr.Dataset, climatology: RisingClimatology, tmp_path: Path
) -> None:
    """A mean of some baselines over half of the times would stand beside the forecast's over all."""
    first, second = tmp_path / "first.nc", tmp_path / "second.nc"
    write_scores(answered(two_runs[:1], truth), first)

    def refused(answer: Answer, match: str) -> None:
        write_scores(answer, second)
        with pytest.raises(ScoreError, match=match):
            merge([first, second])

    refused(answered(two_runs[1:], truth, climatology=climatology),
            r"of different models, \['forecast', 'persistence'\] and \[.*'climatology'\]; score alike")  # fmt: skip
    refused(answered(two_runs[1:], truth.assign_attrs(source="ERA5")),
            r"second.nc was scored against the truth ERA5, .*first.nc against the truth unknown; score")  # fmt: skip
    other = answered(two_runs[1:], truth)
    refused(replace(other, scores=other.scores.assign_attrs(grid="2x4 grid")), r"second.nc was scored on the 2x4 grid")
    celsius = {name: own.assign_attrs(units="degC") for name, own in other.sums.items()}
    refused(replace(other, sums=celsius), r"the parts are in different units, .* and 'degC'; convert one")


def test_what_is_said_of_parts_is_said_of_all(written: Callable[..., Path], truth: xr.Dataset, tmp_path: Path) -> None:
    paths, files = [written(members=7), written(start=5, members=2)], [tmp_path / "1.nc", tmp_path / "2.nc"]
    for path, file, said in zip(paths, files, ("3 of 3 are known", "none"), strict=True):
        part = answered([path], truth)
        write_scores(replace(part, scores=part.scores.assign_attrs(climatology_overlap=said)), file)
    merged = merge(files).scores
    assert merged.attrs["ensemble_size"] == answered(paths, truth).scores.attrs["ensemble_size"] == "2 7"
    assert merged.attrs["climatology_overlap"] == "3 of 3 are known"


def test_parts_of_several_ensemble_sizes_have_no_ranks_together(
    written: Callable[..., Path], truth: xr.Dataset, tmp_path: Path
) -> None:
    files = [tmp_path / "1.nc", tmp_path / "2.nc"]
    for path, file in zip([written(members=7), written(start=5, members=2)], files, strict=True):
        write_scores(answered([path], truth, metrics=["rank_histogram"]), file)
    with pytest.raises(ScoreError, match="rank_histogram needs ensembles of one size, got sizes 2, 7; score"):
        merge(files)


def test_what_was_kept_is_not_used_after_a_file_has_changed(tmp_path: Path) -> None:
    store, stations = tmp_path / "truth.zarr" / "t" / "c", tmp_path / "stations.csv"
    store.mkdir(parents=True)

    def digest(region: str = "global") -> str:
        with keeping(
            tmp_path / "scores.nc", Question(regions=(region,)), {"truth": str(tmp_path / "truth.zarr")}
        ) as own:
            return own.digest

    bare = digest()
    assert digest() == bare
    (store / "0").write_text("a chunk")
    filled = digest()
    (store / "0").write_text("another chunk")
    assert len({bare, filled, digest()}) == 3
    stations.write_text("latitude,longitude\n1,2\n")
    near = digest(f"land&stations:{stations}")
    stations.write_text("latitude,longitude\n60,2\n")
    assert digest(f"land&stations:{stations}") != near


def test_only_runs_whose_files_changed_are_scored_again(
    two_runs: list[Path], truth: xr.Dataset, tmp_path: Path
) -> None:
    matches, sums = match(open_forecasts(two_runs)[0], truth)[0], answered(two_runs[:1], truth).sums
    runs = [[own for own in matches if own.run.attrs["path"] == str(path)] for path in two_runs]
    for own in runs:
        Kept(tmp_path / "kept", "one").keep(own, sums)
    two_runs[0].write_bytes(two_runs[0].read_bytes() + b" ")
    later = Kept(tmp_path / "kept", "one")
    assert later.find(runs[0]) is None
    assert later.find(runs[1]) is not None


def test_missing_data_may_be_allowed_later(tmp_path: Path) -> None:
    digests = set()
    for allowed in (False, True):
        with keeping(tmp_path / "scores.nc", Question(allow_missing=allowed), {}) as own:
            digests.add(own.digest)
    assert len(digests) == 1
