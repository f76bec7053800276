"""The probability of being best does not depend on the machine that computed it."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.results.probability import probabilities_best


@pytest.mark.parametrize("alike", [True, False])
def test_how_a_processor_turns_the_axes_does_not_move_the_probability(
    alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    means = np.array([0.40, 0.41, 0.42, 0.395])
    covariance = 1e-4 * (np.eye(4) if alike else np.diag([1.0, 2.0, 3.0, 4.0]))
    expected = probabilities_best(means, covariance, 11.0)
    found = np.linalg.eigh
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0] if alike else np.diag([-1.0, 1.0, -1.0])

    def other(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Another decomposition that is right too: equal variances have any axes, others any sign."""
        variances, axes = found(matrix)
        assert np.allclose(axes @ turned @ np.diag(variances) @ (axes @ turned).T, matrix)
        return variances, axes @ turned

    monkeypatch.setattr(np.linalg, "eigh", other)
    assert probabilities_best(means, covariance, 11.0) == pytest.approx(expected, abs=2e-4)
    assert expected.argmax() == 2 and expected.sum() == pytest.approx(1.0)
