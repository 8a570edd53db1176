"""Cycles are pure functions of the time, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from data_pipeline.errors import ConfigError
from forecast.service.clock import SystemClock, wait_until
from forecast.service.cycles import Calendar, Timing, due_cycles, name_of, parse_cycle
from forecast.service.durations import parse_duration, show_duration
from tests.forecast.service.world import HOUR, FakeClock, at


def timing(**values: object) -> Timing:
    given = {"delay": 3 * HOUR, "deadline": 9 * HOUR, "window": 24 * HOUR, "order": "newest",
             "first": HOUR / 60, "longest": HOUR / 4}  # fmt: skip
    return Timing(**{**given, **values})


def test_hours_of_the_day_and_cron_say_the_same() -> None:
    by_hours, by_cron = Calendar.of([0, 6, 12, 18]), Calendar.of("0 */6 * * *")
    assert by_hours.between(at(0), at(24)) == [at(0), at(6), at(12), at(18), at(24)]
    assert by_cron.between(at(0.5), at(24)) == [at(6), at(12), at(18), at(24)]


def test_weekdays_and_leap_days() -> None:
    assert Calendar.of("0 12 * * thu").between(at(0), at(400)) == [at(84), at(252)]
    assert Calendar.of("0 0 29 2 *").last(at(0)) == datetime(2024, 2, 29, tzinfo=UTC)


def test_last_and_next_to_the_microsecond() -> None:
    calendar, instant = Calendar.of([0, 6]), timedelta(microseconds=1)
    assert calendar.last(at(6)) == at(6)
    assert calendar.last(at(6) - instant) == at(0)
    assert calendar.next(at(6)) == at(24)
    assert calendar.next(at(6) - instant) == at(6)
    assert calendar.holds(at(6))
    assert not calendar.holds(at(7))


def test_daylight_saving_does_not_matter() -> None:
    """All around the hours that Berlin skips and repeats, in 2026, there are four cycles a day."""
    calendar = Calendar.of([0, 6, 12, 18])
    for month, day in ((3, 29), (10, 25)):
        here = datetime(2026, month, day, tzinfo=timezone(timedelta(hours=2)))
        cycles = calendar.between(here - 24 * HOUR, here + 24 * HOUR)
        assert {after - before for before, after in pairwise(cycles)} == {6 * HOUR}


@pytest.mark.parametrize(
    ("cycles", "words"),
    [
        ("0 0 *", "expected five fields"),
        ("30 * * * *", "the first 0 as cycles start at whole hours"),
        ("0 0 * * 1", "expected weekdays by name"),
        ("0 0 1 * mon", "expected days of the month or weekdays, not both"),
        ("0 25 * * *", "expected a cron expression"),
        ("0 0 31 2 *", "expected a cron expression of days that exist"),
    ],
)
def test_cron_that_cannot_be_meant(cycles: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Calendar.of(cycles)


@pytest.mark.parametrize("text", ["2026-03-02T06", "20260302T06", "2026-03-02T06:00", "2026-03-02T06Z"])
def test_names(text: str) -> None:
    assert parse_cycle(text) == at(6)
    assert name_of(at(6)) == "20260302T06"


@pytest.mark.parametrize("text", ["", "latest", "2026-03-02", "2026-02-30T00", "2026-03-02T06:30", "../etc"])
def test_no_names(text: str) -> None:
    with pytest.raises(ConfigError, match="expected its initial time in UTC as 2001-01-05T06"):
        parse_cycle(text)


@pytest.mark.parametrize("text", ["0001-01-01T00", "1699-12-31T18", "2151-01-01T00", "9999-12-31T18"])
def test_years_that_cannot_be(text: str) -> None:
    with pytest.raises(ConfigError, match=f"got the cycle '{text}', expected one in the years 1700 to 2150; mend the"):
        parse_cycle(text)


def test_due_cycles_are_in_the_window_and_in_order() -> None:
    calendar = Calendar.of([0, 6, 12, 18])
    assert due_cycles(calendar, timing(), at(26)) == [at(18), at(12), at(6)]
    assert due_cycles(calendar, timing(order="oldest"), at(27)) == [at(6), at(12), at(18), at(24)]
    assert due_cycles(calendar, timing(window=timedelta()), at(26)) == [at(18)], "those within the deadline"


def test_pauses_double_up_to_the_longest() -> None:
    minutes = [timing().pause(looks) / timedelta(minutes=1) for looks in (1, 2, 3, 4, 5, 6, 1000)]
    assert minutes == [1, 2, 4, 8, 15, 15, 15]


def test_waiting_by_a_clock_that_is_moved() -> None:
    ahead, back = FakeClock(at(0), {at(1): 9 * HOUR}), FakeClock(at(0), {at(1): -9 * HOUR})
    wait_until(ahead, at(3))
    assert ahead.time == at(10)
    wait_until(back, at(3))
    assert back.time == at(-6), "three hours have passed, whatever the clock shows"


def test_the_machines_clock() -> None:
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.001)
    assert before < clock.now() < before + HOUR
    assert before.tzinfo is UTC


@pytest.mark.parametrize(("text", "seconds"), [("90 s", 90), ("15min", 900), ("1.5 h", 5400), ("1 d 2 h", 93600)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(show_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["36501 d", "99999999999 d", "9" * 400 + " d"])
def test_durations_that_lead_out_of_the_calendar(text: str) -> None:
    with pytest.raises(ValueError, match="expected at most 36500 d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5 h", "h", "5 h later", None])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="expected a length of time with its unit, as in 90 s, 15 min, 6 h or 2 d"):
        parse_duration(text)
