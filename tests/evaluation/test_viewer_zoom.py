"""Zooming the viewer's map in a real browser: as far as the wheel turns, about what is under the pointer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.evaluation.test_viewer_browser import (  # noqa: F401, they are fixtures
    browser,
    opened,
    page,
    pieces,
    pytestmark,
    served,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

TURNED = "deltaY => sphercast.turned({ deltaY, deltaMode: 0 })"


def under_the_pointer(page: Page) -> list[float]:  # noqa: F811
    """Degrees north and east, read off the page."""
    text = page.locator("#readout").inner_text()
    found = re.match(r"([\d.]+)° ([NS]), ([\d.]+)° ([EW])", text)
    assert found, text
    return [float(found[1]) * (1 if found[2] == "N" else -1), float(found[3]) * (1 if found[4] == "E" else -1)]


@pytest.mark.parametrize("projection", ["equirectangular", "robinson"])
def test_the_wheel_zooms_as_far_as_it_turns_about_the_pointer(page: Page, served: str, projection: str) -> None:  # noqa: F811
    opened(page, served, f"variable=2m_temperature&compare=a&map={projection}")
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    page.mouse.move(stage["x"] + 0.7 * stage["width"], stage["y"] + 0.35 * stage["height"])
    before = under_the_pointer(page)
    for _ in range(10):
        page.mouse.wheel(0, -40)
    page.wait_for_function("sphercast.state.zoom > 2.5")
    assert page.evaluate("sphercast.state.zoom") == pytest.approx(2.718, abs=0.01)
    page.mouse.move(stage["x"] + 0.7 * stage["width"] + 0.5, stage["y"] + 0.35 * stage["height"])
    assert under_the_pointer(page) == pytest.approx(before, abs=2.0 if projection == "robinson" else 0.6)


def test_a_turn_zooms_by_a_half_to_twice(page: Page, served: str) -> None:  # noqa: F811
    opened(page, served)
    assert page.evaluate(TURNED, -4) == pytest.approx(1.01, abs=1e-3)
    assert [page.evaluate(TURNED, turn) for turn in (-1e5, 0, 1e5)] == [2.0, 1.0, 0.5]
