"""Physical units to half-precision numbers of order one and back, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.moments import Moments


@dataclass(frozen=True)
class Scaling:
    """stored = (physical - offset) / scale as float16; ``offset`` and ``scale`` are float32, (channel,).

    Numbers of order one keep eleven bits: an error of at most 0.0005 of the standard deviation within two of them
    of the mean. That is a fiftieth of a 6-hourly tendency, and less than the packing of most archives.
    """

    offset: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, moments: Moments) -> Scaling:
        """Mean and standard deviation of a sample; the scale of a channel that is constant or always missing is 1."""
        scale = np.where(moments.std > 0, moments.std, 1.0)
        return cls(moments.mean.astype(np.float32), scale.astype(np.float32))

    def encode(self, fields: NDArray[np.float32]) -> NDArray[np.float16]:
        """Of (..., channel, latitude, longitude); a DataError if a value is too far from the mean for float16."""
        with np.errstate(over="ignore"):
            stored = ((fields - self.offset[:, None, None]) / self.scale[:, None, None]).astype(np.float16)
        if np.isinf(stored).any():
            raise DataError("a value is over 65504 standard deviations from its mean; set 'precision: float32'")
        return stored

    def decode(self, stored: NDArray[np.floating]) -> NDArray[np.float32]:
        """The inverse of ``encode``."""
        return stored.astype(np.float32) * self.scale[:, None, None] + self.offset[:, None, None]
