"""The contract every strategy family and ready definition keeps, and proof that a leak would be caught."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prices import prices

from quantlib.strategies import READY, STRATEGIES, Explanation, Group, Strategy, build
from quantlib.strategies.memo import Memo
from quantlib.types import Panel
from quantlib.validation import certify

# Methods and timings that no ready definition has.
_DRUGS = ["JNJ", "MRK", "PFE"]
_RULES = {
    "kind": "rules",
    "long": "z < -1.5 and hedge_ratio > 0",
    "exit_long": "z > 0 or since(z < -1.5) > 20",
    "short": "crosses_above(z, 1.5) and within(KO.returns < 0, 5)",
    "exit_short": "z < 0",
}
_SIZED = {"annual": 0.1, "lookback": 60, "cap": 2}
OTHERS: dict[str, dict[str, Any]] = {
    "fly by components": {
        "kind": "fly",
        "legs": _DRUGS,
        "volatility_target": _SIZED,
        "hedge": {"method": "pca", "lookback": 126, "rehedge": "daily"},
    },
    "pair by rules": {
        "legs": _DRUGS[:2],
        "min_hold": 3,
        "timing": _RULES,
        "capital": 0.5,
        "hedge": {"method": "tls", "lookback": 120, "rehedge": "weekly"},
    },
    "pair by duration": {
        "legs": [{"symbol": "KO", "duration": 2}, {"symbol": "PEP", "duration": 8}],
        "hedge": {"method": "dv01"},
        "timing": {"kind": "band", "lookback": 60, "way": "follow"},
    },
    "both ends of a ranking": {
        "kind": "rotation",
        "legs": ["AAPL", *_DRUGS],
        "volatility_target": _SIZED,
        "hedge": {"method": "volatility", "lookback": 60},
        "timing": {"kind": "rank", "by": "rsi(close, 14)", "top": 1, "bottom": 1, "every": "weekly"},
    },
}
DEFINITIONS = {
    **{f"default {k}": v() for k, v in STRATEGIES.items()},
    **READY,
    **{name: build("group", params) for name, params in OTHERS.items()},
}


@pytest.fixture(scope="session")
def world(stocks: Panel, factor_etfs: Panel) -> Panel:
    """Return all sample symbols together, and made-up prices of what else the definitions read."""
    both = stocks.frame().join(factor_etfs.frame()).tail(1300)
    others = {symbol for strategy in DEFINITIONS.values() for symbol in strategy.inputs} - set(both.columns)
    made_up = {s: prices(i, pd.DatetimeIndex(both.index))["close"].to_numpy() for i, s in enumerate(sorted(others))}
    return Panel.from_frames(both.assign(**made_up), source="sample")


def most(strategy: Strategy) -> float:
    """Return the gross exposure that a definition allows itself."""
    if not isinstance(strategy, Group):
        return 1.0
    scale = 1.0 if strategy.volatility_target is None else strategy.volatility_target.cap
    return strategy.capital * scale


@pytest.mark.parametrize("name", DEFINITIONS)
class TestContract:
    """Run for each definition."""

    def test_no_decision_uses_the_future(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        certificate = certify(strategy.targets, world.select(strategy.inputs), cuts=20)
        assert certificate.passed, certificate
        assert certificate.checked >= 20

    def test_a_planted_one_bar_leak_is_caught(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]

        def leaky(panel: Panel) -> pd.DataFrame:
            return strategy.targets(panel).shift(-1).ffill()

        assert not certify(leaky, world.select(strategy.inputs), cuts=20).passed

    def test_full_sample_scaling_is_caught(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]

        def leaky(panel: Panel) -> pd.DataFrame:
            weights = strategy.targets(panel)
            return weights / (1.0 + panel.returns().std().mean())

        assert not certify(leaky, world.select(strategy.inputs), cuts=20).passed

    def test_no_spread_uses_the_future(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        if strategy.spread_z(world) is None:
            return
        own = world.select(strategy.inputs)
        assert certify(lambda panel: pd.DataFrame(strategy.spread_z(panel), panel.index), own, cuts=10).passed

    def test_an_unknown_price_leaves_the_decision_standing(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        close = world.frame().copy()
        day = close.index[900]
        close.loc[day, list(strategy.symbols)] = np.nan
        weights = strategy.targets(Panel.from_frames(close))
        pd.testing.assert_series_equal(weights.loc[day], weights.iloc[899], check_names=False)

    def test_a_sweep_sees_the_same_weights(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        own, memo = world.select(strategy.inputs), Memo()
        expected = strategy.targets(own)[list(strategy.symbols)].to_numpy()
        for _ in range(2):
            np.testing.assert_array_equal(strategy.weights(own, memo), expected)

    def test_inputs_begin_with_what_is_traded(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        assert strategy.inputs[: len(strategy.symbols)] == strategy.symbols
        assert len(set(strategy.inputs)) == len(strategy.inputs)

    def test_json_round_trip(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        again = build(strategy.family, json.loads(strategy.model_dump_json()))
        assert again == strategy
        assert again.id == strategy.id

    def test_weights_are_finite_zero_in_warm_up_and_bounded(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        weights = strategy.targets(world)
        assert weights.index.equals(world.index)
        assert tuple(weights.columns) == world.symbols
        assert np.isfinite(weights.to_numpy()).all()
        assert (weights.iloc[: strategy.warmup - 1] == 0).all().all()
        assert (weights != 0).any().any()
        assert weights.abs().sum(axis=1).max() <= most(strategy) + 1e-12
        others = [s for s in world.symbols if s not in strategy.symbols]
        assert (weights[others] == 0).all().all()

    def test_it_explains_itself_with_numbers(self, name: str, world: Panel) -> None:
        why = DEFINITIONS[name].explain(world)
        assert isinstance(why, Explanation)
        assert np.isfinite(why.value)
        assert 0 <= why.percentile <= 1
        assert len(why.reasons) >= 2
        assert all(any(c.isdigit() for c in sentence) for sentence in why.reasons[:2])
        assert why.invalidation.endswith(".")
        assert why.series.index[-1] == world.index[-1]

    def test_it_says_so_when_history_is_too_short(self, name: str, world: Panel) -> None:
        strategy: Strategy = DEFINITIONS[name]
        short = world.tail(min(15, strategy.warmup - 1))
        if not len(short):
            pytest.skip("it needs no history")
        assert (strategy.targets(short) == 0).all().all()
        why = strategy.explain(short)
        assert "no signal yet" in why.reasons[0] + why.invalidation
        assert "nan" not in " ".join(why.reasons).lower()

    def test_fields_carry_titles_for_forms(self, name: str, world: Panel) -> None:
        strategy = DEFINITIONS[name]
        assert strategy.title
        assert strategy.description
        assert all(field.title for field in type(strategy).model_fields.values())
