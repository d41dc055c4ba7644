"""Single checks where the deep verdict's markets do not lead them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import run
from quantlib.costs import Costs
from quantlib.types import Panel
from quantlib.validation import Plateau, RandomEntries, RealityCheck
from quantlib.validation.card import Check
from quantlib.validation.overfitting import Overfitting
from quantlib.validation.record_checks import good_in_all_markets, good_in_all_years
from quantlib.validation.rival_checks import far_from_break_even, knows_when
from quantlib.validation.selection import Paths, WalkForward
from quantlib.validation.variant_checks import beats_benchmark, forward, on_paths, on_plateau, seldom_overfitted


def pbo(probability: float, loss: float) -> Check:
    none = np.zeros(10)
    return seldom_overfitted(Overfitting(probability, none, none, none, loss, 0.0, 0.0))


def test_overfitting_that_does_no_harm_is_weak_and_not_a_failure() -> None:
    assert [pbo(0.1, 0.3).outcome, pbo(0.4, 0.4).outcome, pbo(0.7, 0.4).outcome] == ["pass", "weak", "fail"]
    harmless = pbo(0.9, 0.0)
    assert harmless.outcome == "weak"
    assert "90 %" in harmless.sentence
    assert "too much alike" in harmless.sentence


@pytest.mark.parametrize(("p", "outcome"), [(0.01, "pass"), (0.06, "weak"), (0.6, "fail")])
def test_hansens_test_is_read_from_its_consistent_p_value(p: float, outcome: str) -> None:
    found = RealityCheck(0.9, 0.0, p, 1.0, best=3, survivors=(3, 4), block=2.0, draws=1000)
    for holding, key in ((False, "spa_zero"), (True, "spa_holding")):
        check = beats_benchmark(found, holding=holding)
        assert (check.key, check.outcome, check.value) == (key, outcome, p)
        assert "2 of the variants" in check.sentence


def entries(own: float, others: np.ndarray) -> Check:
    return knows_when(RandomEntries(own, others), 252)


def test_random_entries_are_judged_by_their_share() -> None:
    others = np.linspace(-0.05, 0.05, 99)
    outcomes = [entries(own, others).outcome for own in (0.06, 0.02, -0.02)]
    assert outcomes == ["pass", "weak", "fail"]
    assert entries(0.06, others).value == 0.01
    # Where every time is as good as any other there was nothing to know.
    alike = entries(0.049, np.linspace(0.0495, 0.0505, 99))
    assert alike.outcome == "weak"
    assert "hardly any difference" in alike.sentence


def table(sharpes: list[float], highs: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"sharpe": sharpes, "low": -0.2, "high": highs}, index=[f"p{k}" for k in range(len(sharpes))])


def test_parts_of_the_record_are_counted() -> None:
    good = table([0.1, 0.1, 0.1, -0.01], [0.2] * 4)
    assert good_in_all_years(good, 252).outcome == "pass"
    assert good_in_all_markets(good, 252).outcome == "weak"
    assert good_in_all_markets(good.iloc[:3], 252).outcome == "pass"
    lost = table([0.1, 0.1, 0.1, -0.1], [0.2, 0.2, 0.2, -0.01])
    assert good_in_all_years(lost, 252).outcome == "weak"
    assert good_in_all_markets(lost, 252).outcome == "fail"
    assert good_in_all_years(table([0.1, -0.1, -0.1], [0.2] * 3), 252).outcome == "fail"
    assert "p3" in good_in_all_years(lost, 252).change
    unknown = table([0.1, np.nan], [0.2, np.nan])
    assert good_in_all_markets(unknown, 252).outcome == "weak", "a state it never was in"
    assert good_in_all_years(unknown, 252).outcome == "weak"
    assert good_in_all_markets(unknown.iloc[1:], 252).outcome == "weak"


def test_walk_forwards_and_paths_that_lose() -> None:
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2015-01-01", periods=1000)
    noise = rng.normal(0, 0.01, 1000)
    noise -= noise.mean()
    steps = pd.DataFrame({"in_sample": [0.1, 0.1]})
    ran = [WalkForward(anchored=True, returns=pd.Series(noise + s, days), steps=steps) for s in (1e-3, 4e-4, -1e-4)]
    found = [forward(one, 252) for one in ran]
    assert [check.outcome for check in found] == ["pass", "weak", "fail"]
    assert found[0].sentence.startswith("Choosing the best of the past 2 times made a Sharpe ratio of")
    still = forward(WalkForward(anchored=False, returns=pd.Series(0.0, days), steps=steps), 252)
    assert (still.key, still.outcome) == ("walk_forward_rolling", "fail")
    wide = np.stack([noise, noise[::-1]], axis=1)
    paths = [
        on_paths(Paths(pd.DataFrame(wide + shift), steps), 252).outcome
        for shift in ([1e-3, 9e-4], [1e-3, -1e-4], -1e-4)
    ]
    assert paths == ["pass", "weak", "fail"]


def test_plateaus_by_their_share() -> None:
    def judged(sharpes: list[float]) -> Check:
        return on_plateau(Plateau(pd.DataFrame({"n": 1, "sharpe": sharpes, "near": True}), 0), 252)

    assert [judged(s).outcome for s in ([0.1, 0.1, 0.06], [0.1, 0.1, 0.01], [0.1, 0.0, 0.01])] == [
        "pass",
        "weak",
        "fail",
    ]
    assert judged([-0.1, -0.1]).outcome == "fail"
    alone = judged([0.1])
    assert alone.outcome == "weak"
    assert "None of the 1 variants is near" in alone.sentence


def test_the_break_even_is_compared_with_what_was_paid() -> None:
    days = pd.bdate_range("2020-01-01", periods=60, name="ts")
    panel = Panel.from_frames(pd.DataFrame({"A": np.linspace(100, 120, 60)}, index=days))
    weights = pd.DataFrame((np.arange(60) // 10 % 2)[:, None] * 1.0, index=days, columns=["A"])
    result = run(panel, weights, costs=Costs(commission_bps=6, half_spread_bps=4, impact_bps=0))
    found = [far_from_break_even(bps, result) for bps in (25.0, 15.0, 5.0, 0.0, float("inf"))]
    assert [check.outcome for check in found] == ["pass", "weak", "fail", "fail", "pass"]
    assert "it paid 10.0 bps" in found[0].sentence
    assert "at least 20.0 bps a side" in found[1].change
    free = far_from_break_even(25.0, run(panel, weights, costs=Costs.free()))
    assert free.outcome == "weak"
    assert not any("inf" in check.sentence + check.change for check in found)
