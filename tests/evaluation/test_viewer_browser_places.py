"""Meteograms of the page in a real browser: at the keyboard, and in an export what its quantiles are between points."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from evaluation.viewer.export import export
from evaluation.viewer.pieces import Pieces
from tests.evaluation.mock_maps import mock_forecast
from tests.evaluation.test_viewer_browser import (  # noqa: F401, they are fixtures
    browser,
    expect,
    filed,
    opened,
    page,
    pieces,
    pytestmark,
    served,
)
from tests.evaluation.test_viewer_server import serving
from tests.evaluation.viewed import content, values, written

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page


def test_a_place_by_keyboard_alone(page: Page, served: str) -> None:  # noqa: F811
    opened(page, served)
    page.locator(".stage").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#place p").first).to_have_text("0.0° N, 0.0° E")
    expect(page.locator("#place .how")).to_contain_text("Bilinear between 4 grid points; nearest grid point")
    page.keyboard.press("Shift+ArrowUp")
    expect(page.locator("#place p").first).to_have_text(re.compile(r"[1-9]\d*\.\d° N, 0.0° E"))
    page.locator("details summary").click()
    assert page.locator("#place tbody tr").count() == 3


@pytest.mark.parametrize("at", ["4.00,1.00", "-30.00,-4.00", "89.00,10.00"])
def test_an_export_interpolates_quantiles(at: str, page: Page, filed: str, pieces: Pieces) -> None:  # noqa: F811
    opened(page, filed, f"at={at}")
    expect(page.locator("#place .how")).to_contain_text("Quantiles bilinear between ")
    latitude, longitude = map(float, at.split(","))
    assert page.locator(".meteogram").count() == 1
    page.locator("details summary").click()
    shown = [float(own.replace("−", "-")) for own in page.locator("#place tbody tr:first-child td").all_inner_texts()]
    grid = content(pieces.make("meta"))["sides"]["a"]["grid"]
    rows = [values(pieces.make(f"series/a/0/1/{row}"))[0] for row in range(len(grid["latitude"]))]
    field = np.stack(rows, axis=1)[..., [*range(len(grid["longitude"])), 0]]  # closed at 360 degrees
    south, east = np.negative(grid["latitude"]), [*grid["longitude"], 360.0]
    across = np.array([[np.interp(longitude % 360, east, row) for row in quantile] for quantile in field])
    np.testing.assert_allclose(shown, [np.interp(-latitude, south, own) for own in across], rtol=0, atol=0.06)


@pytest.mark.parametrize("where", ["served", "filed"])
def test_a_place_outside_of_a_region_is_refused(where: str, page: Page, tmp_path: Path) -> None:  # noqa: F811
    region = mock_forecast().isel(latitude=slice(2, 6), longitude=[0, 1, 2, 29, 30, 31])
    made = Pieces(written(tmp_path / "region.nc", region))
    export(made, tmp_path / "page", print)
    with serving(made) as port:
        address = f"http://127.0.0.1:{port}/" if where == "served" else (tmp_path / "page" / "index.html").as_uri()
        for at in ("80.00,0.00", "40.00,90.00", "-80.00,0.00"):
            opened(page, address, f"at={at}")
            page.reload()
            expect(page.locator("#place [role=alert]")).to_contain_text("is outside the forecast's")
            expect(page.locator("#place [role=alert]")).to_contain_text("choose a place inside")
    made.close()
