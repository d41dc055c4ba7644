"""The library: every ready definition is told about, is one of its kind, and trades where its prices are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from quantlib.settings import ROOT
from quantlib.sources import sample
from quantlib.strategies import DAILY, LIBRARY, READY, Group
from quantlib.types import Panel
from quantlib.universe import load_universe

HERE = [name for name, strategy in READY.items() if set(strategy.inputs) <= set(sample.SYMBOLS)]


@pytest.fixture(scope="module")
def world(stocks: Panel, factor_etfs: Panel) -> Panel:
    """Return all sample symbols over eight years; the ETFs start in 2014."""
    return Panel.from_frames(stocks.frame().join(factor_etfs.frame()).tail(2200), source="sample")


def test_there_are_enough_of_them_and_of_every_kind() -> None:
    assert len(LIBRARY) >= 18
    assert len(HERE) >= 14
    kinds = {strategy.kind for strategy in READY.values() if isinstance(strategy, Group)}
    assert kinds == {"outright", "pair", "fly", "switch", "basket", "rotation"}
    assert len({strategy.id for strategy in READY.values()}) == len(READY)


@pytest.mark.parametrize("name", LIBRARY)
def test_each_says_why_it_might_work_and_where_that_was_written(name: str) -> None:
    told = LIBRARY[name]
    assert READY[name] is told.strategy
    assert 40 <= len(told.why) <= 240
    assert told.why.endswith(".")
    found = re.match(r"(?P<authors>[A-Z][^(]+) \((?P<year>\d{4})\), (?P<title>.{8,}), [A-Z][\w .-]+", told.reference)
    assert found, told.reference
    assert 1930 <= int(found["year"]) <= 2026


@pytest.mark.parametrize("name", LIBRARY)
def test_its_symbols_are_in_the_universe(name: str) -> None:
    universe = load_universe(ROOT / "data" / "universe.yaml")
    assert set(READY[name].inputs) <= {*universe.symbols("all"), *sample.SYMBOLS}


@pytest.mark.parametrize("name", HERE)
def test_it_trades_on_the_sample(name: str, world: Panel) -> None:
    strategy = READY[name]
    weights = strategy.targets(world.select(strategy.inputs))
    decided = weights[weights.ne(weights.shift()).any(axis=1)].iloc[1:]
    assert len(decided) >= 3, "it is in and out, or changes what it holds"
    assert np.abs(weights.to_numpy()).sum(axis=1).max() <= 1.0 + 1e-12
    held = weights[list(strategy.symbols)].ne(0).any().mean()
    assert held == 1 or (getattr(strategy, "kind", "rotation") == "rotation" and held > 0.5)


def test_the_document_tells_of_each() -> None:
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (\w+) \| (.*?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    assert rows[1:] == [
        (
            name,
            getattr(told.strategy, "kind", told.strategy.family),
            "" if name in HERE else "universe",
            told.why,
            told.reference,
        )
        for name, told in LIBRARY.items()
    ]


def test_what_runs_daily_is_a_few_that_the_sample_has() -> None:
    assert 3 <= len(DAILY) <= 5
    assert set(DAILY) <= set(HERE)
