"""The time machine: nothing that became known later, and the same code as today's."""

from __future__ import annotations

import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.store import check_bars, read_panel, write_bars
from quantlib.strategies import MACross
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.time_machine import go_back, walk

TREND = MACross(universe=("KO", "PEP"), fast=5, slow=20)


def test_a_day_is_today_s_code_on_what_was_known_then(lab: Session) -> None:
    then = go_back(lab, TREND, "2020-03-15", name="Trend")  # a Sunday
    assert then.day == pd.Timestamp("2020-03-13")
    assert then.panel.index[-1] == then.day
    run = backtest_strategy(lab, TREND, name="Trend", as_of="2020-03-15", end="2020-03-15")
    pd.testing.assert_series_equal(then.result.equity, run.result.equity)
    wanted = {s: w for s, w in then.decided.items() if w}
    assert then.stance.action in {"enter", "rebalance", "hold", "exit", "stay out"}
    if then.stance.changes:
        assert {s: w for s, w in then.stance.wanted.items() if w} == pytest.approx(wanted, abs=1e-6)
    assert then.explanation.reasons
    assert then.label.endswith("2020-03-13")


def test_a_walk_is_the_backtest_where_nothing_was_changed(lab: Session) -> None:
    said: list[tuple[int, int]] = []
    walked = walk(lab, TREND, "2020-02-10", "2020-03-10", on_progress=lambda done, of: said.append((done, of)))
    assert len(walked.days) == 21
    assert said[0] == (1, 21)
    assert said[-1] == (21, 21)
    assert walked.revised == 0
    pd.testing.assert_frame_equal(walked.decided, walked.hindsight, check_freq=False)
    assert walked.decided.nunique().sum() > 2  # it decided something in those weeks
    assert walked.days["headline"].str.len().min() > 10


def test_a_price_changed_afterwards_is_seen_by_today_and_not_by_then(lab: Session) -> None:
    day = "2021-06-10"
    before = go_back(lab, TREND, day)
    panel = read_panel(lab.store, ["KO"], start="2021-05-20", end=day, source="sample")
    rows = pd.DataFrame(
        {
            "symbol": "KO",
            "ts": panel.index,
            "open": float("nan"),
            "high": float("nan"),
            "low": float("nan"),
            "close": panel.close[:, 0] * 0.8,
            "volume": float("nan"),
            "adj_close": panel.close[:, 0] * 0.8,
            "source": "sample",
        }
    )
    write_bars(lab.store, check_bars(rows)[0])
    again = go_back(lab, TREND, day)
    pd.testing.assert_series_equal(again.decided, before.decided)
    walked = walk(lab, TREND, "2021-06-01", "2021-06-10")
    assert walked.revised > 0
    assert (walked.hindsight["KO"] == 0.0).all()  # a fall of a fifth is below any average


def test_a_span_without_a_session_and_a_wrong_date_are_refused(lab: Session) -> None:
    with pytest.raises(DataError, match="There is no session from 2020-03-14 to 2020-03-15"):
        walk(lab, TREND, "2020-03-14", "2020-03-15")
    with pytest.raises(DataError, match="Swap them"):
        walk(lab, TREND, "2020-03-31", "2020-03-02")
    with pytest.raises(DataError, match="not a date"):
        go_back(lab, TREND, "yesterday")
