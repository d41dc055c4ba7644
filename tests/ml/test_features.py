"""Features: the right numbers, from the past alone, on each symbol's own sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib

from quantlib.errors import DataError
from quantlib.ml import FEATURES, FeatureGroup, build_features
from quantlib.ml.features.worlds import AHEAD, WORLDS
from quantlib.ml.looking_ahead import columns_that_look_ahead
from quantlib.simulators import StationaryBootstrap
from quantlib.types import Panel

OWN_WARMUP = FEATURES["own"].warmup


@pytest.fixture(scope="module")
def rich(stocks: Panel) -> Panel:
    """Return four symbols over 700 sessions: one listed late, one on another calendar, with an extra of each shape."""
    close = stocks.select(["KO", "PEP", "MSFT", "XOM"]).tail(700).frame()
    close.loc[close.index[:60], "XOM"] = np.nan
    close.loc[close.index.day_of_week == 2, "MSFT"] = np.nan
    rng = np.random.default_rng(4)
    extra = {"bias": rng.standard_normal(700).cumsum(), "score": rng.standard_normal((700, 4))}
    return Panel.from_frames(close, high=close * 1.01, low=close * 0.99, extra=extra)


@pytest.mark.parametrize("name", FEATURES)
def test_no_group_sees_the_future(rich: Panel, name: str) -> None:
    table = FEATURES[name].build(rich)
    assert table.notna().any().all(), "nothing would be compared"
    assert columns_that_look_ahead(FEATURES[name].build, rich) == {}


@pytest.mark.parametrize("name", FEATURES)
def test_every_group_is_what_its_card_says(rich: Panel, name: str) -> None:
    group = FEATURES[name]
    assert (group.name, bool(group.title), bool(group.description)) == (name, True, True)
    table = group.build(rich)
    assert list(table.columns) == list(group.columns) or (name == "macro" and not group.columns)
    assert table.index.equals(pd.MultiIndex.from_product([rich.index, rich.symbols], names=["ts", "symbol"]))
    mine = table.xs("KO", level="symbol")
    assert mine.iloc[group.warmup :].notna().all(axis=None)
    assert group.warmup <= 21 or mine.iloc[: group.warmup - AHEAD - 2].isna().any(axis=1).all()


def planted(panel: Panel) -> pd.DataFrame:
    table = build_features(panel, ["own"])[["return_1"]]
    wide = panel.frame()
    table["tomorrow"] = (wide.shift(-1) / wide - 1).to_numpy().ravel()
    table["centred"] = wide.rolling(3, center=True).mean().to_numpy().ravel()
    table["scaled"] = (wide / wide.mean()).to_numpy().ravel()
    table["far"] = wide.shift(-40).notna().astype(float).to_numpy().ravel()
    return table


def test_planted_leaks_are_caught_and_named(small: Panel) -> None:
    found = columns_that_look_ahead(planted, small)
    assert set(found) == {"tomorrow", "centred", "scaled", "far"}


def test_a_group_of_ones_own_that_looks_ahead_is_refused_at_the_door(small: Panel) -> None:
    with pytest.raises(
        DataError, match=r"Feature '(centred|scaled|far|tomorrow)' of group 'mine' looks ahead: its val"
    ):
        build_features(small, ["own", FeatureGroup("mine", "", "", planted, {}, 0)])
    honest = FeatureGroup("mine", "", "", lambda panel: planted(panel)[["return_1"]], {}, 0)
    assert list(build_features(small, [honest])) == ["return_1"]
    with pytest.raises(DataError, match="Two feature groups give the column 'return_1'"):
        build_features(small, ["own", honest])


def test_each_number_of_the_own_closes_is_what_its_name_says(small: Panel) -> None:
    table = build_features(small, ["own"])
    close = small.frame()["PEP"].to_numpy()
    t = 400
    row = table.loc[(small.index[t], "PEP")]
    for n in (1, 2, 5, 10, 21, 63):
        assert row[f"return_{n}"] == pytest.approx(close[t] / close[t - n] - 1)
    assert row["volatility_21"] == pytest.approx(np.std(close[380:401] / close[379:400] - 1, ddof=1))
    last_50 = close[t - 49 : t + 1]
    deviations = (close[t] - last_50.mean()) / np.std(last_50)
    assert row["zscore_50"] == pytest.approx(deviations, rel=0.02)  # whichever divisor the deviation has
    assert row["rsi_14"] == pytest.approx(talib.RSI(close, 14)[t])
    assert row["from_high_252"] == pytest.approx(close[t] / close[t - 251 : t + 1].max() - 1)


def test_indicator_readings_are_talibs(ohlcv: Panel) -> None:
    panel = ohlcv.tail(600)
    row = build_features(panel, ["indicators"]).iloc[-1]
    close = panel.close[:, 0]
    assert row["ema_gap_20"] == pytest.approx(close[-1] / talib.EMA(close, 20)[-1] - 1)
    assert row["sma_gap_200"] == pytest.approx(close[-1] / close[-200:].mean() - 1)
    assert row["range_place_55"] == pytest.approx((close[-1] - close[-55:].min()) / np.ptp(close[-55:]))
    assert row["momentum_12_1"] == pytest.approx(close[-22] / close[-253] - 1)
    assert row["rsi_2"] == pytest.approx(talib.RSI(close, 2)[-1])
    assert row["atr_14"] == pytest.approx(talib.ATR(panel.high[:, 0], panel.low[:, 0], close, 14)[-1] / close[-1])


def test_ranks_run_from_the_lowest_to_the_highest_of_the_session(stocks: Panel) -> None:
    panel = stocks.tail(300)
    table = build_features(panel, ["cross_section"]).loc[panel.index[-1]]
    month = panel.frame().iloc[-1] / panel.frame().iloc[-22] - 1
    assert table["rank_return_21"].sort_values().index.tolist() == month.sort_values().index.tolist()
    assert sorted(table["rank_return_21"]) == pytest.approx(np.arange(20) / 19)
    assert table["market_return_21"].to_numpy() == pytest.approx(month.mean())
    assert table["dispersion_21"].to_numpy() == pytest.approx(month.std())
    alone = build_features(panel.select(["KO"]), ["cross_section"])
    assert alone["rank_return_21"].isna().all()


def test_calendar_features_come_from_the_date_not_from_the_rows(small: Panel) -> None:
    table = build_features(small, ["calendar"]).xs("KO", level="symbol")
    for t, row in table.iloc[[10, 200, 499]].iterrows():
        assert row["days_to_month_end"] == (t + pd.offsets.MonthEnd(0) - t).days
        turn = np.arctan2(row["week_sin"], row["week_cos"]) % (2 * np.pi)
        assert turn * 7 / (2 * np.pi) == pytest.approx(t.weekday())
        turn = np.arctan2(row["year_sin"], row["year_cos"]) % (2 * np.pi)
        assert turn * 365.25 / (2 * np.pi) == pytest.approx(t.day_of_year - 1)


def test_extras_are_features_as_known_at_the_close(rich: Panel) -> None:
    table = build_features(rich, ["macro"])
    assert list(table) == ["bias", "bias_change_21", "score", "score_change_21"]
    row = table.loc[(rich.index[500], "MSFT")]
    assert row["bias"] == rich.extra["bias"][500]
    assert row["score_change_21"] == pytest.approx(rich.extra["score"][500, 2] - rich.extra["score"][479, 2])


def test_a_feature_of_an_extra_is_called_by_letters_and_digits_alone(small: Panel) -> None:
    level = np.arange(500.0)

    def carrying(*names: str) -> Panel:
        return Panel.from_frames(small.frame(), extra=dict.fromkeys(names, level))

    table = build_features(carrying("macro: CPIAUCSL", "model: up or down"), ["macro"])
    assert list(table) == [
        *("macro_CPIAUCSL", "macro_CPIAUCSL_change_21"),
        *("model_up_or_down", "model_up_or_down_change_21"),
    ]
    assert table["macro_CPIAUCSL"].xs("PEP", level="symbol").tolist() == level.tolist()
    with pytest.raises(DataError, match="Two extras give the feature 'macro_A_B', 'macro: A_B' being one"):
        build_features(carrying("macro: A.B", "macro: A_B"), ["macro"])


def test_world_statistics_are_those_of_the_months_worlds(stocks: Panel) -> None:
    panel = stocks.select(["KO", "MSFT"]).tail(560)
    table = build_features(panel, ["worlds"])
    begin = next(t for t in range(520, 560) if panel.index[t].month != panel.index[t - 1].month)
    past = Panel.from_frames(panel.frame().iloc[begin - 504 : begin + 1])
    when = panel.index[begin]
    closes = StationaryBootstrap(block=10).closes(past, n=WORLDS, horizon=AHEAD, seed=when.year * 12 + when.month)
    final = closes[:, -1] / past.close[-1] - 1
    row = table.loc[when]
    np.testing.assert_allclose(row["world_up"], (final > 0).mean(axis=0))
    np.testing.assert_allclose(row["world_shortfall"], np.sort(final, axis=0)[:10].mean(axis=0))
    whole = np.concatenate([np.broadcast_to(past.close[-1], (WORLDS, 1, 2)), closes], axis=1)
    deepest = (whole / np.maximum.accumulate(whole, axis=1) - 1).min(axis=1).mean(axis=0)
    np.testing.assert_allclose(row["world_drawdown"], deepest)
    np.testing.assert_array_equal(table.loc[panel.index[begin + 1]], row)  # until the next month


def test_unknown_until_every_window_is_full(small: Panel) -> None:
    known = build_features(small).notna().all(axis=1).to_numpy().reshape(-1, 3)
    assert not known[:OWN_WARMUP].any()
    assert known[OWN_WARMUP:].all()


def test_another_symbols_calendar_changes_nothing(small: Panel) -> None:
    alone = build_features(small).xs("KO", level="symbol")
    days = pd.date_range(small.index[0], small.index[-1])
    rng = np.random.default_rng(1)
    mixed = small.frame()[["KO"]].reindex(days)
    mixed["COIN"] = 100 * np.exp(0.03 * rng.standard_normal(len(days)).cumsum())
    mixed["DEAD"] = np.nan
    table = build_features(Panel.from_frames(mixed))
    beside = table.xs("KO", level="symbol")
    pd.testing.assert_frame_equal(beside.loc[alone.index], alone, check_freq=False)
    assert beside.drop(alone.index).isna().all(axis=None)
    coin = table.xs("COIN", level="symbol")["return_1"]
    np.testing.assert_allclose(coin, mixed["COIN"].pct_change())
    assert table.xs("DEAD", level="symbol").isna().all(axis=None)


def test_bad_input_is_refused(small: Panel) -> None:
    with pytest.raises(DataError, match="at least one symbol"):
        build_features(small.select([]))
    with pytest.raises(DataError, match="Did you mean cross_section"):
        build_features(small, ["cross_sections"])
    with pytest.raises(DataError, match="No feature group is given"):
        build_features(small, [])
