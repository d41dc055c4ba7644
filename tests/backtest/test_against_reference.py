"""The engine against the slow loop written from docs/backtest.md alone: every path, leg, fill and trade to 1e-9."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtest.agree import differences
from backtest.made_up import HOW, MIXED, OPEN, STOPS, Case, cases
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quantlib.backtest import GroupTargets
from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import Panel

QUIET: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": [Phase.generate, Phase.shrink],
    "suppress_health_check": list(HealthCheck),
}
AT_OPEN = st.just(Execution())
PLAIN: dict[str, Any] = {"limits": st.just(OPEN), "execution": AT_OPEN, "stops": st.just({}), "delisted": 0}


def alone(name: str, **more: Any) -> dict[str, Any]:
    """Return the draws of accounts with one kind of stop, tight enough to fire."""
    tight = {"loss": st.floats(0.005, 0.06), "profit": st.floats(0.005, 0.08), "trailing": st.floats(0.005, 0.06)}
    stops = st.fixed_dictionaries({name: tight.get(name, STOPS[name]), **HOW})
    return {**PLAIN, "stops": stops, "bars": (30, 60), "daily": (0.01, 0.03), **more}


THEMES: dict[str, dict[str, Any]] = {
    "decisions and costs only": PLAIN,
    "holes in prices": {**PLAIN, "prices": ("holes",), "gaps": (0.1,)},
    "splits and dividends": {**PLAIN, "events": st.sampled_from([True])},
    "execution": {
        **PLAIN,
        "execution": st.builds(
            Execution,
            fill=st.sampled_from(["open", "close"]),
            limit_bps=st.floats(-200, 200),
            whole_shares=st.booleans(),
        ),
    },
    "caps": {
        **PLAIN,
        "limits": st.builds(
            Limits, max_gross=st.just(1.5), max_net=st.floats(0.1, 1.5), max_weight=st.floats(0.1, 1.5)
        ),
    },
    "drawdown and margin": {
        **PLAIN,
        "daily": (0.03, 0.12),
        "sizes": (3.0,),
        "limits": st.builds(Limits, max_gross=st.just(3.9), drawdown=st.floats(0.02, 0.3), cool_down=st.integers(1, 9)),
    },
    "ruin": {**PLAIN, "daily": (0.3,), "sizes": (3.0,)},
    "delisting": {**PLAIN, "delisted": 2},
    "mixed stops": {**PLAIN, "stops": MIXED, "bars": (30, 60)},
    "mixed stops within the bar": {**PLAIN, "stops": MIXED, "watch": ("intrabar",), "bars": (30, 60)},
    **{f"{name} alone, at the close": alone(name, watch=("close",)) for name in STOPS},
    **{
        f"{name} alone, within the bar": alone(name, watch=("intrabar",), most_symbols=1, prices=("full", "holes"))
        for name in ("loss", "profit", "trailing", "volatility")
    },
}


@pytest.mark.parametrize("theme", THEMES)
def test_agrees_on_one_theme(theme: str) -> None:
    @settings(max_examples=10, **QUIET)
    @given(case=cases(**THEMES[theme]))
    def agree(case: Case) -> None:
        assert differences(case.by_reference(), case.by_kernel()) == []

    agree()


@settings(max_examples=150, **QUIET)
@given(case=cases())
def test_agrees_on_everything_at_once(case: Case) -> None:
    assert differences(case.by_reference(), case.by_kernel()) == []


@settings(max_examples=40, **QUIET)
@given(case=cases(sizes=(3.0,), daily=(0.03, 0.3)))
def test_books_balance_at_every_bar(case: Case) -> None:
    result = case.by_kernel()
    near = {"rtol": 0, "atol": 1e-9 * max(case.cash, result.equity.max())}
    np.testing.assert_allclose(result.equity, result.cash + result.leg_value.sum(axis=1), **near)
    interest = -result.cost_parts["financing"]
    earned = (result.leg_pnl.sum(axis=1) + interest + result.written_off).cumsum()
    np.testing.assert_allclose(result.equity, case.cash + earned, **near)
    np.testing.assert_allclose(result.group_pnl.sum(axis=1), result.leg_pnl.sum(axis=1), **near)
    np.testing.assert_allclose(result.pnl_by_reason.sum(), result.leg_pnl.to_numpy().sum(), **near)


def test_every_reason_but_ruin_and_margin_is_drawn() -> None:
    drawn: set[str] = set()

    # Many: what is drawn hangs on the literals of all code that is loaded, so any edit draws others.
    @settings(max_examples=240, **QUIET)
    @given(case=cases(stops=MIXED, bars=(30, 60), delisted=2))
    def draw(case: Case) -> None:
        drawn.update(fill.reason for fill in case.by_reference().fills)

    draw()
    assert {*STOPS, "decision", "drawdown", "delisted"} <= drawn


def bars(closes: list[float], **more: list[float]) -> Panel:
    """Return one symbol's bars."""
    index = pd.bdate_range("2024-01-01", periods=len(closes))
    frames = {name: pd.DataFrame({"A": values}, index=index) for name, values in more.items()}
    return Panel.from_frames(pd.DataFrame({"A": closes}, index=index), **frames)


def one(panel: Panel, weights: list[float], stops: Stops, **more: Any) -> Case:
    """Return one symbol, one group, no costs."""
    targets = pd.DataFrame({"A": weights}, index=panel.index)
    execution = more.pop("execution", Execution(financing_bps_per_year=0.0))
    return Case(
        panel, (GroupTargets("g", targets, stops),), {"A": Costs.free()}, more.pop("limits", OPEN), execution, **more
    )


def test_the_reference_walks_a_stop_by_hand() -> None:
    # Bought at 100 in row 1; 94 at the close of row 3 is 6 % down; out at the open of row 4, which is 90.
    panel = bars([100, 100, 97, 94, 91, 92, 93, 99], open=[100, 100, 98, 96, 90, 91, 92, 94])
    case = one(panel, [1, 1, 1, 1, 1, 0, 1, 1], Stops(loss=0.05))
    answer = case.by_reference()
    assert [(f.bar, f.shares, f.price, f.reason) for f in answer.fills] == [
        (1, 100.0, 100.0, "decision"),
        (4, -100.0, 90.0, "loss"),
        (7, 9_000 / 94, 94.0, "decision"),  # flat in row 5, so the decision of row 6 counts again
    ]
    assert answer.equity == pytest.approx([10_000, 10_000, 9_700, 9_400, 9_000, 9_000, 9_000, 9_000 / 94 * 99])
    assert differences(answer, case.by_kernel()) == []


def test_the_reference_walks_a_drawdown_by_hand() -> None:
    # 11 % down at the close of row 2: out in row 3; rows 2 and 3 decide nothing; what row 4 decides is filled in row 5.
    panel = bars([100, 100, 89, 80, 80, 80, 88])
    case = one(panel, [1.0] * 7, Stops(), limits=Limits(max_gross=1.0, drawdown=0.1, cool_down=2))
    answer = case.by_reference()
    assert [(f.bar, f.shares, f.reason) for f in answer.fills] == [
        (1, 100.0, "decision"),
        (3, -100.0, "drawdown"),
        (5, 100.0, "decision"),
    ]
    assert answer.equity == pytest.approx([10_000, 10_000, 8_900, 8_000, 8_000, 8_000, 8_800])
    assert differences(answer, case.by_kernel()) == []
