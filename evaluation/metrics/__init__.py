"""Scores: statistics that can be averaged, kept apart from the metrics that are functions of their means."""
