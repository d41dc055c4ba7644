"""What groups decide, against statsmodels, pandas and the plain families on the same prices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from quantlib.conditions import ConditionError
from quantlib.errors import DataError
from quantlib.strategies import Group, MACross, Pair, Rotation, build
from quantlib.types import Panel

FLY = ("JNJ", "MRK", "PFE")


def group(**params: Any) -> Group:
    made = build("group", params)
    assert isinstance(made, Group)
    return made


def changes(weights: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the sessions on which a new decision stands."""
    return pd.DatetimeIndex(weights.index[weights.ne(weights.shift(fill_value=0.0)).any(axis=1)])


@pytest.fixture(scope="module")
def drugs(stocks: Panel) -> Panel:
    """Return three drug makers and one stock beside them."""
    return stocks.select([*FLY, "KO"]).tail(1500)


def test_the_spread_equals_a_regression_by_statsmodels(stocks: Panel) -> None:
    pair = group(legs=["KO", "PEP"], hedge={"lookback": 120}, timing={"kind": "band", "lookback": 120})
    measured = pair.course(stocks).measured
    log = np.log(stocks.frame()[["KO", "PEP"]])
    for t in (119, 500, 4000, 8312):
        part = log.iloc[t - 119 : t + 1]
        fit = sm.OLS(part["KO"], sm.add_constant(part["PEP"])).fit()
        assert measured["hedge_ratio"].iloc[t] == pytest.approx(fit.params["PEP"], rel=1e-9)
        assert measured["spread"].iloc[t] == pytest.approx(fit.resid.iloc[-1], rel=1e-7)
        assert measured["z"].iloc[t] == pytest.approx(fit.resid.iloc[-1] / np.sqrt(fit.mse_resid), rel=1e-7)
    assert measured.iloc[:119].isna().all().all()


def test_a_given_ratio_is_measured_in_standard_deviations_of_its_own_spread(drugs: Panel) -> None:
    fly = group(kind="fly", legs=FLY, timing={"kind": "band", "lookback": 90})
    log = np.log(drugs.frame())
    spread = log["JNJ"] - 2 * log["MRK"] + log["PFE"]
    expected = (spread - spread.rolling(90).mean()) / spread.rolling(90).std()
    measured = fly.course(drugs).measured
    np.testing.assert_allclose(measured["z"].iloc[89:], expected.iloc[89:], rtol=1e-6)
    assert (measured["hedge_ratio"] == 1.0).all()


def test_a_pair_by_least_squares_decides_as_the_pair_family_does(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"])
    plain = Pair(y="KO", x="PEP", lookback=120, entry=1.5, exit=0.25, stop=20)
    same = group(
        legs=["KO", "PEP"],
        hedge={"lookback": 120},
        timing={"kind": "band", "lookback": 120, "entry": 1.5, "exit": 0.25},
    )
    pd.testing.assert_frame_equal(same.targets(panel), plain.targets(panel), rtol=1e-6, check_freq=False)
    assert len(changes(same.targets(panel))) > 100


@pytest.mark.parametrize("absolute", [True, False])
def test_a_ranking_by_return_decides_as_the_rotation_family_does(factor_etfs: Panel, absolute: bool) -> None:
    plain = Rotation(top=2, absolute=absolute)
    same = group(
        kind="rotation",
        legs=plain.universe,
        timing={"kind": "rank", "top": 2, "filter": "close > lag(close, 126)" if absolute else None},
    )
    pd.testing.assert_frame_equal(same.targets(factor_etfs), plain.targets(factor_etfs), check_freq=False)


@pytest.mark.parametrize("short", [True, False])
def test_rules_on_an_outright_decide_as_the_cross_family_does(stocks: Panel, short: bool) -> None:
    panel = stocks.select(["GE"])
    plain = MACross(universe=("GE",), allow_short=short)
    rules = {"kind": "rules", "long": "sma(close, 50) > sma(close, 200)"}
    if short:
        rules["short"] = "sma(close, 50) <= sma(close, 200)"
    same = group(kind="outright", legs=["GE"], timing=rules)
    pd.testing.assert_frame_equal(same.targets(panel), plain.targets(panel), check_freq=False)


def test_a_ratio_is_frozen_until_it_is_hedged_again(drugs: Panel) -> None:
    frozen = group(kind="fly", legs=FLY, hedge={"method": "volatility", "lookback": 60})
    monthly = frozen.model_copy(update={"hedge": frozen.hedge.model_copy(update={"rehedge": "monthly"})})
    one, other = frozen.targets(drugs)[list(FLY)], monthly.targets(drugs)[list(FLY)]
    pd.testing.assert_frame_equal(np.sign(one), np.sign(other))
    entries = changes(np.sign(one))
    assert set(changes(one)) == set(entries)
    month = pd.Series(drugs.index.year * 12 + drugs.index.month, index=drugs.index)
    firsts = drugs.index[month.diff() != 0]
    assert set(changes(other)) <= set(entries) | set(firsts)
    assert len(changes(other)) > len(entries)
    course = monthly.course(drugs)
    on = course.side != 0
    taken = course.ratios.loc[course.decided[on]].to_numpy()
    expected = course.side[on].to_numpy()[:, None] * taken / np.abs(taken).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(course.weights[on], expected, rtol=1e-12)


def test_gross_exposure_is_the_capital_share_and_one_trade_is_all_legs(drugs: Panel) -> None:
    weights = group(kind="fly", legs=FLY, capital=0.4, hedge={"method": "beta", "lookback": 60}).targets(drugs)
    gross = weights.abs().sum(axis=1)
    assert set(gross.round(12)) == {0.0, 0.4}
    on = np.sign(weights[list(FLY)][gross > 0])
    assert (on["JNJ"] == on["PFE"]).all()
    assert (on["JNJ"] == -on["MRK"]).all()
    assert {1.0, -1.0} <= set(on["JNJ"])
    assert (weights["KO"] == 0).all()


@pytest.mark.parametrize(("direction", "sign"), [("long", 1.0), ("short", -1.0)])
def test_one_direction_is_the_half_of_both(drugs: Panel, direction: str, sign: float) -> None:
    both = group(kind="fly", legs=FLY).targets(drugs)["JNJ"]
    one = group(kind="fly", legs=FLY, direction=direction).targets(drugs)["JNJ"]
    pd.testing.assert_series_equal(one, both.where(np.sign(both) == sign, 0.0))
    assert (one != 0).any()


def test_following_takes_the_other_side(drugs: Panel) -> None:
    legs = ["JNJ", "PFE"]
    band = {"kind": "band", "entry": 1.0, "exit": 0.0, "lookback": 60}
    revert = group(legs=legs, timing=band, hedge={"method": "dollar_neutral"}).targets(drugs)
    follow = group(legs=legs, timing=band | {"way": "follow"}, hedge={"method": "dollar_neutral"}).targets(drugs)
    pd.testing.assert_frame_equal(follow, -revert + 0.0)


def test_a_switch_goes_out_of_its_first_leg_into_its_second(drugs: Panel) -> None:
    band = {"kind": "band", "lookback": 60}
    switch = group(kind="switch", legs=["JNJ", "PFE"], timing=band)
    pair = group(legs=["PFE", "JNJ"], timing=band, hedge={"method": "dollar_neutral"}, direction="long")
    pd.testing.assert_frame_equal(switch.targets(drugs), pair.targets(drugs))
    weights = switch.targets(drugs)
    assert set(weights["PFE"].round(9)) == {0.0, 0.5}
    z, mirrored = pair.spread_z(drugs), switch.spread_z(drugs)
    assert z is not None
    assert mirrored is not None
    np.testing.assert_allclose(mirrored, -z)


def test_a_switch_regresses_what_it_buys_on_what_it_sells(drugs: Panel) -> None:
    switch = group(kind="switch", legs=["JNJ", "PFE"], hedge={"method": "ols", "lookback": 120})
    course = switch.course(drugs)
    log = np.log(drugs.frame()).tail(120)
    slope = sm.OLS(log["PFE"], sm.add_constant(log["JNJ"])).fit().params["JNJ"]
    np.testing.assert_allclose(course.ratios.iloc[-1], [-slope, 1.0], rtol=1e-9)
    assert course.measured["hedge_ratio"].iloc[-1] == pytest.approx(slope, rel=1e-9)


def test_what_is_true_before_the_warm_up_is_over_starts_no_trade(drugs: Panel) -> None:
    either = group(kind="outright", legs=["KO"], timing={"kind": "rules", "long": "close > 0 or sma(close, 50) > 0"})
    assert either.warmup == 50
    assert either.course(drugs).conditions["long"].tolist() == [1.0] * len(drugs)
    weights = either.targets(drugs)["KO"]
    assert (weights.iloc[:49] == 0).all()
    assert (weights.iloc[49:] == 1).all()


def test_the_spread_z_of_the_stop_falls_when_the_trade_loses(drugs: Panel) -> None:
    for kind, legs in (("pair", FLY[:2]), ("switch", FLY[:2]), ("fly", FLY)):
        one = group(kind=kind, legs=legs, timing={"kind": "band", "lookback": 60}, stops={"spread_z": 3.5})
        z, weights = one.spread_z(drugs), one.targets(drugs)[list(legs)]
        assert z is not None
        began = changes(np.sign(weights)).intersection(weights.index[weights.abs().sum(axis=1) > 0])
        assert len(began) > 3
        at = drugs.index.get_indexer(began)
        # As the engine reads it: the side is the sign of the first leg, and entry is on the cheap side of it.
        assert (np.sign(weights.iloc[at, 0]) * z[at] <= -2.0).all()
        assert (np.abs(z[at]) < 3.5).all()


def test_nothing_hangs_on_the_spread_of_a_basket(drugs: Panel) -> None:
    assert group(kind="basket", legs=FLY).spread_z(drugs) is None
    assert group(timing={"kind": "rules", "long": "KO.close > 1"}).spread_z(drugs) is None


def test_a_volatility_target_sizes_by_the_past_of_todays_weights(drugs: Panel) -> None:
    target = {"annual": 0.08, "lookback": 40, "cap": 1.5}
    fly = group(kind="fly", legs=FLY, capital=0.5, volatility_target=target, timing={"kind": "band", "lookback": 60})
    weights = fly.targets(drugs)[list(FLY)]
    returns = drugs.frame()[list(FLY)].pct_change()
    entries = [t for t in changes(weights) if weights.loc[t].abs().sum() > 0]
    assert len(entries) > 5
    scales = []
    for t in entries:
        unit = weights.loc[t] / weights.loc[t].abs().sum()
        deviation = (returns.loc[:t].tail(40) @ unit).std() * np.sqrt(252)
        scales.append(min(1.5, 0.08 / (0.5 * deviation)))
        assert weights.loc[t].abs().sum() == pytest.approx(0.5 * scales[-1], rel=1e-9)
    assert min(scales) < 1.5


def test_a_basket_by_risk_is_renewed_monthly_and_held_throughout(drugs: Panel) -> None:
    basket = group(kind="basket", legs=FLY, hedge={"method": "volatility", "lookback": 60})
    weights = basket.targets(drugs)[list(FLY)]
    returns = np.log(drugs.frame()[list(FLY)]).diff()
    for t in changes(weights):
        share = 1.0 / returns.loc[:t].tail(60).std()
        np.testing.assert_allclose(weights.loc[t], share / share.sum(), rtol=1e-9)
    assert (weights.iloc[60:].sum(axis=1).round(12) == 1.0).all()
    assert (weights.iloc[:60] == 0).all().all()
    per_month = pd.Series(1, index=changes(weights)).groupby([changes(weights).year, changes(weights).month]).sum()
    assert (per_month == 1).all()


def test_nothing_leaves_before_its_time(drugs: Panel) -> None:
    params: dict[str, Any] = {
        "kind": "fly",
        "legs": FLY,
        "timing": {"kind": "band", "entry": 1.0, "exit": 0.9, "lookback": 60},
    }
    loose, held = (group(**params, min_hold=n).course(drugs).side for n in (0, 15))

    def lengths(side: pd.Series) -> pd.Series:
        spells = side.groupby((side != side.shift()).cumsum())
        return spells.size()[spells.first() != 0].iloc[:-1]

    assert lengths(loose).min() < 15
    assert lengths(held).min() == 15


def test_rules_may_read_other_symbols_and_the_spread(drugs: Panel) -> None:
    one = group(
        legs=FLY[:2], timing={"kind": "rules", "long": "z < -1 and KO.close > sma(KO.close, 50)", "exit_long": "z > 0"}
    )
    assert one.inputs == ("JNJ", "MRK", "KO")
    weights = one.targets(drugs)["JNJ"]
    z = one.course(drugs).measured["z"]
    ko = drugs.frame()["KO"]
    entered = weights.index[(weights > 0) & (weights.shift() == 0)]
    assert len(entered) > 3
    assert (z[entered] < -1).all()
    assert (ko[entered] > ko.rolling(50).mean()[entered]).all()
    left = weights.index[(weights == 0) & (weights.shift() > 0)]
    assert (z[left] > 0).all()
    with pytest.raises(DataError, match="'KO' is not in the panel"):
        one.targets(drugs.select(FLY))
    typo = group(legs=FLY[:2], timing={"kind": "rules", "long": "zz < -1"})
    with pytest.raises(ConditionError, match=r"There is no 'zz' here\."):
        typo.targets(drugs)


def test_rules_on_extras_of_the_panel(drugs: Panel) -> None:
    bias = np.sin(np.arange(len(drugs)) / 50)
    panel = Panel.from_frames(drugs.frame(), extra={"macro_bias": bias})
    one = group(
        kind="outright", legs=["KO"], timing={"kind": "rules", "long": "macro_bias > 0", "short": "macro_bias < -0.5"}
    )
    expected = np.where(bias > 0, 1.0, np.where(bias < -0.5, -1.0, 0.0))
    np.testing.assert_array_equal(one.targets(panel)["KO"], expected)


def test_an_unknown_price_of_one_leg_leaves_all_legs_standing(drugs: Panel) -> None:
    close = drugs.frame().copy()
    fly = group(kind="fly", legs=FLY, hedge={"method": "volatility", "lookback": 60, "rehedge": "daily"})
    on = fly.targets(drugs).index[(fly.targets(drugs)["JNJ"] != 0)]
    day = on[len(on) // 2]
    at = close.index.get_loc(day)
    close.loc[day, "MRK"] = np.nan
    weights = fly.targets(Panel.from_frames(close))
    pd.testing.assert_series_equal(weights.iloc[at], weights.iloc[at - 1], check_names=False)
    without = fly.targets(Panel.from_frames(close.drop(index=day)))
    pd.testing.assert_frame_equal(weights.drop(index=day), without, check_freq=False)


def test_a_rotation_goes_long_and_short_and_leaves_what_is_filtered_in_cash(drugs: Panel) -> None:
    rank = {"kind": "rank", "by": "close / lag(close, 20) - 1", "top": 1, "bottom": 1, "every": "weekly"}
    weights = group(kind="rotation", legs=drugs.symbols, timing=rank, capital=0.8).targets(drugs)
    momentum = drugs.frame().pct_change(20, fill_method=None)
    mondays = [g.index[0] for _, g in drugs.frame().groupby(drugs.index.to_period("W"))][5:]
    for day in mondays[::20]:
        assert weights.loc[day, momentum.loc[day].idxmax()] == 0.4
        assert weights.loc[day, momentum.loc[day].idxmin()] == -0.4
    assert set(weights.abs().sum(axis=1).round(12)) == {0.0, 0.8}
    rising = rank | {"filter": "close > lag(close, 20)"}
    filtered = group(kind="rotation", legs=drugs.symbols, timing=rising, capital=0.8).targets(drugs)
    up = momentum > 0
    for day in mondays[::20]:
        pd.testing.assert_series_equal(filtered.loc[day], weights.loc[day].where(up.loc[day], 0.0))


def test_a_rotation_by_risk_and_volatility(drugs: Panel) -> None:
    rank = {"kind": "rank", "by": "close / lag(close, 20) - 1", "top": 2}
    sized = group(
        kind="rotation",
        legs=drugs.symbols,
        timing=rank,
        hedge={"method": "volatility", "lookback": 50},
        volatility_target={"annual": 0.1, "lookback": 50, "cap": 3},
    )
    weights = sized.targets(drugs)
    returns = drugs.frame().pct_change()
    for day in changes(weights)[::10]:
        held = weights.loc[day][weights.loc[day] != 0]
        past = returns.loc[:day, held.index].tail(50)
        share = 1.0 / past.std()
        share /= share.sum()
        np.testing.assert_allclose(held / held.sum(), share, rtol=1e-9)
        scale = min(3.0, 0.1 / ((past @ share).std() * np.sqrt(252)))
        assert held.sum() == pytest.approx(scale, rel=1e-9)


def test_a_rotation_starts_with_the_legs_there_are(drugs: Panel) -> None:
    close = drugs.frame().copy()
    close.iloc[:700, 0] = np.nan
    close.iloc[1100:, 1] = np.nan
    rank = {"kind": "rank", "by": "close / lag(close, 20) - 1", "top": 2}
    weights = group(kind="rotation", legs=drugs.symbols, timing=rank).targets(Panel.from_frames(close))
    assert (weights.iloc[60:].sum(axis=1) == 1.0).all()
    assert (weights.iloc[:700, 0] == 0).all()
    assert (weights.iloc[750:, 0] > 0).any()
    assert (weights.iloc[1140:, 1] == 0).all()


def test_weekends_are_known_by_what_was_seen_so_far() -> None:
    every_day = pd.date_range("2024-01-01", periods=500)
    close = pd.DataFrame(50 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, 500))), every_day, ["BTC"])
    held = group(kind="outright", legs=["BTC"], volatility_target={"annual": 0.2, "lookback": 60, "cap": 5})
    weights = held.targets(Panel.from_frames(close))["BTC"]
    day = changes(weights.to_frame())[-1]
    deviation = close["BTC"].pct_change().loc[:day].tail(60).std() * np.sqrt(365)
    assert weights[day] == pytest.approx(0.2 / deviation)
