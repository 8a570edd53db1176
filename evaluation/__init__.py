"""Scores, baselines and pictures of anybody's forecasts."""
