"""The page in a real browser, from the server and from the disk: controls, keys, pointer, links, and what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from evaluation.viewer.export import export
from evaluation.viewer.pieces import Pieces
from tests.evaluation.mock_maps import TEN_DEGREES, mock_forecast
from tests.evaluation.test_viewer_server import serving
from tests.evaluation.viewed import HOSTILE, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")
expect = playwright.expect
expect.set_options(timeout=15_000)  # machines that test are busy


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        own = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield own
        own.close()


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pieces]:
    folder = tmp_path_factory.mktemp("viewed")
    data = mock_forecast()
    data["10m_u_component_of_wind"][:, :, :4] = np.nan
    other = mock_forecast(members=2).isel(lead_time=[0, 1]) + 1.0
    made = Pieces(
        written(folder / "forecast.nc", data, title=HOSTILE), against=str(written(folder / "other.nc", other))
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(pieces: Pieces) -> Iterator[str]:
    with serving(pieces) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def filed(pieces: Pieces, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("exported") / "page"
    export(pieces, folder, print)
    return (folder / "index.html").as_uri()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test for any error, message of the console, or request to anywhere else."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    own = context.new_page()
    own.set_default_timeout(20_000)
    told: list[str] = []
    own.on("pageerror", lambda error: told.append(str(error)))
    own.on("console", lambda message: told.append(message.text))
    own.on("request", lambda request: told.append(request.url) if not _is_ours(request.url) else None)
    yield own
    context.close()
    assert told == []


def _is_ours(url: str) -> bool:
    return url.startswith(("file:", "data:", "http://127.0.0.1:"))


def opened(page: Page, address: str, words: str = "compare=a") -> None:
    page.goto(f"{address}#{words}")
    page.locator(".legend svg").first.wait_for()


def title(page: Page, panel: int = 0) -> tuple[str, str]:
    caption = page.locator("figcaption").nth(panel)
    return caption.locator("strong").inner_text(), caption.locator("span").inner_text()


def colour(page: Page, x: float, y: float) -> list[int]:
    """Red, green, blue and alpha of the map at a share of its width and height."""
    script = """([x, y]) => {
      const map = document.querySelector('.stage canvas'), one = document.createElement('canvas').getContext('2d');
      one.drawImage(map, -Math.floor(map.width * x), -Math.floor(map.height * y));
      return [...one.getImageData(0, 0, 1, 1).data]; }"""
    found: list[int] = page.evaluate(script, [x, y])
    return found


@pytest.mark.parametrize("where", ["served", "filed"])
def test_every_control_and_the_pointer(where: str, page: Page, request: pytest.FixtureRequest) -> None:
    opened(page, request.getfixturevalue(where))
    assert title(page)[0] == "500 hPa geopotential height: ensemble mean"
    page.get_by_label("Variable").select_option(label="2 m temperature")
    expect(page.locator("figcaption strong")).to_have_text("2 m temperature: ensemble mean")
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("figcaption span")).to_contain_text("Valid 2001-01-08 00 UTC · T+72 h · 3 members")
    expect(page.locator("#valid")).to_have_text("Mon 2001-01-08 00 UTC T+72 h")
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(x, y)
    expect(page.locator("#readout")).to_have_text(re.compile(r"0\.\d° [NS], 0\.\d° [EW] – 10\.0 °C"))
    expect(page.locator(".tip").first).to_have_text("10.0 °C")
    page.mouse.click(x + 40, y)
    expect(page.locator("#place h2")).to_have_text("2 m temperature (°C)")
    expect(page.locator("#place .now-words")).to_have_text(re.compile(r"Median 10\.0\d? °C, .* at T\+72 h"))
    assert page.locator("#place svg.meteogram").get_attribute("aria-label").startswith("Meteogram at")
    assert "at=" in page.url
    page.get_by_role("button", name="Close the meteogram").click()
    expect(page.locator("#place")).to_be_hidden()


def test_the_colour_is_that_of_sphercast_plot(page: Page, served: str) -> None:
    opened(page, served, "variable=2m_temperature&compare=a")
    assert colour(page, 0.3, 0.6) == [*(round(255 * part) for part in TEN_DEGREES), 255]


def test_keys_change_level_member_and_variable(page: Page, served: str) -> None:
    opened(page, served)
    for key, words in (
        ("ArrowUp", "250 hPa geopotential height: ensemble mean"), ("m", "250 hPa geopotential height: member 0"),
        ("m", "250 hPa geopotential height: member 1"), ("M", "250 hPa geopotential height: member 0"),
        ("ArrowDown", "500 hPa geopotential height: member 0"), ("M", "500 hPa geopotential height: member 2"),
        ("p", "500 hPa geopotential height: ensemble mean"), ("p", "500 hPa geopotential height: ensemble spread"),
        ("v", "2 m temperature: ensemble spread"),
    ):  # fmt: skip
        page.keyboard.press(key)
        expect(page.locator("figcaption strong")).to_have_text(words)
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    page.keyboard.press("ArrowRight")  # the dialog has the keys now
    page.keyboard.press("Escape")
    expect(page.locator("#valid")).to_contain_text("T+24 h")
    page.keyboard.press("End")
    expect(page.locator("#valid")).to_contain_text("T+120 h")


def test_playing_goes_on_and_stops(page: Page, served: str) -> None:
    opened(page, served)
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#valid")).to_contain_text("T+72 h")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")


def test_two_sides_and_their_difference(page: Page, filed: str) -> None:
    opened(page, filed, "variable=2m_temperature&compare=ab")
    assert page.locator("figure").count() == 2
    assert "2 members · other.nc" in title(page, 1)[1]
    page.get_by_label("Compare").select_option("d")
    expect(page.locator("figcaption strong")).to_have_text("2 m temperature: ensemble mean minus other.nc")
    page.mouse.move(640, 400)
    expect(page.locator("#readout")).to_contain_text("−1.0")
    page.get_by_label("Compare").select_option("ab")
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("End")
    expect(page.locator(".wait").nth(1)).to_have_text("other.nc has nothing valid at 2001-01-10 00 UTC.")


def test_a_link_shows_the_same_again_and_nonsense_is_left_out(page: Page, served: str) -> None:
    opened(page, served, "variable=2m_temperature&show=p9&lead=7&map=<img>&at=x,y&zoom=NaN&compare=zz&level=-3")
    assert title(page)[0] == "2 m temperature: ensemble mean"
    page.locator("#projection").select_option("orthographic")
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("+")
    page.locator(".stage").first.click()
    page.locator("#place svg").wait_for()
    address, shown = page.url, title(page)
    other = page.context.new_page()
    other.goto(address)
    other.locator("#place svg").wait_for()
    assert (title(other), other.url) == (shown, address)


@pytest.mark.parametrize("projection", ["robinson", "orthographic", "south"])
def test_every_projection_shows_the_field_to_its_edge(page: Page, served: str, projection: str) -> None:
    opened(page, served, f"variable=2m_temperature&compare=a&map={projection}")
    assert colour(page, 0.5, 0.52)[3] == 255
    for side in (0.002, 0.998):
        assert colour(page, 0.5, side)[3] in {0, 255}
    assert colour(page, 0.002, 0.01)[3] == 0
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] * 0.45)
    expect(page.locator("#readout")).to_contain_text("10.0 °C")


def test_missing_values_are_grey_and_said(page: Page, served: str) -> None:
    opened(page, served, "variable=10m_u_component_of_wind&compare=a")
    assert colour(page, 0.4, 0.08) == [168, 176, 186, 255]
    page.mouse.move(640, 210)
    expect(page.locator("#readout")).to_contain_text("no value")


def test_text_of_the_file_is_only_text(page: Page, served: str) -> None:
    opened(page, served)
    page.get_by_role("button", name="About").click()
    assert "</script><script>document.title='taken'" in page.locator("#sources").inner_text()
    assert page.locator("#sources script").count() == 0
    assert page.title() == "forecast.nc – sphercast"


def test_a_piece_that_is_gone_is_named(browser: Browser, pieces: Pieces, tmp_path: Path) -> None:
    export(pieces, tmp_path / "page", print)
    (tmp_path / "page" / "pieces" / "field" / "a" / "0" / "1" / "1" / "mean.js").unlink()
    page = browser.new_page()
    opened(page, (tmp_path / "page" / "index.html").as_uri())
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wait").first).to_contain_text("The piece field/a/0/1/1/mean is missing.")
    page.close()


def test_a_phone_in_the_dark_has_all_of_it(browser: Browser, served: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
    page = context.new_page()
    opened(page, served, "variable=2m_temperature&compare=ab")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator(".stage").first.tap()
    page.locator("#place svg").wait_for()
    expect(page.locator("#place .now-words")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Play", "Next lead time", "Keys", "About", "Copy link"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 360
    context.close()


CONTRAST = """() => {
  const light = (v) => (v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => .2126 * light(r) + .7152 * light(g) + .0722 * light(b);
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const under = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const c = rgb(getComputedStyle(n).backgroundColor);
      if (c.length < 4 || c[3] > .99) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.checkVisibility() || node.disabled || node.closest('option, optgroup')) continue;
    const style = getComputedStyle(node), colour = rgb(node instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [luminance(colour), luminance(under(node))].sort((x, y) => y - x);
    const contrast = (a + .05) / (b + .05);
    if (contrast < 4.5) poor.push(`${node.tagName} ${node.textContent.slice(0, 30)} ${contrast}`);
  }
  return poor; }"""
"""WCAG 2.1, 1.4.3: text on what is under it, at least 4.5 to 1."""
NAMELESS = (
    "nodes => nodes.filter(n => !(n.labels?.length || n.ariaLabel || n.textContent.trim())).map(n => n.outerHTML)"
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_and_all_controls_have_names(browser: Browser, served: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    opened(page, served, "variable=2m_temperature&compare=ab&at=10,10")
    page.locator("#place svg").wait_for()
    page.mouse.move(400, 350)
    assert page.evaluate(CONTRAST) == []
    assert page.locator("button, select, input, [role=img]").evaluate_all(NAMELESS) == []
    context.close()
