"""Findings and the report: what is counted, what is shown, what stops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from data_pipeline.quality import CODES, DefectError, Finding, Report

ERRORS = [code for code, (severity, _) in CODES.items() if severity == "error"]
DOCS = Path(__file__).parents[2] / "docs" / "quality.md"


def test_unknown_codes_are_refused() -> None:
    with pytest.raises(DataError, match="unknown finding code 'rain'; expected one of: variable-missing, "):
        Report().add("rain", "it rains")


def test_a_repaired_error_is_only_information() -> None:
    finding = Finding("levels-mixed-units", "mixed; converted", repaired=True)
    assert finding.severity == "info"
    assert Finding("levels-mixed-units", "mixed").severity == "error"
    report = Report([finding])
    report.raise_errors()
    assert report.table().startswith("severity")
    assert "repaired" in report.table()


def test_the_same_defect_is_counted_and_the_first_is_kept() -> None:
    report = Report()
    report.add("nan-values", "second", variable="x", time="2001-01-02", location="0N 0E", count=3)
    report.add("nan-values", "first", variable="x", time="2001-01-01T06", location="5N 0E", count=4)
    report.add("nan-values", "another", variable="y", count=5)
    assert [(finding.message, finding.location, finding.count) for finding in report] == [
        ("first", "5N 0E", 7), ("another", None, 5),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(ERRORS), st.sampled_from([None, "x", "y"]), st.integers(1, 9)), max_size=20),
       st.integers(0, 20))  # fmt: skip
def test_merging_is_adding(rows: list[tuple[str, str | None, int]], cut: int) -> None:
    whole, first, second = Report(), Report(), Report()
    for position, (code, name, count) in enumerate(rows):
        for report in (whole, first if position < cut else second):
            report.add(code, "m", variable=name, count=count)
    first.merge(second)
    assert first.findings == whole.findings
    assert sum(finding.count for finding in first) == sum(count for *_, count in rows)


def test_errors_are_raised_together_and_warnings_are_not() -> None:
    report = Report()
    report.add("grid-irregular", "columns wobble")
    report.raise_errors()
    for code in ERRORS[:12]:
        report.add(code, "bad", variable="x")
    with pytest.raises(DataError, match=rf"^12 error\(s\) in the data: {ERRORS[0]} \(x\): bad; .*; and 2 more$"):
        report.raise_errors()


def test_json_and_table() -> None:
    report = Report()
    report.add("variables-renamed", "t is temperature", repaired=True)
    report.add("nan-field", "the whole field is NaN, " + "expected values " * 20, variable="x_500", time="2001-01-01")
    document = json.loads(report.to_json())
    assert list(document) == ["errors", "warnings", "findings"]
    assert [row["severity"] for row in document["findings"]] == ["error", "info"]
    assert list(document["findings"][0]) == [
        "severity", "code", "message", "variable", "time", "location", "count", "repaired",
    ]  # fmt: skip
    assert report.table().splitlines()[-1] == "1 error(s), 0 warning(s), 1 repaired or noted"


def test_the_widest_table_fits_120_columns() -> None:
    report = Report()
    for code in CODES:
        report.add(code, "word " * 60, variable="toa_incident_solar_radiation", time="2001-01-01T06:30",
                   location="-89.4628N 359.297E", count=99_999_999)  # fmt: skip
    assert max(len(line) for line in report.table().splitlines()) <= 120
    assert Report().table() == "0 error(s), 0 warning(s), 0 repaired or noted"


def test_a_defect_is_a_data_error_with_its_code() -> None:
    defect = DefectError("time-invalid", "no dates", "x")
    assert isinstance(defect, DataError)
    assert (defect.code, defect.variable, str(defect)) == ("time-invalid", "x", "no dates")


def test_every_code_is_documented_as_it_is() -> None:
    rows = [line.split("|")[1:4] for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    documented = {code.strip(" `"): (severity.strip(), text.strip()) for code, severity, text in rows}
    assert documented == {code: tuple(entry) for code, entry in CODES.items()}
