"""What is compared with what, and that nothing without a partner vanishes in silence."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.channels import Channel
from data_pipeline.errors import DataError, ScoreError
from data_pipeline.grid import Grid
from evaluation.pairs import Snapshots, match
from evaluation.readers import open_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

START = np.datetime64("2020-01-01T00", "ns")


def test_members_stand_beside_the_truth_of_their_valid_time(
    truth: xr.Dataset, written: Callable[..., Path], ensemble: Callable[..., xr.Dataset]
) -> None:
    matches, lacking = match(open_runs(written(start=2)), truth)
    assert (len(matches), lacking) == (9, [])
    for pair in matches:
        name, level = pair.channel.variable_name, pair.channel.level
        assert pair.valid_time == START + np.timedelta64(24 + int(pair.lead_hours), "h")
        expected = ensemble(start=2)[name].sel(time=pair.valid_time)
        expected = expected if level is None else expected.sel(level=level)
        np.testing.assert_array_equal(pair.members(), expected)
        exact = truth[name].sel(time=pair.valid_time)
        observed = Snapshots(truth).field(pair.channel, pair.valid_time)
        np.testing.assert_array_equal(observed, exact if level is None else exact.sel(level=level))


def test_one_deterministic_run_has_one_member(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    matches, _ = match(open_runs(written(lambda data: data.isel(realization=0, drop=True))), truth)
    assert matches[0].members().shape == (1, 6, 8)


def test_snapshots_follow_a_change_of_time_and_of_variable(truth: xr.Dataset) -> None:
    snapshots, times = Snapshots(truth.transpose("longitude", "latitude", ...)), truth["time"].values
    for time in times[[0, 3, 0]]:
        for channel in (Channel("geopotential", 850), Channel("2m_temperature"), Channel("geopotential", 500)):
            expected = truth[channel.variable_name].sel(time=time)
            expected = expected.sel(level=channel.level) if channel.level else expected
            np.testing.assert_array_equal(snapshots.field(channel, time), expected)


def test_workers_are_not_sent_what_snapshots_have_read(truth: xr.Dataset) -> None:
    snapshots, time = Snapshots(truth), truth["time"].values[3]
    before = len(pickle.dumps(snapshots))
    field = snapshots.field(Channel("geopotential", 850), time)
    assert len(pickle.dumps(snapshots)) < before + field.nbytes
    again: Snapshots = pickle.loads(pickle.dumps(snapshots))
    np.testing.assert_array_equal(again.field(Channel("geopotential", 850), time), field)


def test_variables_limit_what_is_scored(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    matches, lacking = match(open_runs(written()), truth.drop_vars("geopotential"), ["2m_temperature"])
    assert {pair.channel.name for pair in matches} == {"2m_temperature"}
    assert lacking == []
    with pytest.raises(ScoreError, match="no forecast has vorticity; they have 2m_temperature, geopotential"):
        match(open_runs(written()), truth, ["vorticity"])


def test_padding_on_a_shared_level_axis_is_not_scored(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    def pad(data: xr.Dataset, **attributes: str) -> xr.Dataset:
        return data.assign(geopotential=data["geopotential"].where(data["level"] == 500)).assign_attrs(attributes)

    def scored(path: Path) -> set[str]:
        return {pair.channel.name for pair in match(open_runs(path), truth)[0]}

    assert scored(written(lambda data: pad(data, channels="geopotential_500 2m_temperature"))) == {
        "geopotential_500",
        "2m_temperature",
    }
    for unsaid in ({}, {"channels": "3"}):
        path = written(lambda data, unsaid=unsaid: pad(data, **unsaid))
        assert scored(path) == {"geopotential_500", "geopotential_850", "2m_temperature"}


@pytest.mark.parametrize("levels", [[500, 850], [850]])
def test_a_variable_that_the_file_does_not_name_is_not_dropped(
    truth: xr.Dataset, written: Callable[..., Path], levels: list[int]
) -> None:
    """Added to a forecast since it was written; of one level, the piece is put together field by field."""

    def added(data: xr.Dataset, units: str = "kg m-2") -> xr.Dataset:
        fuel = (data["2m_temperature"] - 270).assign_attrs(units=units)
        return data.assign(forest_fuel=fuel, snow=fuel).sel(level=levels).squeeze()

    path = written(lambda data: added(data).assign_attrs(channels="geopotential_850 2m_temperature"))
    fuel = (truth["2m_temperature"] - 270).assign_attrs(units="kg m-2")
    runs, known = open_runs(path), truth.assign(forest_fuel=fuel)
    matches, lacking = match(runs, known)
    assert {pair.channel.name for pair in matches} == {"geopotential_850", "2m_temperature", "forest_fuel"}
    assert lacking == ["the truth lacks snow"]
    in_tonnes = known.assign(forest_fuel=fuel.assign_attrs(units="t m-2"))
    with pytest.raises(ScoreError, match=r"forest_fuel is in 'kg m-2' in the run of .*, in 't m-2' in the truth"):
        match(runs, in_tonnes)


def test_everything_without_a_partner_is_listed(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    smaller = truth.drop_vars("2m_temperature").sel(level=[500]).isel(time=[0, 1, 2])
    matches, lacking = match(open_runs(written()), smaller)
    assert [(pair.channel.name, pair.lead_hours) for pair in matches] == [
        ("geopotential_500", 12.0),
        ("geopotential_500", 24.0),
    ]
    assert lacking == [
        "the truth lacks geopotential_850",
        "the truth lacks 2m_temperature",
        "the truth lacks 2020-01-02T12:00",
    ]


def test_a_run_that_lacks_what_another_has_is_listed(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    runs = [*open_runs(written()), *open_runs(written(lambda data: data.sel(level=[500]), start=4))]
    assert match(runs, truth)[1] == ["the run of 2020-01-03T00:00 lacks geopotential_850"]


def test_a_truth_that_has_more_is_fine(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    matches, lacking = match(open_runs(written(lambda data: data[["2m_temperature"]])), truth)
    assert (len(matches), lacking) == (3, [])


def test_float32_coordinates_match_float64_ones(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    def narrow(data: xr.Dataset) -> xr.Dataset:
        return data.assign_coords({name: data[name].astype(np.float32) for name in ("latitude", "longitude")})

    third = Grid.equiangular(6, 9, poles=False)
    shifted = {"longitude": list(third.longitude)[:8]}  # 13.3333...: no float32
    matches, lacking = match(
        open_runs(written(lambda data: narrow(data.assign_coords(shifted)))), truth.assign_coords(shifted)
    )
    assert (len(matches), lacking) == (9, [])


def test_another_grid_is_refused_with_both_named(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    runs = open_runs(written(lambda data: data.isel(longitude=slice(0, 4))))
    with pytest.raises(ScoreError, match=r"on a 6x4 grid \(.*\), the truth on a 6x8 grid \(.*\); regrid one"):
        match(runs, truth)


def test_other_units_are_converted_and_those_of_unknown_variables_compared(
    truth: xr.Dataset, written: Callable[..., Path]
) -> None:
    def label(name: str, units: str) -> Path:
        return written(lambda data: data.assign({name: data["geopotential"].assign_attrs(units=units)}))

    for units in ("m**2 s**-2", "gpm"):
        assert match(open_runs(label("geopotential", units)), truth)[1] == []
    verifying = truth.assign(my_index=truth["geopotential"].assign_attrs(units="K"))
    with pytest.raises(ScoreError, match=r"my_index is in 'bananas' in the run of .*, in 'K' in the truth; convert"):
        match(open_runs(label("my_index", "bananas")), verifying)


def test_no_valid_time_in_common(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    for times, said in ((slice(10, None), "2020-01-06T00:00 to 2020-01-09T12:00"), (slice(0, 0), "none")):
        matches, lacking = match(open_runs(written()), truth.isel(time=times))
        assert matches == []
        assert lacking == [
            f"no valid time is in both the forecasts (2020-01-01T12:00 to 2020-01-02T12:00) and the truth ({said})"
        ]


def test_runs_of_the_same_start_are_refused(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    with pytest.raises(ScoreError, match="several runs start at 2020-01-01T00:00; give each initial time once"):
        match([*open_runs(written()), *open_runs(written())], truth)


def test_no_runs_are_refused(truth: xr.Dataset) -> None:
    with pytest.raises(ScoreError, match="no forecasts were given"):
        match([], truth)


def test_a_truth_without_or_with_repeated_times_is_refused(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    runs = open_runs(written())
    for bad in (truth.isel(time=0), truth.isel(time=[0, 1, 1, 2])):
        with pytest.raises(ScoreError, match="expected a canonical dataset in which each time stands once"):
            match(runs, bad)


def test_a_field_that_is_damaged_inside_the_file_is_named(
    truth: xr.Dataset, written: Callable[..., Path], ensemble: Callable[..., xr.Dataset]
) -> None:
    def checksummed(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"].encoding.update(fletcher32=True, chunksizes=(1, 1, 6, 8))
        return data

    path = written(checksummed)
    field = ensemble()["2m_temperature"].values[3, 1].tobytes()
    content = path.read_bytes()
    assert content.count(field) == 1
    path.write_bytes(content.replace(field, bytes(len(field))))
    matches, _ = match(open_runs(path), truth)
    with pytest.raises(DataError, match=r"2m_temperature of 2020-01-01T00:00 at \+24 h: .* cannot be read \(.*HDF"):
        _ = [pair.members() for pair in matches]
