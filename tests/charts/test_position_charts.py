from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.charts.theme import LIGHT
from quantlib.errors import DataError
from quantlib.types import Panel


def _weights(columns: int, rows: int = 1000) -> pd.DataFrame:
    index = pd.bdate_range("2020-01-01", periods=rows)
    frame = pd.DataFrame(0.0, index=index, columns=[f"S{i}" for i in range(columns)])
    for start in range(0, rows, 50):
        frame.iloc[start : start + 50, (start // 50) % columns] = 1.0
    return frame


def test_a_pair_is_drawn_in_steps_with_only_the_rows_that_matter():
    weights = pd.DataFrame(
        {"KO": [0, 0.5, 0.5, 0.5, 0, 0], "PEP": [0, -0.5, -0.5, -0.5, 0, 0], "never": 0.0},
        index=pd.bdate_range("2024-01-01", periods=6),
    )
    fig = charts.weights_over_time(weights)
    assert [trace.name for trace in fig.data] == ["KO", "PEP"]
    assert {trace.line.shape for trace in fig.data} == {"hv"}
    assert list(fig.data[1].y) == [0, -50, 0, 0]
    assert fig.layout.meta["title"] == "Nothing is held now"


def test_the_title_names_what_is_held_largest_first():
    weights = pd.DataFrame({"A": [0.2], "B": [-0.5], "C": [0.0]}, index=pd.to_datetime(["2024-01-02"]))
    assert charts.weights_over_time(weights).layout.meta["title"] == "Held now: B -50.0 %, A 20.0 %"
    then = charts.weights_over_time(weights, when="on 2024-01-02")
    assert then.layout.meta["title"] == "Held on 2024-01-02: B -50.0 %, A 20.0 %"


def test_many_holdings_become_a_heat_map_that_keeps_the_last_row():
    weights = _weights(7)
    fig = charts.weights_over_time(weights)
    heat = fig.data[0]
    assert heat.type == "heatmap"
    assert np.asarray(heat.z).shape == (7, len(heat.x))
    assert len(heat.x) <= 400
    assert pd.Timestamp(heat.x[-1]) == weights.index[-1]
    table = charts.table_behind(fig)
    assert (table.iloc[-1] == weights.iloc[-1][table.columns] * 100).all()
    assert heat.zmin == 0.0


def test_short_weights_get_a_scale_centred_on_nothing():
    heat = charts.weights_over_time(_weights(4) - _weights(4).shift(-50).fillna(0)).data[0]
    assert heat.zmin == -heat.zmax
    assert heat.colorscale[1] == (0.5, LIGHT.surface)


def test_no_weights_at_all():
    with pytest.raises(DataError, match="no weights"):
        charts.weights_over_time(pd.DataFrame())
    flat = pd.DataFrame({"A": [0.0, 0.0]}, index=pd.bdate_range("2024-01-01", periods=2))
    assert charts.weights_over_time(flat).layout.meta["title"] == "Nothing is held now"


def test_trades_stand_at_their_price_with_a_shape_for_each_side(stocks: Panel):
    close = stocks.tail(300).frame()["KO"]
    days = close.index[[10, 60, 200]]
    trades = pd.DataFrame(
        {
            "ts": [*days, days[0]],
            "symbol": ["KO", "KO", "KO", "PEP"],
            "side": ["buy", "sell", "buy", "buy"],
            "shares": [100.0, -100.0, 50.0, 1.0],
            "price": [*close[days], 1.0],
            "cost": [1.5, 1.25, 0.75, 99.0],
        }
    )
    fig = charts.trades_on_price(stocks.tail(300), "KO", trades)
    line, buys, sales = fig.data
    assert (buys.marker.symbol, sales.marker.symbol) == ("triangle-up", "triangle-down")
    np.testing.assert_allclose(buys.y, close[days[[0, 2]]])
    np.testing.assert_allclose(sales.customdata, [[100.0, 1.25]])
    assert fig.layout.meta["title"] == "2 buys and 1 sales of KO cost $4 in all"
    assert len(line.y) == 300
    empty = charts.trades_on_price(stocks.tail(300), "XOM", trades)
    assert empty.layout.meta["title"] == "XOM was never traded"
