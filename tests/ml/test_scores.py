from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from scipy.stats import t as student
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

from quantlib.ml.scores import calibration, gain_interval, gain_over, log_losses, score, verdict


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def table(up: np.ndarray, probability: np.ndarray, prior: np.ndarray, symbols: int) -> pd.DataFrame:
    days = pd.bdate_range("2020-01-01", periods=len(up) // symbols)
    index = pd.MultiIndex.from_product([days, list("ABCDEFGH"[:symbols])], names=["ts", "symbol"])
    return pd.DataFrame({"label": up, "prediction": probability, "prior": prior}, index=index)


def test_scores_by_hand_and_by_scikit_learn(rng: np.random.Generator) -> None:
    found = score(np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.9, 0.6, 0.4, 0.7]))
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.7]).mean())
    assert found["auc"] == pytest.approx(2 / 3)
    assert found["accuracy"] == 0.5
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.09) / 4)
    assert found["n"] == 4
    up, p = (rng.random(100) < 0.5).astype(float), rng.random(100)
    assert score(up, p)["log_loss"] == pytest.approx(log_loss(up, p))


def test_rows_that_all_went_one_way_have_no_auc() -> None:
    found = score(np.ones(3), np.array([0.5, 0.6, 0.7]))
    assert np.isnan(found["auc"])
    assert found["log_loss"] == pytest.approx(-np.log([0.5, 0.6, 0.7]).mean())


def test_a_wrong_certainty_costs_much_but_not_infinity() -> None:
    assert log_losses(np.array([1.0, 0.0]), np.array([0.0, 0.0])).tolist() == pytest.approx([36.04, 0.0], abs=0.01)


def test_calibrated_probabilities_lie_on_the_diagonal(rng: np.random.Generator) -> None:
    p = rng.uniform(0.3, 0.7, 50_000)
    bins = calibration((rng.random(50_000) < p).astype(float), p)
    assert bins["n"].tolist() == [5000] * 10
    assert bins["predicted"].is_monotonic_increasing
    z = (bins["observed"] - bins["predicted"]) / np.sqrt(0.25 / 5000)
    assert z.abs().max() < 4


def test_one_probability_for_all_is_one_bin() -> None:
    bins = calibration(np.array([1.0, 0.0, 1.0]), np.full(3, 0.5))
    assert bins.to_dict("list") == {"predicted": [0.5], "observed": [pytest.approx(2 / 3)], "n": [3]}


def test_the_gain_is_the_difference_of_log_losses(rng: np.random.Generator) -> None:
    p = rng.uniform(0.2, 0.8, 4000)
    up = (rng.random(4000) < p).astype(float)
    rows = table(up, p, np.full(4000, 0.5), symbols=4)
    dropped = rows.drop(rows.index[5:300:7])  # symbols come and go
    for part in (rows, dropped):
        gain, low, high = gain_over(part, "prior", "classification", lags=2)
        assert gain == pytest.approx(
            log_loss(part["label"], part["prior"]) - log_loss(part["label"], part["prediction"])
        )
        assert 0 < low < gain < high
    # Independent days: the interval is about the ordinary one.
    daily = pd.Series(log_losses(up, np.full(4000, 0.5)) - log_losses(up, p)).groupby(np.arange(4000) // 4).mean()
    gain, low, high = gain_over(rows, "prior", "classification", lags=2)
    assert (high - low) / 2 == pytest.approx(1.96 * daily.std() / np.sqrt(1000), rel=0.3)


def test_symbols_that_move_together_and_overlapping_labels_widen_the_interval(rng: np.random.Generator) -> None:
    p = rng.uniform(0.3, 0.7, 2000)
    up = (rng.random(2000) < p).astype(float)

    def width(rows: pd.DataFrame, horizon: int) -> float:
        _, low, high = gain_over(rows, "prior", "classification", lags=2 * horizon)
        return high - low

    alone = width(table(up, p, np.full(2000, 0.5), symbols=1), 1)
    copies = table(np.repeat(up, 4), np.repeat(p, 4), np.full(8000, 0.5), symbols=4)
    assert width(copies, 1) == pytest.approx(alone)  # four copies of a symbol are not four times the evidence
    again = table(np.repeat(up, 5), np.repeat(p, 5), np.full(10_000, 0.5), symbols=1)
    assert width(again, 5) > 0.85 * alone  # nor is the same label on five days


def test_the_verdict_says_which_of_three_it_is() -> None:
    scores = pd.DataFrame({"log_loss": [0.6931, 0.6925], "auc": [0.5, 0.5]}, index=["model", "prior"])
    worse = verdict(scores, (-0.0006, -0.001, 0.0), "classification", "prior")
    assert worse == "Out of sample the model's log loss is 0.6931 against 0.6925 for the prior: no edge."
    assert "no edge beyond chance (gain 0.0002, 95 % interval -0.0001 … 0.0005)" in verdict(
        scores, (0.0002, -0.0001, 0.0005), "classification", "prior"
    )
    assert "an edge of 0.0020 (95 % interval 0.0010 … 0.0030), AUC 0.500, before costs." in verdict(
        scores, (0.002, 0.001, 0.003), "classification", "prior"
    )


def test_numbers_are_scored_by_their_errors_and_their_order(rng: np.random.Generator) -> None:
    label, said = rng.standard_normal(50), rng.standard_normal(50)
    found = score(label, said, "regression")
    assert found["mse"] == pytest.approx(mean_squared_error(label, said))
    assert found["mae"] == pytest.approx(mean_absolute_error(label, said))
    assert found["rank_correlation"] == pytest.approx(spearmanr(label, said).statistic)
    assert np.isnan(score(label, np.ones(50), "regression")["rank_correlation"])


def test_the_gain_of_numbers_is_diebold_and_marianos(rng: np.random.Generator) -> None:
    label = rng.standard_normal(400)
    rows = table(label, 0.3 * label, np.zeros(400), symbols=1)
    gain, low, high = gain_over(rows, "prior", "regression", lags=3)
    d = label**2 - (0.7 * label) ** 2
    # Lazarus, Lewis, Stock and Watson by hand: the mean square of 21 cosines, Student's t with as many degrees.
    t = np.arange(400) + 0.5
    waves = [np.sqrt(2 / 400) * (d * np.cos(np.pi * j * t / 400)).sum() for j in range(1, 22)]
    assert gain == pytest.approx(d.mean())
    assert (high - low) / 2 == pytest.approx(student.ppf(0.975, 21) * np.sqrt(np.mean(np.square(waves)) / 400))
    _, low, _ = gain_over(rows, "prior", "regression", lags=80, confidence=0.999)
    assert gain - low == pytest.approx(student.ppf(0.9995, 5) * np.sqrt(np.mean(np.square(waves[:5])) / 400))
    scores = pd.DataFrame({"mse": [0.5, 1.0], "rank_correlation": [1.0, np.nan]}, index=["model", "naive"])
    assert "mean squared error is 0.5 against 1 for the last known value: an edge of 0.5" in verdict(
        scores, (0.5, 0.4, 0.6), "regression", "naive"
    )


def without_an_edge(n: int, horizon: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return answers whose squared errors are above the yardstick's as often as below, over labels that overlap."""
    moves = np.concatenate([[0.0], rng.standard_normal(n + horizon).cumsum()])
    by_how_much = moves[horizon : horizon + n] - moves[:n]
    worst = 1.0 + np.abs(by_how_much).max()
    return table(np.zeros(n), np.full(n, np.sqrt(worst)), np.sqrt(worst + by_how_much), symbols=1)


@pytest.mark.parametrize(
    ("n", "horizon", "confidence", "most"), [(60, 5, 0.95, 0.032), (400, 63, 0.95, 0.032), (290, 21, 0.995, 0.004)]
)
def test_without_an_edge_one_is_found_as_often_as_was_asked_for(
    n: int, horizon: int, confidence: float, most: float
) -> None:
    """2.5 % and 0.25 % a side, or little more; by the errors of Newey and West it is 8, 15 and 2.5 % here."""
    rng, times = np.random.default_rng(n), 250
    found = 0
    for _ in range(times):
        rows = without_an_edge(n, horizon, rng)
        _, low, high = gain_over(rows, "prior", "regression", lags=2 * horizon, confidence=confidence)
        found += (low > 0) + (high < 0)
    assert found / (2 * times) < most + 3 * (most / (2 * times)) ** 0.5
    assert confidence > 0.95 or found / (2 * times) > 0.008


def test_an_edge_that_is_there_is_found(rng: np.random.Generator) -> None:
    rows = without_an_edge(750, 21, rng)
    sure = rows.assign(prior=np.sqrt(rows["prior"] ** 2 + 5.0))
    assert gain_over(sure, "prior", "regression", lags=42)[1] > 0


@pytest.mark.parametrize(("n", "horizon"), [(3, 5), (29, 5), (290, 63), (750, 252), (20, 1)])
def test_a_handful_of_stretches_says_nothing(n: int, horizon: int) -> None:
    rows = without_an_edge(n, horizon, np.random.default_rng(1))
    gain, low, high = gain_over(rows, "prior", "regression", lags=2 * horizon)
    assert np.isfinite(gain)
    assert (low, high) == (-np.inf, np.inf)
    scores = pd.DataFrame({"mse": [0.5, 1.0], "rank_correlation": [1.0, np.nan]}, index=["model", "prior"])
    assert verdict(scores, (0.5, low, high), "regression", "prior").endswith(
        "no edge beyond chance (gain 0.5, too few sessions for a 95 % interval)."
    )
    assert gain_interval(-0.5, 0.25, ".3g", confidence=0.999) == "99.9 % interval -0.5 … 0.25"
