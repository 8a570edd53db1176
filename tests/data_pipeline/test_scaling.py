"""Half precision: the error that the docstring promises, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest

from data_pipeline.errors import DataError
from data_pipeline.moments import Moments
from data_pipeline.scaling import Scaling

RNG = np.random.default_rng(0)
SAMPLE = (
    RNG.standard_normal((20, 3, 8, 16)) * [[[[20.0]], [[1e-3]], [[5e4]]]] + [[[[280.0]], [[5e-3]], [[5e5]]]]
).astype(np.float32)


def moments(states: np.ndarray) -> Moments:
    return Moments.of(states, np.ones(states.shape[2]))


def test_mean_and_deviation() -> None:
    scaling = Scaling.of(moments(SAMPLE))
    np.testing.assert_allclose(scaling.offset, SAMPLE.astype(np.float64).mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(scaling.scale, SAMPLE.astype(np.float64).std(axis=(0, 2, 3)), rtol=1e-6)


def test_the_error_is_what_the_docstring_says() -> None:
    scaling = Scaling.of(moments(SAMPLE))
    decoded = scaling.decode(scaling.encode(SAMPLE))
    distance = np.abs(SAMPLE - scaling.offset[:, None, None]) / scaling.scale[:, None, None]
    error = np.abs(decoded - SAMPLE) / scaling.scale[:, None, None]
    assert error[distance < 2].max() < 5.2e-4
    assert decoded.dtype == np.float32


def test_missing_values_stay_missing_and_count_for_nothing() -> None:
    holes = SAMPLE.copy()
    holes[:, :, :4] = np.nan
    scaling = Scaling.of(moments(holes))
    np.testing.assert_allclose(scaling.offset, Scaling.of(moments(SAMPLE[:, :, 4:])).offset, rtol=1e-6)
    assert np.isnan(scaling.decode(scaling.encode(holes))[:, :, :4]).all()


def test_a_constant_channel_has_scale_one() -> None:
    scaling = Scaling.of(moments(np.full((3, 1, 4, 8), 7.0)))
    assert scaling.scale.tolist() == [1.0]
    assert (scaling.decode(scaling.encode(np.full((1, 4, 8), 7.5, np.float32))) == 7.5).all()


def test_too_far_from_the_mean() -> None:
    scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    with pytest.raises(DataError, match="over 65504 standard deviations from its mean; set 'precision: float32'"):
        scaling.encode(np.full((1, 2, 2), 1e6, np.float32))
