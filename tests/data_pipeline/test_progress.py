"""Progress: every item passes through; lines where the output is piped, silence when told so."""

from __future__ import annotations

import pytest

from data_pipeline.progress import track


@pytest.mark.parametrize("enabled", [True, False])
def test_items_pass_through(enabled: bool, capsys) -> None:
    assert list(track(range(5), "counting", "thing", enabled=enabled)) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr().err
    assert ("counting: 5 of 5 things" in shown) == enabled


def test_a_resumed_count_starts_where_it_stopped(capsys) -> None:
    assert list(track([3, 4], "counting", "thing", start=3, total=5)) == [3, 4]
    assert "counting: 5 of 5 things" in capsys.readouterr().err
