"""Worlds ahead of a price or a strategy: the simulators' own numbers, stored only where a strategy was tried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import evaluate_in_worlds
from quantlib.errors import DataError
from quantlib.settings import Settings
from quantlib.simulators import GBM, USUAL, StationaryBootstrap
from quantlib.simulators.realism import realism
from quantlib.store import Store, read_runs, write_bars
from quantlib.strategies import MACross
from quantlib.types import BAR_COLUMNS, Panel
from quantlib.workflows.grading import CARD_WORLDS
from quantlib.workflows.session import Session
from quantlib.workflows.worlds import Asked, Extent, ask, look_ahead, usual_extent

TREND = MACross(universe=("KO", "PEP"), fast=5, slow=20)
EXTENT = {"horizon": 10, "worlds": 40, "seed": 3}


@pytest.fixture
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "PEP"]).tail(400)


@pytest.fixture
def session(store: Store, panel: Panel, tmp_path: Path) -> Session:
    """Return a session on 400 sessions of two stocks."""
    frame = panel.frame("close").rename_axis(index="ts").reset_index().melt("ts", var_name="symbol", value_name="close")
    frame = frame.assign(adj_close=frame["close"], source="yahoo", volume=np.nan)
    write_bars(store, frame.reindex(columns=list(BAR_COLUMNS)).astype({"open": float, "high": float, "low": float}))
    return Session(Settings(home=tmp_path, _env_file=None), store)


def asked(name: str = "KO", strategy: MACross | None = None, world: str = "gbm", **params: object) -> Asked:
    return ask(name, strategy, world, params, EXTENT)


def test_a_price_goes_where_its_simulator_says(session: Session, panel: Panel) -> None:
    outlook = look_ahead(session, asked())
    own = panel.select(["KO"])
    expected = GBM().closes(own, n=40, horizon=10, seed=3)[:, :, 0] / own.close[-1, 0]
    first = outlook.first
    np.testing.assert_allclose(first.paths[:, 1:], expected, rtol=1e-12)
    assert (first.paths[:, 0] == 1.0).all()
    assert list(first.dates) == [own.index[-1], *own.next_sessions(10)]
    assert outlook.history.iloc[-1] == own.close[-1, 0]
    assert read_runs(session.store) == [], "a price is not a trial"


def test_outcomes_carry_the_grade_of_their_worlds(session: Session) -> None:
    outlook = look_ahead(session, asked())
    outcomes = outlook.outcomes()
    graded = [f"{title} (realism grade {outlook.grades[title].letter})" for title in outlook.worlds]
    assert list(outcomes.columns) == graded
    np.testing.assert_array_equal(outcomes[graded[0]], outlook.first.returns)
    assert outcomes.index.name == "world"


def test_all_worlds_are_compared_with_the_asked_one_first(session: Session) -> None:
    outlook = look_ahead(session, asked(world="gbm", drift="none", window=200))
    assert list(outlook.worlds) == [GBM.title, StationaryBootstrap.title]
    assert [s.model_dump()["drift"] for s in outlook.asked.simulators] == ["none", "none"]
    assert {result.calibrated_on for result in outlook.worlds.values()} == {200}
    alone = ask("KO", None, "gbm", {}, EXTENT | {"compare": False})
    assert len(alone.simulators) == 1


def test_the_table_is_quantiles_and_shares(session: Session) -> None:
    outlook = look_ahead(session, asked(world="stationary_bootstrap", block=5.0))
    row = outlook.table.iloc[0]
    ends = pd.Series(outlook.first.paths[:, -1] - 1.0)
    assert row["world"] == StationaryBootstrap.title
    assert row["mean"] == pytest.approx(ends.mean())
    assert row["loses"] == pytest.approx((ends < 0).mean())
    assert [row["p05"], row["p50"], row["p95"]] == pytest.approx(ends.quantile([0.05, 0.5, 0.95]).tolist())
    assert outlook.facts["Mean block"] == "5.0 sessions"
    assert "399 sessions" in outlook.facts["Learned from"]


def test_a_strategy_is_run_in_each_world_stored_and_counted(session: Session, panel: Panel) -> None:
    seen: list[tuple[int, int]] = []
    outlook = look_ahead(session, asked("Trend", TREND), lambda done, total: seen.append((done, total)))
    expected = evaluate_in_worlds(TREND, GBM(), panel, n=40, horizon=10, seed=3)
    np.testing.assert_allclose(outlook.first.paths, expected.paths, rtol=1e-12)
    assert list(outlook.table["what"]) == ["Trend", "Holding its symbols"] * len(USUAL)
    assert outlook.table["mean"].iloc[1] == pytest.approx(expected.hold.mean())
    assert seen[-1] == (480, 480), "two simulators: a card of two hundred worlds each, and forty to live in"
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {run.kind for run in read_runs(session.store)} == {"simulation"}
    assert len(read_runs(session.store)) == len(USUAL)


def test_every_end_stands_beside_the_grade_of_its_worlds(session: Session, panel: Panel) -> None:
    seen: list[tuple[int, int]] = []
    outlook = look_ahead(session, asked(world="gbm"), lambda done, total: seen.append((done, total)))
    card = realism(GBM(), panel.select(["KO"]), n=CARD_WORLDS, seed=session.settings.seed)
    assert outlook.grade == card.short
    assert list(outlook.table["grade"]) == [outlook.grades[title].letter for title in outlook.worlds]
    assert outlook.table["why"].iloc[0] == card.short.reasons
    assert seen[-1] == (480, 480)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_worlds_of_a_short_window_have_an_unknown_grade_with_its_reason(session: Session) -> None:
    outlook = look_ahead(session, asked("Trend", TREND, window=100))
    assert set(outlook.table["grade"]) == {"unknown"}
    assert "needs 250 returns" in outlook.grade.sentence
    assert "latest 100" in outlook.grade.sentence
    stored = read_runs(session.store, kind="simulation")
    assert {run.params["realism"] for run in stored} == {"unknown"}


def test_charts_are_a_fan_the_outcomes_and_for_a_strategy_holding(session: Session) -> None:
    price = look_ahead(session, asked())
    assert list(price.figures) == ["fan", "outcomes"]
    assert price.figures["fan"].layout.yaxis.title.text.startswith("Price of KO")
    strategy = look_ahead(session, asked("Trend", TREND))
    assert list(strategy.figures) == ["fan", "outcomes", "holding"]


def test_equal_questions_are_equal_and_others_are_not() -> None:
    assert asked(window=100) == asked(window=100)
    assert asked(window=100) != asked(window=101)
    assert asked("Trend", TREND) != asked("KO")


@pytest.mark.parametrize(
    ("world", "params", "extent", "words"),
    [
        ("gmb", {}, EXTENT, "Did you mean gbm"),
        ("gbm", {"window": 5}, EXTENT, "Geometric Brownian motion, Window: .* 60; got 5"),
        ("gbm", {"drift": "up"}, EXTENT, "Drift: .*'history' or 'none'; got 'up'"),
        ("gbm", {"speed": 1}, EXTENT, "speed: .*not permitted; got 1"),
        ("gbm", {}, EXTENT | {"worlds": 0}, "Worlds: .* 1; got 0"),
        ("gbm", {}, EXTENT | {"horizon": 505}, "Sessions ahead: .* 504; got 505"),
        ("gbm", {}, EXTENT | {"seed": -1}, "Seed: .* 0; got -1"),
    ],
)
def test_a_wrong_value_is_named(world: str, params: dict[str, object], extent: dict[str, int], words: str) -> None:
    with pytest.raises(DataError, match=words):
        ask("KO", None, world, params, extent)


def test_an_extent_refuses_unknown_fields() -> None:
    with pytest.raises(ValueError, match="extra"):
        Extent(horizon=1, worlds=1, seed=0, speed=2)


def test_settings_beyond_the_form_are_cut_to_it(store: Store, tmp_path: Path) -> None:
    far = Session(Settings(home=tmp_path, worlds=10**6, horizon=9999, seed=5, _env_file=None), store)
    assert Extent(**usual_extent(far)) == Extent(horizon=504, worlds=20_000, seed=5)


def test_an_unknown_symbol_is_refused(session: Session) -> None:
    with pytest.raises(DataError, match="Did you mean KO"):
        look_ahead(session, asked("KOO"))
