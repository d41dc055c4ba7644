"""The leak certificate finds leaks of every sort and has no false alarms."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from quantlib.types import Panel
from quantlib.validation import certify

Rule = Callable[[Panel], pd.DataFrame]


def above(average: pd.DataFrame, close: pd.DataFrame) -> pd.DataFrame:
    """Return 1 where price is above an average, 0 elsewhere."""
    return (close > average).astype(float)


CLEAN: dict[str, Rule] = {
    "rolling": lambda p: above(p.frame().rolling(20).mean(), p.frame()),
    "expanding": lambda p: above(p.frame().expanding().mean(), p.frame()),
    "lagged": lambda p: above(p.frame().shift(3), p.frame()),
    "constant": lambda p: p.frame() * 0.0 + 0.25,
}
LEAKY: dict[str, Rule] = {
    "one bar ahead": lambda p: above(p.frame().rolling(20).mean(), p.frame()).shift(-1).ffill(),
    "tomorrow's return": lambda p: (p.returns().shift(-1) > 0).astype(float),
    "centred window": lambda p: above(p.frame().rolling(21, center=True).mean(), p.frame()),
    "whole-sample mean": lambda p: above(p.frame().mean(), p.frame()),
    "whole-sample scale": lambda p: p.returns().fillna(0) / p.returns().std(),
    "filled from the future": lambda p: p.frame()[p.index.day_of_week == 4].reindex(p.index).bfill().ffill(),
    "five bars ahead": lambda p: (p.frame().shift(-5) > p.frame()).astype(float),
    "rank over all time": lambda p: p.frame().rank(pct=True),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_rule_passes(name: str, small: Panel) -> None:
    certificate = certify(CLEAN[name], small)
    assert certificate.passed
    assert certificate.checked >= 20
    assert certificate.largest == 0.0


@pytest.mark.parametrize("name", LEAKY)
def test_a_leak_is_caught(name: str, small: Panel) -> None:
    certificate = certify(LEAKY[name], small)
    assert not certificate.passed
    assert certificate.leaks[0] in small.index
    assert certificate.largest > 0


@pytest.mark.parametrize("ahead", [1, 2])
def test_a_rule_that_sidesteps_only_the_worst_days_is_caught_though_it_changes_every_day(
    stocks: Panel, ahead: int
) -> None:
    panel = stocks.select(["KO"])

    def sidestep(given: Panel) -> pd.DataFrame:
        close = given.frame()
        weights = 0.8 + (close.rolling(50).mean() / close.rolling(200).mean() - 1.0).clip(-0.2, 0.2)
        return weights.where(~(given.returns().shift(-ahead) < -0.04), 0.0)

    assert not certify(sidestep, panel).passed


def test_a_leak_of_a_single_bar_in_the_whole_past_is_caught(small: Panel) -> None:
    """A rule that is clean but for one session, where it acts a bar early."""
    day = 250

    def nearly_clean(panel: Panel) -> pd.DataFrame:
        weights = CLEAN["rolling"](panel) * 0.0
        weights.iloc[day + 1 :] = 1.0
        if len(panel) > day + 1:
            weights.iloc[day] = 1.0
        return weights

    assert certify(nearly_clean, small).leaks == (small.index[day],)
