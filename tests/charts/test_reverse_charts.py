"""Charts of stress in reverse: the words of their titles, and every world at its place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.charts import breach_dots, reverse_bars, table_behind
from quantlib.charts.reverse import how_far
from quantlib.errors import DataError

WORLDS = pd.DataFrame(
    {
        "loss": [0.11, 0.13, 0.1],
        "distance": [1.23, 1.9, 2.0],
        "plausibility": [0.47, 0.16, 2.7e-4],
        "KO": [-0.05, -0.2, 0.02],
        "AAPL": [-0.12, 0.01, -0.3],
    },
    index=pd.Index([17, 4, 99], name="world"),
)
ASKED = {"loss": 0.1, "breaching": 63, "worlds": 2000, "simulator": "Stationary bootstrap"}


def title(fig):
    return fig.layout.meta["title"]


@pytest.mark.parametrize(
    ("probability", "words"), [(0.0228, "2.3 %"), (2.7e-4, "once in 3,704 times"), (1e-12, "once in 1.0e+12 times")]
)
def test_the_smallest_move_is_drawn_with_its_odds(probability, words):
    shocks = pd.Series([-0.04, 0.02, -0.13], index=["KO", "GLD", "AAPL"])
    fig = reverse_bars(shocks, loss=0.1, distance=2.345, probability=probability, sessions=21)
    assert title(fig) == "The likeliest way to lose 10.0 % in 21 sessions moves AAPL by -13.0 %"
    assert fig.layout.meta["subtitle"].startswith(f"2.3 standard deviations of the book away; {words} by a normal law")
    assert list(fig.data[0].y) == ["GLD", "KO", "AAPL"]
    assert list(fig.data[0].x) == pytest.approx([2, -4, -13])
    assert table_behind(fig).loc["KO", "shock"] == -0.04


def test_a_move_that_is_not_known_is_not_drawn():
    with pytest.raises(DataError, match="is not known for every symbol"):
        reverse_bars(pd.Series([np.nan]), loss=0.1, distance=1.0, probability=0.1)


def test_the_likeliest_worlds_are_dots_and_the_first_stands_out():
    fig = breach_dots(WORLDS, ["KO", "AAPL"], sessions=21, **ASKED)
    assert title(fig) == ("63 of 2,000 worlds (3.1 %) lose 10.0 % in 21 sessions; the likeliest moves AAPL by -12.0 %")
    assert fig.layout.meta["subtitle"] == (
        "Worlds by Stationary bootstrap; the likeliest lies 1.2 standard deviations away; as far or further: 47.0 %"
    )
    others, first = fig.data
    assert (first.name, list(first.y), list(first.x)) == ("The likeliest", ["KO", "AAPL"], pytest.approx([-5, -12]))
    assert (others.name, list(others.y)) == ("The 2 next", ["KO", "AAPL"] * 2)
    assert list(others.x) == pytest.approx([-20, 1, 2, -30])
    assert list(others.customdata) == ["world 4", "world 4", "world 99", "world 99"]
    assert table_behind(fig)["loss"].to_list() == [0.11, 0.13, 0.1]


def test_a_fall_on_the_way_and_a_single_world_have_their_words():
    fig = breach_dots(WORLDS.iloc[:1], ["KO"], sessions=1, drawdown=True, **ASKED)
    assert " fall 10.0 % below their highest within one session; " in title(fig)
    assert [trace.name for trace in fig.data] == ["The likeliest"]
    assert how_far(3.5, 2.7e-4) == "3.5 standard deviations away; as far or further: once in 3,704 times"


def test_worlds_without_a_move_are_not_drawn():
    with pytest.raises(DataError, match="The moves are not known for every world"):
        breach_dots(WORLDS.assign(KO=np.nan), ["KO"], **ASKED)
    with pytest.raises(DataError, match="The moves are not known for every world"):
        breach_dots(WORLDS.iloc[:0], ["KO"], **ASKED)
