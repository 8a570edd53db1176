"""The gallery's page: every picture on it is made by a command on it, and all of them are there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from types import ModuleType

PAGE = Path(__file__).parents[1] / "docs" / "gallery.md"


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_gallery", PAGE.with_name("draw_gallery.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_picture_is_shown_with_the_command_that_makes_it(gallery: ModuleType) -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(images/gallery/([^)]+)\)", page)
    made = [command[command.index("--out") + 1] for command in gallery.commands(page)]
    assert shown == [name for name in made if not name.endswith(".nc")]
    assert sorted(shown) == sorted(path.name for path in gallery.IMAGES.iterdir())
    assert sum(path.stat().st_size for path in gallery.IMAGES.iterdir()) < 3e6


def test_pictures_are_made_smaller(gallery: ModuleType, tmp_path: Path) -> None:
    still, moving = tmp_path / "still.png", tmp_path / "moving.gif"
    frames = [Image.new("RGB", (1600, 900), (shade, 0, 0)) for shade in (0, 128, 255)]
    frames[1].save(still)
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    for picture in (still, moving):
        gallery.shrink(picture, tmp_path / f"small{picture.suffix}")
    with Image.open(tmp_path / "small.png") as small:
        assert small.size == (gallery.WIDTH, 562)
        assert small.convert("RGB").getpixel((5, 5)) == (128, 0, 0)
    with Image.open(tmp_path / "small.gif") as small:
        assert (small.n_frames, small.width) == (3, gallery.WIDTH_OF_ANIMATIONS)


def test_a_command_that_fails_stops_it(gallery: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "gallery.md"
    page.write_text("```sh\nsphercast plot nothing.nc --variable geopotential --out a.png\n```\n", encoding="utf-8")
    monkeypatch.setattr(gallery, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["draw_gallery.py", "--out", str(tmp_path / "out")])
    with pytest.raises(gallery.subprocess.CalledProcessError):
        gallery.main()
    assert list((tmp_path / "out").iterdir()) == []
