from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.charts import alt_text, scenario_bars, scenario_heatmap, table_behind
from quantlib.errors import DataError

GRID = pd.DataFrame(
    {"Crash": [-0.2, -0.314], "Oil": [0.05, -0.01], "Crypto": [np.nan, np.nan]}, index=["Trend", "Pair"]
)
TABLE = pd.DataFrame(
    {
        "shock": [-0.2, -0.31, 0.05],
        "how": ["named", "conditional", "proxy"],
        "r2": [1.0, 0.42, np.nan],
        "low": [-0.2, -0.4, -0.1],
        "high": [-0.2, -0.2, 0.2],
    },
    index=["SPY", "AAPL", "NEW"],
)


def title(fig) -> str:
    return fig.layout.meta["title"]


def test_the_heatmap_names_the_worst_cell_and_stands_scenarios_below_each_other():
    fig = scenario_heatmap(GRID)
    assert title(fig) == "Crash is the worst for Pair: -31.4 %; 1 of 2 scenarios lose in every column"
    heat = fig.data[0]
    assert list(heat.x) == ["Trend", "Pair"]
    assert list(heat.y) == ["Crash", "Oil", "Crypto"]
    z = np.asarray(heat.z, dtype=float)
    assert z[0].tolist() == pytest.approx([-20, -31.4])
    assert np.isnan(z[2]).all()
    assert heat.zmin == -heat.zmax == pytest.approx(-31.4)
    assert [list(row) for row in heat.text] == [["-20.0", "-31.4"], ["+5.0", "-1.0"], ["", ""]]
    assert "1 of 3 scenarios have no number here" in alt_text(fig)
    assert table_behind(fig).loc["Pair", "Crash"] == -0.314


def test_a_phone_has_room_for_the_names_and_numbers_of_the_heatmap():
    few = scenario_heatmap(GRID.set_axis(["Large-cap trend", "Turn of month"]))
    assert few.layout.xaxis.tickangle == 0
    assert list(few.layout.xaxis.ticktext) == ["Large-cap trend", "Turn of month"]
    assert few.data[0].colorbar.orientation == "h", "beside the map it would take a fifth of a phone"
    assert few.data[0].textfont.size is None, "plotly then takes the largest that fits a cell"
    names = [f"A strategy number {k}" for k in range(26)]
    grid = pd.DataFrame(-0.00123, index=names, columns=["End of the dot-com bubble 2000-02", "Oil"])
    grid.iloc[0, 1] = -0.0876
    many = scenario_heatmap(grid)
    assert many.layout.xaxis.tickangle == -90
    assert list(many.layout.xaxis.ticktext) == names, "every column has its name"
    assert list(many.layout.yaxis.ticktext) == ["End of the dot-com<br>bubble 2000-02", "Oil"]
    assert [row[0] for row in many.data[0].text] == ["0", "-9"], "whole percents, and no minus before a zero"
    assert many.layout.height > few.layout.height
    escaped = scenario_heatmap(GRID.set_axis(["a < b", "c"]))
    assert escaped.layout.xaxis.ticktext[0] == "a &lt; b"


def test_a_matrix_without_a_loss_and_one_without_a_number():
    assert title(scenario_heatmap(GRID[["Oil"]].abs())) == "No scenario loses money"
    assert title(scenario_heatmap(GRID.iloc[:1])) == "Crash is the worst for Trend: -20.0 %"
    with pytest.raises(DataError, match="No scenario has a result"):
        scenario_heatmap(GRID[["Crypto"]])


def test_bars_say_how_each_shock_was_got():
    fig = scenario_bars(TABLE, scenario="Crash")
    assert title(fig) == "Crash: AAPL -31.0 %, NEW +5.0 %; half of the symbols below -20.0 %"
    assert [(t.name, list(t.y)) for t in fig.data] == [
        ("Named", ["SPY"]),
        ("By history", ["AAPL"]),
        ("By a proxy", ["NEW"]),
    ]
    assert list(fig.data[1].error_x.array) == pytest.approx([11.0])
    assert list(fig.data[1].error_x.arrayminus) == pytest.approx([9.0])
    assert list(fig.data[2].customdata) == ["R² –"]
    assert list(fig.layout.yaxis.categoryarray) == ["NEW", "SPY", "AAPL"]  # the largest loss on top
    assert fig.layout.barmode == "overlay"
    assert table_behind(fig).loc["AAPL", "how"] == "conditional"


def test_bars_of_a_law_give_the_usual_width():
    table = TABLE.assign(how="law", shock=0.0, low=[-0.1, -0.2, -0.05], high=[0.1, 0.2, 0.05])
    assert (
        title(scenario_bars(table, scenario="Storm"))
        == "Storm: no direction is given; up to 20.0 % either way is usual"
    )


def test_bars_of_nothing_are_refused():
    with pytest.raises(DataError, match="Crash moves no symbol"):
        scenario_bars(TABLE.iloc[:0], scenario="Crash")
    with pytest.raises(DataError, match="got by 'guess'; accepted: named, conditional, proxy, law"):
        scenario_bars(TABLE.assign(how="guess"), scenario="Crash")
