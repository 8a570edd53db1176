"""The table of variables: consistent, and a miss names the valid keys."""

from __future__ import annotations

import pytest

from data_pipeline.errors import DataError
from data_pipeline.variables import CANONICAL_NAME, VARIABLES, variable


def test_every_spelling_means_one_variable() -> None:
    spellings = [name for entry in VARIABLES.values() for name in (entry.name, *entry.short_names)]
    assert len(spellings) == len(set(spellings)) == len(CANONICAL_NAME)


@pytest.mark.parametrize("entry", VARIABLES.values(), ids=lambda entry: entry.name)
def test_entries_are_sound(entry) -> None:
    low, high = entry.valid_range
    assert low < high
    assert entry.minimum is None or low <= entry.minimum < high
    assert not entry.name.rpartition("_")[2].isdigit()  # else a channel's name could not be told from a level
    assert " " not in entry.standard_name
    assert variable(entry.name) is entry
    assert {entry.crosses_pole_with_sign, entry.mirrors_with_sign} <= {-1, 1}


def test_wind_turns_round_at_the_pole_and_in_the_mirror() -> None:
    assert variable("v_component_of_wind").crosses_pole_with_sign == -1
    assert variable("v_component_of_wind").mirrors_with_sign == -1
    assert variable("u_component_of_wind").mirrors_with_sign == 1
    assert variable("temperature").crosses_pole_with_sign == 1


def test_unknown_variable_lists_the_known() -> None:
    with pytest.raises(DataError, match=r"unknown variable 'temprature'; expected one of: .*temperature"):
        variable("temprature")


def test_long_name_is_readable() -> None:
    assert variable("mean_sea_level_pressure").long_name == "mean sea level pressure"
