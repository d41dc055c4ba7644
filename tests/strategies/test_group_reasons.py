"""What groups say of themselves: the number, the state they are in, and what would change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.strategies import Explanation, Group, build
from quantlib.types import Panel


def explained(panel: Panel, **params: Any) -> Explanation:
    made = build("group", params)
    assert isinstance(made, Group)
    why = made.explain(panel)
    assert not any("nan" in sentence.lower() for sentence in (*why.reasons, why.invalidation))
    assert all(sentence.endswith(".") for sentence in (*why.reasons, why.invalidation))
    return why


def spread_panel(path: list[float], *, against: bool = False) -> Panel:
    """Return a pair whose spread is noise, then goes where `path` says, in standard deviations of the noise."""
    rng = np.random.default_rng(8)
    n = 200 + len(path)
    x = np.cumsum(rng.normal(0, 0.01, n))
    spread = np.concatenate([rng.normal(0, 0.01, 200), 0.01 * np.array(path)])
    y = (-x if against else x) + spread
    close = pd.DataFrame({"A": 50 * np.exp(y), "B": 50 * np.exp(x)}, index=pd.bdate_range("2020-01-01", periods=n))
    return Panel.from_frames(close)


BAND = {"kind": "band", "lookback": 60}
PAIR: dict[str, Any] = {"legs": ["A", "B"], "hedge": {"lookback": 60}, "timing": BAND, "stops": {"spread_z": 4}}


@pytest.mark.parametrize(
    ("path", "against", "changed", "state", "change"),
    [
        ([0.2], False, {}, "it enters at z of 2 or -2", "A trade starts when z reaches 2, which is "),
        ([0.2], False, {"direction": "long"}, "it enters at z of -2.", "reaches -2"),
        ([3.0], False, {}, "short the spread for 1 session and stays so until z is back at 0.5", "z reaches 4"),
        ([-3.0, -2.5], False, {}, "long the spread for 2 sessions and stays so until z is back at -0.5", "reaches -4"),
        ([3.0], False, {"stops": {}}, "short the spread", "there is no spread stop"),
        ([3.0], False, {"min_hold": 7}, "It holds for at least 7.", "z reaches 4"),
        ([12.0], False, {}, "beyond its stop of 4, where the rule does not enter", "back between 2 and 4"),
        ([0.2], True, {}, "the ratio by ols does not hedge", "every leg has the sign"),
        ([3.0], False, {"timing": BAND | {"way": "follow"}}, "long the spread", "z reaches -4"),
    ],
)
def test_a_band_says_the_state_it_is_in(
    path: list[float], against: bool, changed: dict[str, Any], state: str, change: str
) -> None:
    why = explained(spread_panel(path, against=against), **(PAIR | changed))
    assert state in why.reasons[-1]
    assert change in why.invalidation


def test_a_band_says_ratio_half_life_and_place_in_history() -> None:
    panel = spread_panel([3.0])
    group = build("group", PAIR)
    assert isinstance(group, Group)
    why, course = group.explain(panel), group.course(panel)
    z = course.measured["z"]
    assert why.value == z.iloc[-1]
    assert why.percentile == (z.dropna() <= z.iloc[-1]).mean()
    assert why.levels == {"enter short": 2.0, "leave short": 0.5, "leave long": -0.5, "enter long": -2.0}
    text = " ".join(why.reasons)
    assert f"A against B stands {z.iloc[-1]:.2f} standard deviations above its 60-session mean." in text
    assert f"Each dollar of A is hedged by {course.measured['hedge_ratio'].iloc[-1]:.2f} of B (ols)." in text
    assert "half of a gap closed within" in text
    assert "over the last 60 (95 % interval " in text


def test_a_fly_and_a_switch_name_their_sides(stocks: Panel) -> None:
    fly = explained(stocks, kind="fly", legs=["JNJ", "MRK", "PFE"])
    assert "The spread of JNJ and PFE against MRK stands" in fly.reasons[0]
    assert "Every 2.00 dollars of MRK are hedged by 1.00 of JNJ and 1.00 of PFE (fixed)." in fly.reasons
    switch = explained(stocks, kind="switch", legs=["XOM", "JNJ"])
    assert "The spread of JNJ against XOM stands" in switch.reasons[0]
    assert set(switch.levels) == {"enter long", "leave long"}
    outright = explained(stocks, kind="outright", legs=["KO"], timing={"kind": "band"})
    assert "The price of KO stands" in outright.reasons[0]


def test_rules_say_what_holds_and_what_blocks() -> None:
    steps = np.concatenate([np.linspace(100, 120, 60), np.linspace(120, 90, 30)])
    close = pd.DataFrame({"A": steps}, index=pd.bdate_range("2024-01-01", periods=90))
    rules = {"kind": "rules", "long": "close > sma(close, 10) and close > 95", "exit_long": "close < 92"}
    held = explained(Panel.from_frames(close).tail(90), kind="outright", legs=["A"], timing=rules)
    assert held.reasons[0].startswith("The rule is out; it was in on ")
    assert (
        "Buy when close > sma(close, 10) and close > 95: 0 of 2 true; blocked by close = 90 < " not in held.reasons[1]
    )
    assert held.reasons[1].startswith(
        "Buy when close > sma(close, 10) and close > 95: 0 of 2 true; blocked by close = 90"
    )
    assert held.invalidation == "A trade starts when this holds: close > sma(close, 10) and close > 95."
    inside = explained(Panel.from_frames(close).until("2024-03-22"), kind="outright", legs=["A"], timing=rules)
    assert inside.reasons[0].startswith("The rule has been long for 51 sessions; it was in on 85 % of 60.")
    assert inside.reasons[1].startswith("Leave the long when close < 92: false: close = 120")
    assert inside.invalidation == "The trade ends when this holds: close < 92."
    assert (inside.value, inside.unit) == (1.0, "percent")
    bare = {"kind": "rules", "long": "close > 95"}
    without = explained(Panel.from_frames(close).until("2024-03-22"), kind="outright", legs=["A"], timing=bare)
    assert without.invalidation == "The trade ends when this no longer holds: close > 95."


def test_rules_on_the_spread_explain_the_spread() -> None:
    why = explained(
        spread_panel([0.3]), **(PAIR | {"timing": {"kind": "rules", "long": "z < -2", "exit_long": "z > 0"}})
    )
    assert why.signal == "Spread in standard deviations"
    assert why.reasons[1].startswith("Buy when z < -2: false: z = ")
    assert any(reason.startswith("Each dollar of A is hedged by") for reason in why.reasons)


def ranked(returns: dict[str, float], end: str = "2020-04-20") -> Panel:
    """Return symbols that each move steadily by their return over 20 sessions."""
    steps = np.arange(80)[:, None]
    close = 100 * (1 + np.array(list(returns.values()))) ** (steps / 20)
    return Panel.from_frames(pd.DataFrame(close, pd.bdate_range("2020-01-01", periods=80), list(returns))).until(end)


RANK: dict[str, Any] = {"kind": "rotation", "timing": {"kind": "rank", "by": "close / lag(close, 20) - 1", "top": 1}}


def test_a_ranking_says_who_leads_and_who_would_take_over() -> None:
    why = explained(ranked({"A": 0.05, "B": 0.02, "C": -0.01}), legs=["A", "B", "C"], **RANK)
    assert why.reasons == (
        "A is first of 3 by close / lag(close, 20) - 1: 0.05, against 0.02 for B.",
        "C is last with -0.01.",
        "Chosen on 2020-04-01: A +100.0 %.",
    )
    assert why.invalidation == "The choice changes if B (0.02) passes A (0.05) before the next month starts."
    assert why.value == pytest.approx(0.05)
    short = RANK["timing"] | {"top": 0, "bottom": 1}
    why = explained(ranked({"A": 0.05, "B": 0.02, "C": -0.01}), kind="rotation", legs=["A", "B", "C"], timing=short)
    assert why.reasons[2] == "Chosen on 2020-04-01: C -100.0 %."
    assert why.invalidation == "The choice changes if B (0.02) passes C (-0.01) before the next month starts."
    every = RANK["timing"] | {"top": 2}
    why = explained(ranked({"A": 0.05, "B": 0.02}), kind="rotation", legs=["A", "B"], timing=every)
    assert why.invalidation == "All 2 legs have a place; who keeps it is decided when the next month starts."


def test_a_ranking_says_what_its_filter_leaves() -> None:
    timing = RANK["timing"] | {"filter": "close > lag(close, 20)"}
    why = explained(ranked({"A": -0.02, "B": -0.05}), kind="rotation", legs=["A", "B"], timing=timing)
    assert why.reasons[2] == "On 2020-04-01 the filter left cash only."
    assert why.reasons[3] == "0 of 2 fulfil close > lag(close, 20)."


def test_a_ranking_that_has_changed_since_says_so() -> None:
    close = ranked({"A": 0.05, "B": 0.02, "C": -0.01}).frame().copy()
    close.iloc[-1, 1] *= 1.2
    why = explained(Panel.from_frames(close), legs=["A", "B", "C"], **RANK)
    assert why.invalidation == (
        "The ranking has changed since: as things stand, the choice when the next month starts is B bought."
    )


def test_a_basket_says_what_it_holds(stocks: Panel) -> None:
    why = explained(stocks, kind="basket", legs=list(stocks.symbols), capital=0.5)
    assert why.reasons[0].startswith("It is always held, since 1990-01-02; as of 2022-12-01: AAPL +2.5 %, ")
    assert why.reasons[0].endswith(" and 12 more.")
    assert "50.0 % of equity" in why.reasons[1]
    assert (why.value, why.unit) == (pytest.approx(0.5), "percent")


@pytest.mark.parametrize(
    "params",
    [
        PAIR,
        PAIR | {"timing": {"kind": "rules", "long": "z < -2"}},
        RANK | {"legs": ["A", "B"]},
        {"kind": "basket", "legs": ["A", "B"], "hedge": {"method": "volatility"}},
    ],
)
def test_without_enough_history_there_is_no_signal_yet(params: dict[str, Any]) -> None:
    for n in (0, 15):
        why = explained(spread_panel([]).tail(n), **params)
        assert "no signal yet" in why.reasons[0]
        assert np.isnan(why.value)
