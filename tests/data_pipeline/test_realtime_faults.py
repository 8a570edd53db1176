"""What servers and mirrors do wrong, and what becomes of it: another try, the next mirror, later, or never."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channel, Channels
from data_pipeline.errors import DataError, GoneError, TemporaryError
from data_pipeline.realtime import EcmwfOpenDataSource, Readiness, Request
from data_pipeline.realtime.fields import Field, fields_of
from tests.data_pipeline.loopback import Fault
from tests.data_pipeline.realtime_world import (
    CHANNELS,
    REQUEST,
    SOON,
    TIMES,
    WORLD,
    grib2,
    hurry,
    message_of,
    publish_ecmwf,
    request,
    server,
    source,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.data_pipeline.loopback import Loopback

__all__ = ["hurry", "server"]
pytestmark = pytest.mark.usefixtures("hurry")

GRIB, INDEX = "20260601060000-0h-oper-fc.grib2", "20260601060000-0h-oper-fc.index"
LATER = np.datetime64("2026-06-04T00", "ns")
"""When whatever is not there will not come."""


def assert_arrives(ifs: EcmwfOpenDataSource, folder: Path) -> None:
    xr.testing.assert_allclose(ifs.fetch(REQUEST, folder).compute(), WORLD, rtol=1e-6)


def missing(readiness: Readiness) -> str:
    assert not readiness.complete
    assert readiness.gone is None
    with pytest.raises(TemporaryError, match=r"not there yet: looked for .*; try again later"):
        readiness.require_complete()
    return "; ".join(readiness.missing)


def gone(readiness: Readiness) -> str:
    assert not readiness.complete
    with pytest.raises(GoneError, match=re.escape(readiness.gone or "")):
        readiness.require_complete()
    return str(readiness.gone)


def test_a_late_cycle(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a", request(["2026-06-01T00"]))
    words = missing(source(server).look(REQUEST, now=SOON))
    assert re.fullmatch(rf"looked for 20260601/06z/ifs/0p25/oper/{INDEX}: 127.0.0.1:\d+ answered 404", words)
    with pytest.raises(TemporaryError, match=f"{INDEX}: .* answered 404; try again later, what was fetched is kept"):
        source(server).fetch(REQUEST, tmp_path / "work")
    publish_ecmwf(server.folder / "a")
    assert source(server).look(REQUEST, now=SOON).complete
    assert_arrives(source(server), tmp_path / "work")
    assert sum(name.endswith("000000-0h-oper-fc.grib2") for name in server.asked) == 3  # two looks; the rest was kept


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.6, 0.98])
def test_a_half_written_index(server: Loopback, tmp_path: Path, cut: float) -> None:
    publish_ecmwf(server.folder / "a")
    index = next((server.folder / "a").rglob(INDEX))
    text = index.read_text()
    index.write_text(text[: int(cut * len(text))])
    assert re.search(r"lists \d of 6 fields, not \w", missing(source(server).look(REQUEST, now=SOON)))
    with pytest.raises(TemporaryError, match=r"lists no \w+"):
        source(server).fetch(REQUEST, tmp_path / "work")


def test_an_index_before_its_file(server: Loopback) -> None:
    publish_ecmwf(server.folder / "a")
    grib = next((server.folder / "a").rglob(GRIB))
    whole = grib.read_bytes()
    grib.unlink()
    assert "answered 404" in missing(source(server).look(REQUEST, now=SOON))
    grib.write_bytes(whole[:-3])
    assert "has a file of" in missing(source(server).look(REQUEST, now=SOON))
    grib.write_bytes(whole[:-700])
    assert "answered 416" in missing(source(server).look(REQUEST, now=SOON))
    grib.write_bytes(whole + b"more")
    assert source(server).look(REQUEST, now=SOON).complete
    grib.write_bytes(bytes(len(whole)))
    assert "has no message that ends at byte" in missing(source(server).look(REQUEST, now=SOON))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(GRIB, times=2, status=503),
        Fault(GRIB, times=2, status=429, headers={"Retry-After": "30"}),  # cut to the longest pause
        Fault(INDEX, times=2, status=500),
        Fault(INDEX, times=1, drop=True),
        Fault(GRIB, times=2, drop=True),
        Fault(GRIB, times=2),
        Fault(GRIB, times=2, short=True),
        Fault(GRIB, times=1, content_range="bytes 0-99/99999"),
    ],
)
def test_passing_faults_are_survived(server: Loopback, tmp_path: Path, fault: Fault) -> None:
    publish_ecmwf(server.folder / "a")
    server.faults.append(fault)
    assert_arrives(source(server), tmp_path / "work")
    assert fault.times == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("", times=99, status=503), "answered 503"),
        (Fault("", times=99, status=403), "answered 403"),
        (Fault(GRIB, times=99), "sent less than it announced"),
        (Fault(GRIB, times=99, short=True), "sent less than it announced"),
        (Fault(GRIB, times=99, whole=True), r"ignores ranges \(it answered 200 for the whole file\)"),
        (Fault(GRIB, times=99, content_range="bytes 7-9/99"), "sent the range 'bytes 7-9/99', expected bytes"),
        (Fault(GRIB, times=99, content_range="bytes"), "sent the range 'bytes', expected bytes"),
    ],
)
def test_trouble_that_lasts_means_later(server: Loopback, tmp_path: Path, fault: Fault, words: str) -> None:
    publish_ecmwf(server.folder / "a")
    server.faults.append(fault)
    assert re.search(words, missing(source(server).look(REQUEST, now=LATER)))  # late, but it is not said to be gone
    with pytest.raises(TemporaryError, match=words):
        source(server).fetch(REQUEST, tmp_path / "work")
    server.faults.clear()
    assert_arrives(source(server), tmp_path / "work")


def test_the_next_mirror_helps_and_is_remembered(server: Loopback, tmp_path: Path, caplog) -> None:
    publish_ecmwf(server.folder / "a")
    publish_ecmwf(server.folder / "b")
    server.faults.append(Fault("-fc.index", times=3, status=503))  # as often as the first mirror is asked
    with caplog.at_level(logging.WARNING):
        assert_arrives(source(server, "a", "b"), tmp_path / "work")
    assert "answered 503; going on with the next mirror" in caplog.text
    mirrors = [name[0] for name in server.asked if name.endswith(".index")]
    assert mirrors == ["a", "a", "a", "b", "b"]


def _sent_instead(name: str, **changes: object) -> Callable[[Field], bytes]:
    """Sends the right values under other labels for the channel called ``name``."""

    def send(wanted: Field) -> bytes:
        if wanted.channel.name != name:
            return message_of(wanted)
        labels = {"channel": wanted.channel, "cycle": wanted.cycle, "step_hours": 0, "member": None, **changes}
        return grib2(WORLD["temperature"].values[0, 0], Field(**labels))

    return send


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (_sent_instead("temperature_500", cycle=np.datetime64("2026-05-31T18", "s")), "sent temperature_500 of 2026"),
        (_sent_instead("temperature_500", channel=Channel("temperature", 850)), "sent temperature_850 of"),
        (_sent_instead("temperature_500", member=3), r"sent temperature_500 of 2026-06-01T00 \+ 0 h, member 3"),
        (lambda wanted: message_of(wanted)[:-4] + b"0000", "sent no whole GRIB message"),
        (lambda wanted: b"<h1>" + message_of(wanted)[4:], "sent no whole GRIB message"),
        (lambda wanted: message_of(wanted)[:8] + bytes(8) + message_of(wanted)[16:], "sent a damaged message"),
        (lambda wanted: message_of(wanted) + b"___7777", r"sent a message of \d+ bytes with 1 fields in"),
    ],
)  # fmt: skip
def test_a_mirror_that_lies(server: Loopback, tmp_path: Path, send: Callable[[Field], bytes], words: str) -> None:
    publish_ecmwf(server.folder / "a", send=send)
    with pytest.raises(TemporaryError, match=f"{words}.*, its index promised "):
        source(server).fetch(REQUEST, tmp_path / "alone")
    publish_ecmwf(server.folder / "b")
    assert_arrives(source(server, "a", "b"), tmp_path / "work")
    grib = [name for name in server.asked if name.endswith(".grib2")]
    assert "a" not in {name[0] for name in grib[grib.index(f"b/{grib[0][2:]}") :]}  # it is not asked again


def test_a_mirror_with_the_index_of_another_cycle(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a")
    for index in (server.folder / "a").rglob("*.index"):
        index.write_text(index.read_text().replace('"20260601"', '"20260531"'))
    words = "sent an index of 2026-05-31T00, expected 2026-06-01T00"
    said = missing(source(server).look(REQUEST, now=LATER))
    assert words in said
    assert said.endswith(f"{INDEX}: every mirror sent something wrong before")
    publish_ecmwf(server.folder / "b")
    assert source(server, "a", "b").look(REQUEST, now=SOON).complete
    assert_arrives(source(server, "a", "b"), tmp_path / "work")


def test_what_does_not_come_for_two_days_is_gone(server: Loopback) -> None:
    words = gone(source(server, "a", "b").look(REQUEST, now=LATER))
    assert words.startswith("looked for 20260601/00z/ifs/0p25/oper/20260601000000-0h-oper-fc.index: 127.0.0.1")
    assert "answered 404; it is older than they keep, was never made, or is elsewhere now" in words
    publish_ecmwf(server.folder / "a", request(channels=Channels.of({"temperature": [500, 850]})))
    assert "lists 2 of 6 fields, not geopotential_500" in gone(source(server).look(REQUEST, now=LATER))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda line: line.replace("_offset", "start"), "expected JSON lines with _offset"),
        (lambda line: "?" + line, r"'\?{.*', expected JSON lines"),
        (lambda line: json.dumps(list(json.loads(line))), "expected JSON lines with param, levtype, step"),
        (lambda line: line.replace('"levelist": "', '"levelist": "L'), r"expected numbers \(ValueError"),
    ],
)
def test_a_layout_that_changed(server: Loopback, tmp_path: Path, change: Callable[[str], str], expected: str) -> None:
    for mirror in ("a", "b"):
        publish_ecmwf(server.folder / mirror)
        for index in (server.folder / mirror).rglob("*.index"):
            index.write_text("\n".join(map(change, index.read_text().splitlines())))
    ifs = source(server, "a", "b")
    looked_for = rf"looked for an index at {server.url}/a/20260601/00z/\S*.index, got .*{expected}"
    assert re.search(looked_for, gone(ifs.look(REQUEST, now=SOON)))
    with pytest.raises(GoneError, match=f"{looked_for}.*; the provider may have changed its layout: update sphercast"):
        ifs.fetch(REQUEST, tmp_path / "work")
    publish_ecmwf(server.folder / "b")
    assert ifs.look(REQUEST, now=SOON).complete


def test_a_web_page_is_no_new_layout(server: Loopback) -> None:
    for file in publish_ecmwf(server.folder / "a"):
        file.with_suffix(".index").write_text("<html>Too many requests</html>")
    assert re.search(r"sent a web page instead of http://\S+\.index", missing(source(server).look(REQUEST, now=LATER)))


def test_requests_that_cannot_be_meant() -> None:
    for times in ((), TIMES[::-1], (TIMES[0], TIMES[0]), (TIMES[0] + np.timedelta64(90, "m"),)):
        with pytest.raises(DataError, match=r"got the times .*, expected whole hours in ascending order"):
            Request(times, CHANNELS)
    rain = Channels.of({"total_precipitation": None})
    with pytest.raises(DataError, match="total_precipitation are sums and one time has no interval; give"):
        Request(TIMES[:1], rain)
    with pytest.raises(DataError, match="got sums over 0 h, expected 1 h or more; give 'accumulation_hours'"):
        Request(TIMES, rain, accumulation_hours=0)
    assert Request(TIMES, rain).hours_accumulated == 6
    assert [wanted.step_hours for wanted in fields_of(Request(TIMES[:1], rain, accumulation_hours=12))] == [12]
