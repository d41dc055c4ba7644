"""The verdict on records whose truth is known."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from quantlib.costs import Costs
from quantlib.strategies import READY, MACross
from quantlib.types import Panel
from quantlib.validation import validate


class Clairvoyant(MACross):
    """A cross that is known a day early: what a leaking strategy looks like from outside."""

    family: ClassVar[str] = "clairvoyant"

    def decide(self, panel: Panel) -> pd.DataFrame:
        return (panel.returns().shift(-2) > 0).astype(float)


def outcomes(strategy: MACross, panel: Panel, costs: Costs | None = None) -> dict[str, str]:
    return {check.key: check.outcome for check in validate(strategy, panel, costs=costs).checks}


def trending(noise: float) -> Panel:
    """Return a price whose regimes of rise and fall last about a year."""
    rng = np.random.default_rng(2)
    drift = np.repeat(rng.permutation([0.002, -0.002] * 6), 250)
    close = 100 * np.exp(np.cumsum(drift + rng.normal(0, noise, drift.size)))
    return Panel.from_frames(pd.DataFrame({"A": close}, index=pd.bdate_range("2008-01-01", periods=drift.size)))


def test_a_real_edge_passes_every_check() -> None:
    verdict = validate(MACross(universe=("A",), fast=5, slow=40, allow_short=True), trending(noise=0.006))
    assert verdict.outcome == "pass", verdict
    assert "stands up" in verdict.sentence


def test_a_leak_fails_whatever_else_is_fine(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(1500)
    found = outcomes(Clairvoyant(universe=("KO",)), panel)
    assert found["look_ahead"] == "fail"
    assert found["sharpe"] == "pass"
    assert validate(Clairvoyant(universe=("KO",)), panel).outcome == "fail"


def test_high_costs_turn_the_verdict() -> None:
    strategy = MACross(universe=("A",), fast=2, slow=5, allow_short=True)
    cheap = outcomes(strategy, trending(noise=0.004), Costs(commission_bps=0.1, half_spread_bps=0.1))
    dear = outcomes(strategy, trending(noise=0.004), Costs(commission_bps=15, half_spread_bps=15))
    assert cheap["costs"] == "pass"
    assert dear["costs"] == "fail"


def test_a_short_record_is_weak_not_good(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(330)
    found = {c.key: c for c in validate(MACross(universe=("KO",)), panel).checks}
    assert found["last_third"].outcome == "weak"
    assert "too few" in found["last_third"].sentence


@pytest.mark.parametrize("name", READY)
def test_sentences_carry_their_numbers(name: str, stocks: Panel, factor_etfs: Panel) -> None:
    strategy = READY[name]
    whole = stocks if set(strategy.symbols) <= set(stocks.symbols) else factor_etfs
    verdict = validate(strategy, whole.tail(1500))
    assert len(verdict.checks) == 5
    for check in verdict.checks:
        assert any(character.isdigit() for character in check.sentence)
        assert "nan" not in check.sentence
