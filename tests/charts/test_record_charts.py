from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.charts.record import MONTHS
from quantlib.errors import DataError

DAYS = pd.date_range("2020-01-01", periods=900, freq="B", name="ts")
CHANGES = pd.Series(np.random.default_rng(3).normal(3e-4, 0.01, len(DAYS)), index=DAYS)
EQUITY = (1.0 + CHANGES).cumprod() * 1e6
TRADES = pd.DataFrame(
    {
        "group": "Pair",
        "side": ["long", "short", "long"],
        "entered": DAYS[[10, 50, 800]],
        "left": [DAYS[20], DAYS[80], pd.NaT],
        "pnl": [100.0, -40.0, 5.0],
        "return": [0.10, -0.04, 0.005],
        "mae": [-0.02, -0.05, -0.01],
        "mfe": [0.12, 0.01, 0.02],
        "entry_reason": "decision",
        "exit_reason": pd.array(["profit", "loss", None], dtype="str"),
    }
)


def title(fig: object) -> str:
    return str(fig.layout.meta["title"])  # type: ignore[attr-defined]


def test_the_band_stands_under_the_curve_and_its_ends_are_told():
    band = pd.DataFrame({"low": np.linspace(1, 0.7, len(DAYS)), "high": np.linspace(1, 2.5, len(DAYS))}, index=DAYS)
    fig = charts.equity_band(EQUITY, band, "Idea", benchmark=EQUITY * 2)
    assert title(fig).endswith("end between 0.70 and 2.50")
    table = charts.table_behind(fig)
    assert table["Idea"].iloc[-1] == pytest.approx(EQUITY.iloc[-1] / EQUITY.iloc[0])
    assert table["Buy and hold"].iloc[0] == 1.0
    with pytest.raises(DataError, match="different dates"):
        charts.equity_band(EQUITY.tail(10), band, "Idea")


def test_a_rolling_metric_says_its_range_and_how_often_it_was_below_zero():
    values = pd.Series([np.nan, -1.0, 2.0, 1.0], index=DAYS[:4], name="Idea")
    long = charts.rolling_line(values, "Beta with buy and hold", window=2).layout.yaxis.title.text
    assert long == "Beta with buy and<br>hold"
    fig = charts.rolling_line(values, "Sharpe ratio", window=2)
    assert title(fig) == "Rolling Sharpe ratio between -1.00 and 2.00, now 1.00; below zero 33 % of the time"
    with pytest.raises(DataError, match="fewer than 63 sessions"):
        charts.rolling_line(values.head(1), "Sharpe ratio", window=63)


def test_the_calendar_names_the_best_and_the_worst_month():
    table = pd.DataFrame(0.01, index=pd.Index([2020, 2021], name="year"), columns=[*MONTHS, "Year"])
    table.loc[2020, "Mar"], table.loc[2021, "Nov"], table.loc[2021, "Dec"] = -0.2, 0.3, np.nan
    fig = charts.monthly_heatmap(table)
    assert title(fig) == "96 % of months were up; best Nov 2021 (+30.0 %), worst Mar 2020 (-20.0 %)"
    assert fig.data[0].text[1][11] == ""
    assert fig.data[0].text[0][2] == "-20.0"
    assert charts.monthly_heatmap(table.replace(0.01, -0.0003)).data[0].text[0][0] == "0.0"


def test_exposure_is_gross_and_net():
    weights = pd.DataFrame({"A": [0.0, 0.5, 0.5, 0.0], "B": [0.0, -0.5, -0.25, 0.0]}, index=DAYS[:4])
    fig = charts.exposure(weights)
    assert charts.table_behind(fig)["Net"].tolist() == [0.0, 0.0, 25.0, 0.0]
    assert title(fig) == "In the market 50 % of sessions, 44 % gross on average; never above 100 %"
    long = charts.exposure(weights.abs())
    assert [trace.name for trace in long.data] == ["Gross"]
    assert "net is the same" in long.layout.meta["subtitle"]


def test_trades_stand_on_the_spread_with_their_reasons():
    spread = CHANGES.rename("z")
    fig = charts.trades_on_spread(spread, TRADES, levels={"enter": 2.0})
    assert title(fig) == "3 trades, 67 % of them won"
    long, short, left = fig.data[1:]
    assert [len(t.x) for t in (long, short, left)] == [2, 1, 2]
    assert short.y[0] == spread[DAYS[50]]
    assert list(left.customdata[0]) == ["profit", "+10.0 %"]
    with pytest.raises(DataError, match="never known"):
        charts.trades_on_spread(spread * np.nan, TRADES)


def test_excursions_say_how_deep_winners_were():
    fig = charts.excursions(TRADES)
    assert [len(t.x) for t in fig.data] == [2, 1]
    assert title(fig) == "9 of 10 winners were never more than 1.9 % under water"
    with pytest.raises(DataError, match="no finished trade"):
        charts.excursions(TRADES.head(0))


def test_profit_by_leg_adds_up():
    profit = pd.DataFrame(
        [[1.0, -2.0], [3.0, 1.0]], index=DAYS[:2], columns=pd.MultiIndex.from_tuples([("Pair", "KO"), ("Pair", "PEP")])
    )
    fig = charts.profit_by_leg(profit)
    assert charts.table_behind(fig)["All"].tolist() == [-1.0, 3.0]
    assert title(fig) == "Pair KO earned +$4, Pair PEP -$1; together +$3"


def test_costs_are_told_beside_what_was_earned():
    parts = pd.DataFrame({"commission": [1.0, 2.0], "spread": [4.0, 3.0], "borrow": 0.0}, index=DAYS[:2])
    fig = charts.cost_parts(parts, profit=90.0)
    assert title(fig) == "Costs took $10, 10 % of the profit before them"
    assert charts.table_behind(fig)["Amount"].to_dict() == {"spread": -7.0, "commission": -3.0}
    tiny = charts.cost_parts(parts.assign(financing=1e-9), profit=90.0)
    assert charts.table_behind(tiny).index.tolist() == ["spread", "commission"]
    assert title(charts.cost_parts(parts * 0.0, profit=0.0)) == "Costs took $0"


def test_profit_by_reason_names_both_ends():
    assert (
        title(charts.profit_by_reason(pd.Series({"loss": -5.0, "profit": 9.0})))
        == "Trades ended by profit earned +$9; those ended by loss -$5"
    )


def test_delay_says_what_is_left():
    table = pd.DataFrame({"value": [1.0, 0.4], "ci_low": [0.5, 0.0], "ci_high": [1.5, 0.8]}, index=[1, 2])
    fig = charts.by_delay(table)
    assert title(fig) == "Sharpe ratio 1.00 at the next session, 0.40 one later: 40 % of it is left"
    assert list(fig.data[0].error_y.arrayminus) == [0.5, 0.4]
    assert title(charts.by_delay(table * np.nan)) == "Sharpe ratio – at the next session"


def test_a_short_bar_has_room_for_its_amount_on_its_own_side():
    fig = charts.profit_by_reason(pd.Series({"decision": 30e6, "open": -0.2e6}))
    assert title(fig) == "Trades ended by decision earned +$30,000,000; those still open -$200,000"
    left, right = fig.layout.xaxis.range
    assert left < -0.3 * 30e6
    assert 30e6 < right < 32e6
    assert fig.data[0].y[0] == "still open"


def test_a_sweep_names_the_best_and_its_neighbours():
    grid = pd.DataFrame(
        [[0.1, 0.2, np.nan], [0.3, 0.9, 0.5]],
        index=pd.Index([10, 20], name="Fast average"),
        columns=pd.Index([50.0, 100.0, 200.0], name="Slow average"),
    )
    fig = charts.sweep_heatmap(grid, "Sharpe ratio", chosen=(20, 50.0))
    assert title(fig) == (
        "Best Sharpe ratio 0.90 at Fast average 20, Slow average 100; 0.40 on average around it, 0.30 in the middle"
    )
    (frame,) = fig.layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (-0.5, 0.5, 0.5, 1.5)
    assert fig.data[0].text[0][2] == ""
    assert not charts.sweep_heatmap(grid, "Sharpe ratio", chosen=(15, 50.0)).layout.shapes
    with pytest.raises(DataError, match="No combination has a known Sharpe ratio"):
        charts.sweep_heatmap(grid * np.nan, "Sharpe ratio")


def test_a_sweep_is_drawn_over_words_and_over_what_may_be_left_out():
    grid = pd.DataFrame(
        [[0.1, 0.2], [0.3, 0.9]],
        index=pd.Index(["ols", "tls"], name="Hedge"),
        columns=pd.Index([0.05, np.nan], name="Loss"),
    )
    fig = charts.sweep_heatmap(grid, "Sharpe ratio")
    assert title(fig).startswith("Best Sharpe ratio 0.90 at Hedge tls, Loss not set;")
    assert (list(fig.data[0].x), list(fig.data[0].y)) == (["0.05", "not set"], ["ols", "tls"])
