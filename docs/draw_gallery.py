"""Run all commands of docs/gallery.md, and keep the pictures that they make, smaller, for the page.

``python docs/draw_gallery.py [--out FOLDER]``; one to two minutes. Stops at the first command that fails.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageSequence

PAGE = Path(__file__).with_name("gallery.md")
IMAGES = PAGE.parent / "images" / "gallery"
WIDTH, WIDTH_OF_ANIMATIONS, COLOURS = 1000, 420, 128
MILLISECONDS = 500


def main() -> None:
    """Draw the page's pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for command in commands(PAGE.read_text(encoding="utf-8")):
            print("$", shlex.join(command), flush=True)
            subprocess.run([sys.executable, "-m", "forecast", *command[1:]], cwd=scratch, check=True)
        for picture in sorted([*Path(scratch).glob("*.png"), *Path(scratch).glob("*.gif")]):
            shrink(picture, out / picture.name)


def commands(page: str) -> list[list[str]]:
    """The words of every command in the page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line]


def shrink(picture: Path, target: Path) -> None:
    """Write it with fewer points and colours, so that the page loads fast."""
    with Image.open(picture) as image:
        most = WIDTH_OF_ANIMATIONS if picture.suffix == ".gif" else WIDTH
        frames = [_small(frame, most) for frame in ImageSequence.Iterator(image)]
    moving = {"save_all": True, "append_images": frames[1:], "duration": MILLISECONDS, "loop": 0}
    frames[0].save(target, optimize=True, **(moving if len(frames) > 1 else {}))


def _small(frame: Image.Image, most: int) -> Image.Image:
    width = min(most, frame.width)
    size = (width, round(frame.height * width / frame.width))
    return frame.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(COLOURS)


if __name__ == "__main__":
    main()
