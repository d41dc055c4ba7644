"""Shares of groups: each method against its formula, from the past only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from quantlib.backtest.sizing import FEWEST, Sizing, shares_over_time
from quantlib.errors import StrategyError

DAYS = pd.bdate_range("2020-01-01", periods=700, name="ts")
OWN = np.array([0.5, 0.5, 1.0])


@pytest.fixture
def results() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    shared = rng.normal(0.0, 1.0, len(DAYS))
    a = 0.0005 + 0.010 * rng.normal(0.0, 1.0, len(DAYS))
    b = 0.0004 + 0.005 * (0.95 * shared + 0.3 * rng.normal(0.0, 1.0, len(DAYS)))
    c = -0.0030 + 0.020 * (0.95 * shared + 0.3 * rng.normal(0.0, 1.0, len(DAYS)))
    return pd.DataFrame({"a": a, "b": b, "c": c}, index=DAYS)


def shares(results: pd.DataFrame, **asked: object) -> pd.DataFrame:
    return pd.DataFrame(
        shares_over_time(results, OWN, Sizing.model_validate(asked), periods_per_year=252),
        index=results.index,
        columns=results.columns,
    )


def last_window(results: pd.DataFrame, lookback: int = 252) -> pd.DataFrame:
    begin = results.index.get_loc(results.index[results.index.to_period("M") == results.index[-1].to_period("M")][0])
    return results.iloc[begin + 1 - lookback : begin + 1]


def test_fixed_is_the_own_share_throughout(results: pd.DataFrame) -> None:
    assert (shares(results, method="fixed") == OWN).all().all()


def test_volatility_scales_each_to_the_target(results: pd.DataFrame) -> None:
    got = shares(results, method="volatility", volatility=0.08, largest=10)
    deviation = last_window(results).std() * np.sqrt(252)
    np.testing.assert_allclose(got.iloc[-1], 0.08 / deviation, rtol=1e-12)


def test_a_share_never_grows_beyond_the_largest_multiple(results: pd.DataFrame) -> None:
    got = shares(results, method="volatility", volatility=2.0, largest=1.5)
    np.testing.assert_allclose(got.iloc[-1], 1.5 * OWN)


def test_kelly_is_a_fraction_of_mean_over_variance_and_nothing_for_a_loser(results: pd.DataFrame) -> None:
    got = shares(results, method="kelly", kelly_fraction=0.2, largest=10)
    window = last_window(results)
    full = window.mean() / window.var()
    assert (full > 0).tolist() == [False, True, False]
    np.testing.assert_allclose(got.iloc[-1], np.clip(0.2 * full, 0.0, 10.0 * OWN), rtol=1e-12)


def test_risk_parity_gives_equal_contributions_at_the_target(results: pd.DataFrame) -> None:
    got = shares(results, method="risk_parity", volatility=0.1, largest=10).iloc[-1]
    covariance = last_window(results).cov().to_numpy() * 252
    parts = got.to_numpy() * (covariance @ got.to_numpy())
    np.testing.assert_allclose(parts / parts.sum(), 1 / 3, atol=2e-3)
    assert np.sqrt(parts.sum()) == pytest.approx(0.1, rel=1e-6)


def test_hierarchical_risk_parity_splits_between_the_cluster_and_the_rest(results: pd.DataFrame) -> None:
    got = shares(results, method="hrp", volatility=0.1, largest=10).iloc[-1]
    window = last_window(results)
    assert np.std(window @ got, ddof=1) * np.sqrt(252) == pytest.approx(0.1, rel=1e-6)
    # Within the cluster of b and c, shares go by inverse variance.
    assert got["b"] / got["c"] == pytest.approx(window["c"].var() / window["b"].var(), rel=1e-6)


@pytest.mark.parametrize("method", ["volatility", "risk_parity", "hrp"])
@pytest.mark.parametrize("own", [0.5, 1.0])
def test_one_group_hits_the_target_whatever_its_own_share(results: pd.DataFrame, method: str, own: float) -> None:
    sizing = Sizing.model_validate({"method": method, "volatility": 0.10, "largest": 10})
    got = shares_over_time(results[["a"]], np.array([own]), sizing, periods_per_year=252)[-1, 0]
    assert got * last_window(results)["a"].std() * np.sqrt(252) == pytest.approx(0.10, rel=1e-12)


def test_kelly_does_not_look_at_the_own_share(results: pd.DataFrame) -> None:
    sizing = Sizing(method="kelly", kelly_fraction=0.02, largest=10)
    window = last_window(results)["b"]
    for own in (0.5, 1.0):
        got = shares_over_time(results[["b"]], np.array([own]), sizing, periods_per_year=252)[-1, 0]
        assert got == pytest.approx(0.02 * window.mean() / window.var(), rel=1e-12)


@pytest.mark.parametrize("method", ["risk_parity", "hrp"])
def test_groups_never_seen_side_by_side_count_as_not_correlated(results: pd.DataFrame, method: str) -> None:
    apart = results[["a", "b"]].copy()
    apart.loc[DAYS[600:], "a"] = np.nan
    apart.loc[DAYS[:600], "b"] = np.nan
    sizing = Sizing.model_validate({"method": method, "volatility": 0.10, "largest": 10})
    got = shares_over_time(apart, np.array([0.5, 0.5]), sizing, periods_per_year=252)[-1]
    np.testing.assert_allclose(got * last_window(apart).std() * np.sqrt(252), 0.10 / np.sqrt(2), rtol=1e-12)


@pytest.mark.parametrize("method", ["risk_parity", "hrp"])
def test_the_whole_meets_its_target_with_a_correlation_cap_too(results: pd.DataFrame, method: str) -> None:
    free = shares(results, method=method, largest=10).iloc[-1]
    got = shares(results, method=method, largest=10, correlation_cap=0.7).iloc[-1]
    assert (last_window(results) @ got).std() * np.sqrt(252) == pytest.approx(0.10, rel=1e-9)
    # b and c move together: half the mix's weight each, before all is scaled.
    np.testing.assert_allclose((got / free) / (got / free)["a"], [1.0, 0.5, 0.5], rtol=1e-9)


@pytest.mark.filterwarnings("ignore:The covariance matrix is not positive definite")
@pytest.mark.parametrize("method", ["risk_parity", "hrp"])
def test_groups_that_cancel_out_get_no_more_than_the_largest_multiple(results: pd.DataFrame, method: str) -> None:
    mirrored = pd.DataFrame({"a": results["a"], "b": -results["a"]})
    sizing = Sizing.model_validate({"method": method, "largest": 3})
    got = shares_over_time(mirrored, np.array([0.5, 0.5]), sizing, periods_per_year=252)[-1]
    np.testing.assert_allclose(got, 1.5)


def test_groups_that_move_together_share_one_place(results: pd.DataFrame) -> None:
    plain, capped = shares(results, method="fixed"), shares(results, method="fixed", correlation_cap=0.7)
    np.testing.assert_allclose(capped.iloc[-1] / plain.iloc[-1], [1.0, 0.5, 0.5])


def test_too_short_a_record_keeps_the_plain_share(results: pd.DataFrame) -> None:
    short = results.copy()
    short.iloc[: -FEWEST + 30, 0] = np.nan
    assert shares(short, method="kelly")["a"].iloc[-1] == OWN[0]
    idle = results.assign(b=0.0)
    assert shares(idle, method="volatility")["b"].iloc[-1] == OWN[1]


@pytest.mark.parametrize("method", ["risk_parity", "hrp"])
def test_a_group_that_stands_still_while_all_are_there_keeps_its_plain_share(
    results: pd.DataFrame, method: str
) -> None:
    still = results.copy()
    still.loc[DAYS[:600], "c"] = np.nan  # the latest 100 sessions are all they share
    still.loc[DAYS[600:], "a"] = 0.0
    got = shares(still, method=method, largest=10).iloc[-1]
    assert got["a"] == OWN[0]
    begin = last_window(still).index[-1]
    mixed = (still.loc[DAYS[600] : begin, ["b", "c"]] * got[["b", "c"]]).sum(axis=1)
    assert mixed.std() * np.sqrt(252) == pytest.approx(0.10, rel=1e-9)


@pytest.mark.parametrize("method", ["volatility", "kelly", "risk_parity", "hrp"])
def test_only_the_past_counts(results: pd.DataFrame, method: str) -> None:
    whole = shares(results, method=method, correlation_cap=0.7)
    for t in (130, 131, 333, 517):
        pd.testing.assert_frame_equal(shares(results.iloc[: t + 1], method=method, correlation_cap=0.7), whole[: t + 1])


def test_it_changes_at_first_sessions_only(results: pd.DataFrame) -> None:
    changed = shares(results, method="volatility").diff().abs().sum(axis=1) > 0
    first = DAYS.to_period("M")[1:] != DAYS.to_period("M")[:-1]
    assert not changed.to_numpy()[1:][~first].any()
    assert changed.sum() > 20


def test_wrong_sizes_are_refused(results: pd.DataFrame) -> None:
    with pytest.raises(StrategyError, match="3 groups and 2 shares"):
        shares_over_time(results, OWN[:2], Sizing(), periods_per_year=252)
    with pytest.raises(ValidationError, match="greater than or equal to 63"):
        Sizing(lookback=20)
