"""The parts pages are made of: charts under a title that wraps, tables in percent, key numbers."""

from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest


def charts() -> None:
    import numpy as np
    import pandas as pd

    from app.layout import chart
    from quantlib.charts import drawdown
    from quantlib.charts.figure import figure, line

    chart(figure([line([1, 2], [3, 4], "a", "#1a2430")], kind="Line", title="A *b* costs $5 and $6", y="x"), "odd")
    days = pd.bdate_range("2024-01-01", periods=50)
    equity = pd.Series(np.linspace(100, 90, 50), index=days)
    chart(drawdown({"Down": equity}), "down")


def tables() -> None:
    import pandas as pd

    from app.layout import AMOUNT, PERCENT, SIGNED, table, tile

    frame = pd.DataFrame({"name": ["a", "b"], "up": [0.3225, -0.0001], "share": [0.5, None], "last": [1.0, 2.0]})
    table(frame, {"last": ("Last", AMOUNT), "up": ("Up", SIGNED), "share": ("Share", PERCENT), "gone": "Gone"}, "t")
    tile("Up", "1", 0.012, over="a month")
    tile("Cost", "1", 0.012, better=-1)
    tile("Unknown", "–", float("nan"), over="a month")


def test_a_charts_title_is_text_and_not_in_the_drawing():
    page = AppTest.from_function(charts).run()
    assert not page.exception
    assert page.markdown[0].value.startswith("**A \\*b\\* costs \\$5 and \\$6**")
    for drawn in page.get("plotly_chart"):
        assert not json.loads(drawn.proto.spec)["layout"].get("title")
    assert all(drawn.proto.alt for drawn in page.get("plotly_chart"))


def test_a_table_writes_fractions_as_percent_in_the_order_given():
    page = AppTest.from_function(tables).run()
    shown = page.dataframe[0]
    assert list(shown.proto.column_order) == ["last", "up", "share"]
    assert shown.value["up"].tolist() == [32.2, 0.0], "rounded as text is, and nothing is no minus nothing"
    assert str(shown.value["up"].iloc[1]) == "0.0"


def test_a_tile_says_points_and_the_unknown_nothing():
    up, cost, unknown = AppTest.from_function(tables).run().metric
    assert up.delta == cost.delta == "+1.2 pts"
    assert up.color != cost.color, "what costs more is no gain"
    assert unknown.delta == ""
