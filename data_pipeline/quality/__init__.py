"""Checks of labels and values, and the report that they write. Nothing here imports the canonical form."""

from data_pipeline.quality.findings import CODES, DefectError, Finding, Report
from data_pipeline.quality.required import check_values

__all__ = ["CODES", "DefectError", "Finding", "Report", "check_values"]
