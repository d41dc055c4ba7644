from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from quantlib.errors import DataError
from quantlib.scenarios import Estimation, likeliest_worlds, reverse_stress, smallest_shock


def book(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(n, n)) / np.sqrt(n) * 0.02
    return generator.normal(size=n) * 0.001, mixing @ mixing.T + np.eye(n) * 1e-4, generator.normal(size=n)


@pytest.mark.parametrize(("n", "seed", "loss"), [(2, 1, 0.05), (5, 2, 0.1), (12, 3, 0.2)])
def test_the_closed_form_is_what_an_optimiser_finds(n, seed, loss):
    mean, covariance, weights = book(n, seed)
    found = smallest_shock(mean, covariance, weights, loss)
    # The optimiser works on whitened moves, where its steps are of a size.
    root = np.linalg.cholesky(covariance)
    answer = optimize.minimize(
        lambda z: z @ z,
        np.zeros(n),
        jac=lambda z: 2 * z,
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda z: -loss - weights @ (mean + root @ z),
            "jac": lambda _: -(weights @ root),
        },
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert answer.success
    assert np.abs(found.shock - (mean + root @ answer.x)).max() < 1e-6
    assert found.distance == pytest.approx(np.sqrt(answer.fun), abs=1e-6)
    assert weights @ found.shock == pytest.approx(-loss, abs=1e-12)
    away = found.shock - mean
    assert found.distance == pytest.approx(np.sqrt(away @ np.linalg.solve(covariance, away)), rel=1e-8)


def test_probabilities_are_those_of_the_law():
    mean, covariance, weights = book(3, 5)
    found = smallest_shock(mean, covariance, weights, 0.03)
    draws = np.random.default_rng(0).multivariate_normal(mean, covariance, size=200_000)
    share = (draws @ weights <= -0.03).mean()
    assert found.probability == pytest.approx(share, abs=4 * np.sqrt(share / 200_000))
    away = draws - mean
    farther = (np.einsum("ij,jk,ik->i", away, np.linalg.inv(covariance), away) > found.distance**2).mean()
    assert found.plausibility == pytest.approx(farther, abs=4 * np.sqrt(farther / 200_000))


def test_a_mean_that_loses_as_much_is_the_answer():
    found = smallest_shock(np.array([-0.2]), np.array([[0.01]]), np.array([1.0]), 0.1)
    assert found.shock == pytest.approx([-0.2])
    assert found.distance == 0.0
    assert found.loss == pytest.approx(0.2)
    assert found.probability == pytest.approx(stats.norm.cdf(1.0))


def test_a_singular_covariance_has_its_own_degrees_of_freedom():
    found = smallest_shock(np.zeros(2), np.full((2, 2), 0.01), np.array([0.5, 0.5]), 0.2)
    assert found.shock == pytest.approx([-0.2, -0.2])
    assert found.plausibility == pytest.approx(stats.chi2.sf(4.0, 1))


@pytest.mark.parametrize(
    ("weights", "loss", "words"),
    [
        ([1.0, 0.0], 0.0, "The loss is 0.0; accepted: a fraction above zero"),
        ([1.0, 0.0], np.nan, "The loss is nan"),
        ([0.0, 0.0], 0.1, "no risk under this law"),
        ([1.0, -1.0], 0.1, "no risk under this law"),
        ([np.nan, 1.0], 0.1, "is not known"),
    ],
)
def test_books_that_cannot_lose_are_refused(weights, loss, words):
    with pytest.raises(DataError, match=words):
        smallest_shock(np.zeros(2), np.full((2, 2), 0.01), np.array(weights), loss)


def test_reverse_stress_of_a_panel_scales_with_the_horizon(small):
    shock, found = reverse_stress(small, {"KO": 0.5, "MSFT": 0.5}, 0.05, sessions=4)
    once, first = reverse_stress(small, {"KO": 0.5, "MSFT": 0.5}, 0.05)
    assert shock.to_numpy() == pytest.approx(once.to_numpy())
    assert found.distance == pytest.approx(first.distance / 2)
    moves = np.diff(np.log(small.close), axis=0)
    held = np.array([0.5, 0.0, 0.5])
    assert first.distance == pytest.approx(0.05 / (moves @ held).std(ddof=1), rel=1e-9)
    beta = np.cov(moves[:, 1], moves @ held)[0, 1] / (moves @ held).var(ddof=1)
    assert once["PEP"] == pytest.approx(-0.05 * beta)  # what is not held moves along
    assert reverse_stress(small, {"KO": 1.0}, 0.05, estimation=Estimation(window=100))[1].distance > 0


def test_what_no_price_can_do_is_refused(small):
    with pytest.raises(DataError, match=r"needs MSFT at -[0-9,]+%, which no price can do"):
        reverse_stress(small, {"MSFT": 0.1}, 0.5)
    with pytest.raises(DataError, match=r"'MFST' is held, but not in the panel. Did you mean MSFT"):
        reverse_stress(small, {"MFST": 0.1}, 0.5)
    with pytest.raises(DataError, match=r"sessions is 0; accepted"):
        reverse_stress(small, {"MSFT": 1.0}, 0.1, sessions=0)


def test_the_likeliest_worlds_are_near_the_closed_form():
    mean, covariance, weights = book(2, 7)
    draws = np.random.default_rng(1).multivariate_normal(mean, covariance, size=50_000)
    found = likeliest_worlds(
        draws, -(draws @ weights), 0.05, names=("a", "b"), mean=mean, covariance=covariance, keep=3
    )
    closed = smallest_shock(mean, covariance, weights, 0.05)
    assert list(found.columns) == ["loss", "distance", "plausibility", "a", "b"]
    assert (found["loss"] >= 0.05).all()
    assert found["distance"].is_monotonic_increasing
    assert found["distance"].iloc[0] >= closed.distance  # nothing simulated can be likelier than the likeliest
    assert found[["a", "b"]].iloc[0].to_numpy() == pytest.approx(closed.shock, abs=0.1 * np.abs(closed.shock).max())
    assert (draws[found.index] == found[["a", "b"]].to_numpy()).all()


def test_distance_is_measured_by_the_moves_own_law_where_none_is_given():
    draws = np.random.default_rng(2).normal(size=(500, 2)) * [0.01, 0.03]
    found = likeliest_worlds(draws, -draws.sum(axis=1), 0.02, keep=500)
    away = draws[found.index] - draws.mean(axis=0)
    expected = np.sqrt(np.diag(away @ np.linalg.inv(np.cov(draws.T)) @ away.T))
    assert found["distance"].to_numpy() == pytest.approx(expected)
    assert len(found) == (-draws.sum(axis=1) >= 0.02).sum()


@pytest.mark.parametrize(
    ("moves", "losses", "loss", "words"),
    [
        (np.zeros((3, 2)), np.array([0.1, 0.2, 0.15]), 0.5, "None of 3 worlds loses 50.0%; the worst loses 20.0%"),
        (np.zeros((3, 2)), np.zeros(2), 0.5, r"got \(3, 2\) and \(2,\)"),
        (np.full((3, 2), np.nan), np.zeros(3), 0.5, "is not known"),
        (np.zeros((3, 2)), np.zeros(3), -0.5, "The loss is -0.5"),
    ],
)
def test_worlds_that_cannot_be_ranked_are_refused(moves, losses, loss, words):
    with pytest.raises(DataError, match=words):
        likeliest_worlds(moves, losses, loss)


def test_names_are_as_many_as_factors():
    with pytest.raises(DataError, match=r"2 factors and 1 names"):
        likeliest_worlds(np.zeros((3, 2)), np.zeros(3), 0.1, names=("a",))
