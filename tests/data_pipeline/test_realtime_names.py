"""The tables of names against eccodes: what an index calls a variable is what the message's header says it is."""

from __future__ import annotations

from typing import Any

import pytest

from data_pipeline.realtime import ecmwf, fetching, noaa
from data_pipeline.realtime.archive import Place
from data_pipeline.realtime.fields import fields_of
from data_pipeline.sources.grib_message import kind_of
from data_pipeline.sources.grib_selection import held_variables
from tests.data_pipeline.grib_messages import eccodes
from tests.data_pipeline.realtime_world import REQUEST

NUMBERS = {
    "HGT": (0, 3, 5), "TMP": (0, 0, 0), "UGRD": (0, 2, 2), "VGRD": (0, 2, 3), "SPFH": (0, 1, 0), "RH": (0, 1, 1),
    "VVEL": (0, 2, 8), "DPT": (0, 0, 6), "PRMSL": (0, 3, 1), "PRES": (0, 3, 0), "APCP": (0, 1, 8), "TCDC": (0, 6, 1),
    "ICEC": (10, 2, 0), "LAND": (2, 0, 0), "PWAT": (0, 1, 3), "WEASD": (0, 1, 13),
}  # fmt: skip
"""Discipline, category and number of wgrib2's names (WMO code table 4.2)."""
SURFACES = {
    "mb": (100, 50000), "2 m above ground": (103, 2), "10 m above ground": (103, 10), "100 m above ground": (103, 100),
    "mean sea level": (101, 0), "surface": (1, 0), "entire atmosphere": (10, 0),
    "entire atmosphere (considered as a single layer)": (200, 0),
}  # fmt: skip
"""Type of surface and value (code table 4.5)."""


def variables(**keys: Any) -> list[str]:
    handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    content = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return list(held_variables([kind_of(content, b"")]))


@pytest.mark.parametrize(("said", "expected"), ecmwf.NAMES.items())
def test_names_of_ecmwf(said: tuple[str, str], expected: str) -> None:
    level, param = said
    on_ground = {"typeOfLevel": "surface"} if param in {"z", "sdor"} else {}
    place = {"typeOfLevel": "isobaricInhPa", "level": 500} if level == "pl" else on_ground
    assert variables(centre="ecmf", shortName=param, **place) == [expected]


@pytest.mark.parametrize(("said", "expected"), noaa.NAMES.items())
def test_names_of_noaa(said: tuple[str, str], expected: str) -> None:
    parameter, place = said
    (discipline, category, number), (surface, value) = NUMBERS[parameter], SURFACES[place]
    assert variables(
        centre="kwbc", discipline=discipline, parameterCategory=category, parameterNumber=number,
        typeOfFirstFixedSurface=surface, scaleFactorOfFirstFixedSurface=0, scaledValueOfFirstFixedSurface=value,
    ) == [expected]  # fmt: skip


def test_stretches_of_bytes(monkeypatch) -> None:
    one, two, three, four = fields_of(REQUEST)[:4]
    places = {four: Place("b", 20, 9), two: Place("a", 10, 10), one: Place("a", 0, 10), three: Place("a", 21, 5)}
    assert fetching.stretches(places) == [[one, two], [three], [four]]
    monkeypatch.setattr(fetching, "MOST_AT_ONCE", 19)
    assert fetching.stretches(places) == [[one], [two], [three], [four]]
    assert fetching.stretches({}) == []
