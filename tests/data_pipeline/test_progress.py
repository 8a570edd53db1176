"""Progress: every item passes through; lines where the output is piped, silence when told so."""

from __future__ import annotations

import re
import sys

import pytest

from data_pipeline import progress
from data_pipeline.progress import plain_line, track


@pytest.mark.parametrize("enabled", [True, False])
def test_items_pass_through(enabled: bool, capsys) -> None:
    assert list(track(range(5), "counting", "thing", enabled=enabled)) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr().err
    assert ("counting: 5 of 5 things" in shown) == enabled


def test_a_resumed_count_starts_where_it_stopped(capsys) -> None:
    assert list(track([3, 4], "counting", "thing", start=3, total=5)) == [3, 4]
    assert "counting: 5 of 5 things" in capsys.readouterr().err


def test_lines_are_whole_and_without_question_marks(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    list(track(iter(range(4)), "counting", "thing", start=2, total=6))
    shown = capsys.readouterr().err
    assert "?" not in shown
    assert "\r" not in shown
    first, *others = shown.splitlines()
    assert first == "counting: 2 of 6 things, 00:00 elapsed"
    assert len(others) == 5  # one an item, and the end
    line = r"counting: [3-5] of 6 things, [\d.e+]+ things/s, 00:00 elapsed, 00:00 left"
    assert all(re.fullmatch(line, other) for other in others[:3])
    assert re.fullmatch(r"counting: 6 of 6 things, [\d.e+]+ things/s, 00:00 elapsed", others[-1])


def test_what_ends_early_says_how_far_it_came(capsys) -> None:
    with pytest.raises(ZeroDivisionError):
        [1 / item for item in track([2, 1, 0], "counting", "thing")]
    assert "counting: 2 of 3 things" in capsys.readouterr().err.splitlines()[-1]


def test_an_unknown_total() -> None:
    assert plain_line(7, None, 0, 2.0, "piece") == "7 pieces, 3.5 pieces/s, 00:02 elapsed"


def test_a_terminal_gets_a_bar(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track(range(3), "counting", "thing")) == [0, 1, 2]
    assert "counting: 100%|" in capsys.readouterr().err
