"""What there is to see of a definition before it is run, and which of its words there are not."""

from __future__ import annotations

import numpy as np
import pytest

from quantlib.errors import DataError
from quantlib.strategies import Group, MACross, Pair
from quantlib.workflows.lab import trials, unreadable
from quantlib.workflows.research import shared_panel
from quantlib.workflows.session import Session
from quantlib.workflows.spread import look_at_spread

PAIR = Group(legs=("KO", "PEP"), hedge={"lookback": 120}, timing={"kind": "band", "lookback": 120})


def test_a_pair_shows_its_spread_its_ratio_and_whether_its_legs_belong_together(lab: Session) -> None:
    before = trials(lab, "sample")
    seen = look_at_spread(lab, PAIR)
    assert set(seen.figures) == {"signal", "ratio"}
    assert seen.windows is not None
    assert seen.windows["n"].iloc[0] == seen.windows["n"].iloc[1:].sum()
    text = " ".join(seen.sentences)
    for word in ("Engle-Granger", "Half of a gap", "hedge"):
        assert word in text
    assert f"{seen.windows['cointegration_p'].iloc[0]:.3f}" in text
    assert trials(lab, "sample") == before  # looking is no try


def test_the_ratio_through_time_is_that_of_the_regression(lab: Session) -> None:
    figure = look_at_spread(lab, PAIR).figures["ratio"]
    log = np.log(shared_panel(lab, ["KO", "PEP"]).frame("close"))
    y, x = log["KO"].iloc[-120:], log["PEP"].iloc[-120:]
    assert figure.data[0].y[-1] == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-6)


def test_the_span_is_that_which_was_asked_for(lab: Session) -> None:
    seen = look_at_spread(lab, PAIR, "2020-01-02")
    assert seen.windows is not None
    assert f"{seen.windows['start'].iloc[0]:%Y-%m-%d}" == "2020-01-02"


@pytest.mark.parametrize(
    "strategy",
    [
        Pair(y="KO", x="PEP"),
        MACross(universe=("KO", "MSFT")),
        Group(kind="rotation", legs=("KO", "PEP", "MSFT")),
    ],
    ids=lambda strategy: strategy.family,
)
def test_what_has_no_group_spread_says_what_its_rule_says_now(lab: Session, strategy: Pair | MACross | Group) -> None:
    seen = look_at_spread(lab, strategy)
    assert seen.windows is None
    assert set(seen.figures) == {"signal"}
    assert seen.sentences


def test_too_short_a_span_is_refused_with_what_is_needed(lab: Session) -> None:
    with pytest.raises(DataError, match="60"):
        look_at_spread(lab, PAIR, "2022-12-01")


def rules(text: str, kind: str = "outright", legs: tuple[str, ...] = ("KO",)) -> Group:
    return Group(kind=kind, legs=legs, timing={"kind": "rules", "long": text})


def test_a_condition_that_names_what_there_is_not_is_found_before_it_is_run(lab: Session) -> None:
    assert unreadable(lab, rules("clse > 3")).startswith(
        "Group: timing.long cannot be read. There is no 'clse' here. Did you mean close?"
    )
    ranked = Group(kind="rotation", legs=("KO", "PEP"), timing={"kind": "rank", "by": "clos"})
    assert "timing.by" in unreadable(lab, ranked)
    assert "hedge_ration" in unreadable(lab, rules("hedge_ration < 2", "pair", ("KO", "PEP")))


@pytest.mark.parametrize(
    "strategy",
    [
        rules("close > sma(close, 200)"),
        rules("z < -2 and MSFT.close > lag(MSFT.close, 5)", "pair", ("KO", "PEP")),
        Group(kind="rotation", legs=("KO", "PEP"), timing={"kind": "rank", "filter": "close > sma(close, 50)"}),
        PAIR,
        Pair(y="KO", x="PEP"),
    ],
    ids=["own fields", "own numbers and another symbol", "rank", "no condition", "no group"],
)
def test_what_can_be_read_is_left_alone(lab: Session, strategy: Group | Pair) -> None:
    assert unreadable(lab, strategy) == ""
