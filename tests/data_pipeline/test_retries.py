"""What is said while requests are made again."""

from __future__ import annotations

import logging

import pytest

from data_pipeline.retries import _LOG, Attempts, Patience


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been said before."""
    (often,) = _LOG.filters
    monkeypatch.setattr(often, "_next", 0.0)


@pytest.mark.usefixtures("at_once")
def test_another_try_is_said_with_its_host(caplog: pytest.LogCaptureFixture) -> None:
    attempts = Attempts("https://example.org/era5.zarr/.zgroup", Patience(tries=5, first=2.0))
    with caplog.at_level(logging.WARNING):
        attempts.pause_after(TimeoutError())
    (message,) = caplog.messages
    assert message.startswith("example.org did not answer in time; trying again in ")
    assert message.endswith(" s (2 of 5)")


@pytest.mark.usefixtures("at_once")
def test_many_failures_together_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        Attempts("era5.nc").pause_after(TimeoutError())
    assert len(caplog.messages) == 1
