"""Animations: a map of any kind through the lead times, as GIF or, where ffmpeg is there, as MP4."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from dataclasses import replace
from itertools import chain
from typing import IO, TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from data_pipeline.errors import DataError
from data_pipeline.publish import publishing
from data_pipeline.times import HOUR
from evaluation.plots.maps import figure_of
from evaluation.plots.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.plots.request import Request

    Writer = Callable[[Iterator[Image.Image], Path], None]

FRAMES_PER_SECOND = 3
_HOLD = 4
"""Frames that the last one stays, so that the eye sees where it ends."""
_NEARLY_WHITE = 250


def animate(run: xr.Dataset, kind: str, request: Request, out: Path) -> int:
    """Draw a map at every lead time into ``out``, a ``.gif`` or ``.mp4``, written whole or not at all; how many.

    All frames have the same colours and, where they are not fixed, the same contours: those of all leads together.
    Coastlines and the graticule are projected once. Frames are drawn one by one as they are written.

    Raises
    ------
    DataError
        As ``evaluation.plots.draw``; if there is but one lead, or one lead was asked for; if ``out`` has another
        suffix, or ffmpeg is not there or fails.
    """
    check_animation(run, request, out)
    write, leads = WRITERS[out.suffix.lower()], _leads(run)
    frames = [replace(request, lead=lead, scale=Scale()) for lead in leads] or [request]
    scale = surveyed(run, kind, frames)
    drawn = (image_of(figure_of(run, kind, replace(frame, scale=scale))) for frame in frames)
    with publishing(out) as aside:
        write(drawn, aside)
    return len(frames)


def check_animation(run: xr.Dataset, request: Request, out: Path) -> None:
    """Raise a DataError if ``animate`` would for its leads or its name."""
    suffix, leads = out.suffix.lower(), _leads(run)
    if suffix not in WRITERS:
        raise DataError(f"animations are written as {' or '.join(WRITERS)}, got {out.name}; give such a name")
    if suffix == ".mp4" and not shutil.which("ffmpeg"):
        raise DataError("an MP4 needs ffmpeg, which is not on the PATH; install it, or give a name that ends in .gif")
    if request.lead is not None or len(leads) == 1:
        got = f"lead {request.lead:g} h" if request.lead is not None else "a forecast with one lead"
        raise DataError(f"an animation goes through all lead times, got {got}; draw a map without --animate")


def _leads(run: xr.Dataset) -> list[float]:
    """In hours."""
    return [float(lead) for lead in run["lead_time"].values / HOUR] if "lead_time" in run.dims else []


def surveyed(run: xr.Dataset, kind: str, frames: Sequence[Request]) -> Scale:
    """The scale of all frames; after the first where a kind has classes that never change."""
    scale = Scale()
    for frame in frames:
        figure_of(run, kind, replace(frame, scale=scale))
        if not scale.seen:
            break
    return replace(scale, complete=True)


def image_of(figure: Figure) -> Image.Image:
    """A figure as it is saved, without transparency."""
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]


def _write_gif(frames: Iterator[Image.Image], path: Path) -> None:
    """With the palette of the first frame, so that a colour stays the same."""
    first = next(frames)
    palette = _palette(first)
    every = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in chain([first], frames)]
    length = round(1000 / FRAMES_PER_SECOND)
    lengths = [length] * (len(every) - 1) + [_HOLD * length]
    every[0].save(path, format="GIF", save_all=True, append_images=every[1:], duration=lengths, loop=0, disposal=1)


def _palette(frame: Image.Image) -> Image.Image:
    """Colours of a frame, its colour bar among them, with a true white, which averages of colours would lack."""
    found = frame.quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours = np.asarray(found.getpalette()).reshape(-1, 3)
    colours[colours.min(axis=1) >= _NEARLY_WHITE] = 255
    found.putpalette(colours.ravel().tolist())
    return found


def _write_mp4(frames: Iterator[Image.Image], path: Path) -> None:
    """H.264, which every browser plays; its sides must be even, and all frames as large as the first."""
    first = next(frames)
    width, height = first.size
    hold = _HOLD / FRAMES_PER_SECOND
    command = [
        str(shutil.which("ffmpeg")), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
        "-s", f"{width}x{height}", "-r", str(FRAMES_PER_SECOND), "-i", "-",
        "-vf", f"pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white,tpad=stop_mode=clone:stop_duration={hold:.2f}",
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4", str(path),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as words, subprocess.Popen(command, stdin=subprocess.PIPE, stderr=words) as process:
        stdin = cast("IO[bytes]", process.stdin)
        with contextlib.suppress(BrokenPipeError):  # ffmpeg says why
            for frame in chain([first], frames):
                stdin.write(frame.tobytes())
            stdin.close()
        if process.wait() != 0:
            words.seek(0)
            *_, reason = ["no reason given", *words.read().decode(errors="replace").splitlines()]
            raise DataError(f"ffmpeg could not write the MP4 ({reason}); mend that, or give a name that ends in .gif")


WRITERS: dict[str, Writer] = {".gif": _write_gif, ".mp4": _write_mp4}


def best_suffix() -> str:
    """``.mp4`` where ffmpeg is there, else ``.gif``."""
    return ".mp4" if shutil.which("ffmpeg") else ".gif"
