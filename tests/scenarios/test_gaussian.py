from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from quantlib.errors import DataError
from quantlib.scenarios import condition
from quantlib.scenarios.gaussian import check_covariance, root_of, with_correlation


def sample(rows: int = 400, columns: int = 6) -> np.ndarray:
    generator = np.random.default_rng(3)
    mixing = generator.normal(size=(columns, columns))
    return generator.normal(size=(rows, columns)) @ mixing * 0.01 + generator.normal(size=columns) * 0.001


def test_conditioning_on_elements_is_the_regression_on_them():
    x = sample()
    named, rest, values = [1, 4], [0, 2, 3, 5], np.array([-0.2, 0.07])
    found = condition(x.mean(axis=0), np.cov(x, rowvar=False), np.eye(6)[named], values)
    assert found.mean[named] == pytest.approx(values, abs=1e-12)
    for i in rest:
        fit = sm.OLS(x[:, i], sm.add_constant(x[:, named])).fit()
        assert found.mean[i] == pytest.approx(fit.predict([[1.0, *values]])[0], abs=1e-10)
        assert found.covariance[i, i] == pytest.approx(fit.ssr / (len(x) - 1), rel=1e-9)
        assert found.gain[i] == pytest.approx(fit.params[1:], rel=1e-8)


def test_conditioning_on_an_average_is_the_regression_on_it():
    x = sample()
    row = np.full(6, 1 / 6)
    found = condition(x.mean(axis=0), np.cov(x, rowvar=False), row[None], np.array([-0.1]))
    assert found.mean.mean() == pytest.approx(-0.1, abs=1e-12)
    fit = sm.OLS(x[:, 2], sm.add_constant(x @ row)).fit()
    assert found.mean[2] == pytest.approx(fit.predict([[1.0, -0.1]])[0], abs=1e-10)


def test_the_partitioned_formula_holds():
    x = sample()
    mu, s = x.mean(axis=0), np.cov(x, rowvar=False)
    named, rest, values = [0, 3, 5], [1, 2, 4], np.array([0.1, -0.05, 0.02])
    found = condition(mu, s, np.eye(6)[named], values)
    inverse = np.linalg.inv(s[np.ix_(named, named)])
    cross = s[np.ix_(rest, named)]
    assert np.abs(found.mean[rest] - (mu[rest] + cross @ inverse @ (values - mu[named]))).max() < 1e-6
    left = s[np.ix_(rest, rest)] - cross @ inverse @ cross.T
    assert np.abs(found.covariance[np.ix_(rest, rest)] - left).max() < 1e-6
    assert np.abs(found.covariance[named]).max() < 1e-12


def test_two_names_of_the_same_series_are_met_once():
    x = sample()
    twice = np.column_stack([x, x[:, 0]])
    mu, s = twice.mean(axis=0), np.cov(twice, rowvar=False)
    once = condition(mu, s, np.eye(7)[[0]], np.array([-0.1]))
    both = condition(mu, s, np.eye(7)[[0, 6]], np.array([-0.1, -0.1]))
    assert both.mean == pytest.approx(once.mean, abs=1e-9)
    with pytest.raises(DataError, match="cannot be met beside the others"):
        condition(mu, s, np.eye(7)[[0, 6]], np.array([-0.1, -0.2]))


def test_nothing_named_changes_nothing():
    x = sample()
    mu, s = x.mean(axis=0), np.cov(x, rowvar=False)
    found = condition(mu, s, np.empty((0, 6)), np.empty(0))
    assert found.mean == pytest.approx(mu)
    assert found.covariance == pytest.approx(s)


def test_a_common_correlation_keeps_the_variances():
    s = np.cov(sample(), rowvar=False)
    new = with_correlation(s, 0.4)
    spread = np.sqrt(np.diag(s))
    assert np.sqrt(np.diag(new)) == pytest.approx(spread)
    assert (new / np.outer(spread, spread))[0, 1:] == pytest.approx(0.4)
    with pytest.raises(DataError, match=r"-0.5 between all 6 symbols is not positive definite; accepted: -0.2 to 1"):
        with_correlation(s, -0.5)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (
            [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]],
            "not positive definite: its smallest eigenvalue is -0.8",
        ),
        ([[1.0, 0.2], [0.3, 1.0]], "not. Give the same value"),
        ([[1.0, np.nan], [np.nan, 1.0]], "The covariance of A and B is not known"),
        ([[1.0, 0.0]], "as many rows as columns"),
    ],
)
def test_what_is_no_covariance_is_refused(matrix, words):
    with pytest.raises(DataError, match=words):
        check_covariance(np.array(matrix), ["A", "B", "C"][: len(matrix)])


def test_the_root_of_a_singular_covariance():
    s = np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    root = root_of(s)
    assert root @ root.T == pytest.approx(s)
