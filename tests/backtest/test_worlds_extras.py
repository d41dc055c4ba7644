"""Strategies that read extras: refused in worlds without them, run in worlds that carry them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import check_simulable, evaluate_in_worlds, stress
from quantlib.errors import StrategyError
from quantlib.simulators import GBM
from quantlib.strategies import Group
from quantlib.types import Panel

READS = Group(kind="outright", legs=("KO",), timing={"kind": "rules", "long": 'macro("RATE") > 2'})


@pytest.fixture(scope="module")
def past(stocks: Panel) -> Panel:
    close = stocks.select(["KO"]).tail(300).frame("close")
    return Panel.from_frames(close, extra={"macro: RATE": np.full(300, 3.0)})


def test_simulated_worlds_do_not_carry_what_history_does(past: Panel) -> None:
    for panel in (past, Panel.from_frames(past.frame("close"))):
        with pytest.raises(StrategyError, match=r"Group reads macro: RATE\. Simulated worlds and scenarios"):
            evaluate_in_worlds(READS, GBM(), panel, n=2, horizon=5)
    check_simulable(READS, carried=past.extra)


def test_a_world_that_carries_it_is_gone_through(past: Panel) -> None:
    days = past.next_sessions(4)
    close = pd.DataFrame({"KO": past.close[-1, 0] * np.array([1.1, 1.2, 1.3, 1.4])}, index=days)
    rate = np.array([3.0, 1.0, 1.0, 1.0])  # out by the close of the third
    carried = Panel.from_frames(close, extra={"macro: RATE": rate})
    found = stress({"reads": READS}, {"up": [carried]}, past).matrix("return").loc["reads", "up"]
    assert 0.25 < found < 0.31
    with pytest.raises(StrategyError, match="reads macro: RATE"):
        stress({"reads": READS}, {"up": [Panel.from_frames(close)]}, past)
