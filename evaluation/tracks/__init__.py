"""Cyclones as objects: their centres and tracks in forecasts and in the truth, and how well they agree.

``find_tracks`` finds them, ``score_tracks`` scores ensembles of them, ``files`` writes and reads them.
"""

from evaluation.tracks.find import find_tracks
from evaluation.tracks.score import finalise_tracks, merge_track_scores, score_tracks
from evaluation.tracks.settings import TrackSettings
from evaluation.tracks.track import Centre, Track

__all__ = ["Centre", "Track", "TrackSettings", "finalise_tracks", "find_tracks", "merge_track_scores", "score_tracks"]
