"""A dry run: what it says is what the build then does, and it writes nothing."""

from __future__ import annotations

import json
import os

import pytest

from data_pipeline.building.build import build
from data_pipeline.building.plan import plan
from data_pipeline.errors import DataError


def test_it_says_what_the_build_does(config, tmp_path) -> None:
    made = config(times_per_shard=6)
    planned = plan(made)
    assert sorted(os.listdir(tmp_path)) == ["states.nc", "static.nc"]
    assert (planned.channels, planned.times, planned.shards) == (3, 20, 4)
    assert planned.sources == {str(tmp_path / "states.nc"): "temperature_850, temperature_500, 2m_temperature"}
    assert planned.bytes_uncompressed == 20 * 3 * 8 * 16 * 4
    assert planned.seconds > 0
    store = build(made, progress=False)
    written = sum(path.stat().st_size for path in (store / "fields" / "c").rglob("*") if path.is_file())
    assert planned.bytes_on_disk == pytest.approx(written, rel=0.1)


def test_for_people_and_for_programs(config) -> None:
    planned = plan(config(precision="float16"), threads=3)
    text = str(planned)
    for part in ("20, 2001-01-01T00 to 2001-01-05T18, in 1 shards", "8x16 grid", "with 3 threads", "uncompressed"):
        assert part in text
    assert json.loads(planned.to_json())["times"] == 20


def test_the_climatology_is_counted(config) -> None:
    without = plan(config())
    assert without.bytes_of_climatology == 0
    with_it = plan(config(climatology={"window_days": 61, "quantiles": []}))
    assert with_it.bytes_of_climatology == 2 * 4 * 366 * 3 * 8 * 16 * 4


def test_it_refuses_what_the_build_refuses(config) -> None:
    with pytest.raises(DataError, match="the sources lack temperature_300"):
        plan(config(variables={"temperature": [300]}))
