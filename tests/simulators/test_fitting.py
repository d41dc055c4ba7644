"""What fits share: errors from curvature, a matrix that is a correlation, enough sessions."""

from __future__ import annotations

import numpy as np
import pytest

from quantlib.errors import DataError
from quantlib.simulators.fitting import as_correlation, curvature, need
from quantlib.types import Panel


def test_curvature_of_a_normal_loss_is_its_covariance() -> None:
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    precision = np.linalg.inv(covariance)
    for step in (None, 0.05):
        found = curvature(lambda x: float(0.5 * x @ precision @ x), np.array([0.3, -0.2]), step)
        np.testing.assert_allclose(found, covariance, rtol=1e-5)
    assert np.isnan(curvature(lambda x: float(x[0] ** 2 - x[1] ** 2), np.zeros(2))).all()


def test_a_correlation_stays_and_any_other_matrix_becomes_one() -> None:
    fine = np.array([[1.0, 0.3], [0.3, 1.0]])
    np.testing.assert_array_equal(as_correlation(fine), fine)
    np.testing.assert_array_equal(as_correlation(np.array([[0.7]])), [[1.0]])
    made = as_correlation(np.array([[1.0, 1.2, 0.1], [1.2, 1.0, 0.4], [0.1, 0.4, 1.0]]))
    np.testing.assert_allclose(np.diag(made), 1.0)
    assert np.linalg.eigvalsh(made)[0] > -1e-12
    assert 0.9 < made[0, 1] <= 1.0


def test_too_few_returns_are_refused_by_number(small: Panel) -> None:
    need(small, 499, "A law")
    with pytest.raises(DataError, match=r"A law needs 500 returns to fit; from 2021-01-05 to 2022-12-28 there are 499"):
        need(small, 500, "A law")
