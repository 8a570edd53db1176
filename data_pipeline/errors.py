"""The one exception tree. A message says what was got, what was expected and what to do."""


class SphercastError(Exception):
    """Anything that a user can cause and mend; the command line prints it as one sentence."""


class ConfigError(SphercastError):
    """A configuration that cannot mean anything: an unknown key, a wrong type, a bad period."""


class DataError(SphercastError):
    """Data that are missing, mislabelled, out of range or unreadable."""


class CheckpointError(SphercastError):
    """A checkpoint that is truncated, foreign, or does not fit the data given to it."""


class ScoreError(SphercastError):
    """A forecast and a truth that cannot be compared."""
