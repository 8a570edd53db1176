"""Forecasts on a schedule: cycles, their ledger, locks, and one idempotent shot for each."""
