"""Stress on stored prices: the scenarios of the data folder, strategies with their stops, and the way to a loss."""

from __future__ import annotations

import numpy as np
import pytest

from quantlib.backtest import run_strategy
from quantlib.errors import DataError
from quantlib.risk import Stops
from quantlib.scenarios import make_scenario
from quantlib.simulators import SIMULATORS
from quantlib.strategies import Group, MACross
from quantlib.workflows.grading import grade_of
from quantlib.workflows.session import Session
from quantlib.workflows.stressing import (
    breaching_worlds,
    held_now,
    pick,
    scenarios,
    smallest_breach,
    stress_panel,
    stress_strategies,
)
from quantlib.workflows.trading_costs import usual_costs

TREND = MACross(universe=("KO", "PEP"), fast=5, slow=20)
HELD = Group(kind="basket", legs=("KO", "MSFT"), timing={"kind": "hold"}, stops={"trailing": 0.1, "reentry": 5})
FALL = make_scenario(
    {
        "schema_version": 1,
        "id": "fall",
        "title": "Fall",
        "kind": "hypothetical",
        "story": "Shares fall by a fifth in five even steps.",
        "source": "Own assumption.",
        "sessions": 5,
        "shocks": [{"factor": "equities", "change": -0.2}],
    }
)


def test_every_scenario_of_the_data_folder_is_there_the_oldest_first(lab: Session) -> None:
    found = scenarios(lab)
    assert len(found) >= 20
    kinds = [scenario.kind for scenario in found.values()]
    assert kinds == sorted(kinds, key=lambda kind: kind != "historical")
    starts = [scenario.window.start for scenario in found.values() if scenario.window]
    assert starts == sorted(starts)
    assert [one.id for one in pick(found, ["covid-2020", "Black Monday 1987"])] == ["covid-2020", "crash-1987"]
    with pytest.raises(DataError, match=r"There is no scenario 'covid'\. Did you mean covid-2020\?"):
        pick(found, ["covid"])


def test_a_fall_costs_what_its_holdings_fall_and_a_stop_ends_it(lab: Session) -> None:
    said: list[tuple[int, int]] = []
    done = stress_strategies(
        lab, {"Held": HELD, "Trend": TREND}, [FALL], on_progress=lambda k, of: said.append((k, of))
    )
    assert said == [(1, 1)]
    assert done.left_out == ()
    assert done.panel.symbols == ("KO", "MSFT", "PEP"), "nothing stored shows a factor here"
    # The average share falls by a fifth, so these fall by about that; the trailing stop of 10 % ends it before the end.
    assert done.result.matrix("hold").loc["Held", "Fall"] == pytest.approx(-0.2, abs=0.06)
    assert -0.16 < done.result.matrix("return").loc["Held", "Fall"] < -0.03
    assert "trailing" in done.result.stops.loc["Held", "Fall"]
    shocks = done.completed["Fall"].table["shock"]
    assert float(np.log1p(shocks).mean()) == pytest.approx(np.log(0.8), rel=1e-9)


def test_what_cannot_be_seen_is_left_out_and_said_and_alone_refused(lab: Session) -> None:
    oil = scenarios(lab)["oil-plus-50"]
    done = stress_strategies(lab, {"Trend": TREND}, [oil, FALL])
    assert list(done.result.matrix().columns) == ["Fall"]
    (sentence,) = done.left_out
    assert "oil" in sentence
    with pytest.raises(DataError, match="None of these scenarios can be seen"):
        stress_strategies(lab, {"Trend": TREND}, [oil])
    with pytest.raises(DataError, match="Choose one strategy and one scenario"):
        stress_strategies(lab, {}, [FALL])


def test_a_changed_law_is_seen_in_many_worlds(lab: Session) -> None:
    doubled = scenarios(lab)["volatility-doubled"]
    done = stress_strategies(lab, {"Held": HELD}, [doubled])
    assert len(done.result.outcomes) == 50
    assert done.result.outcomes["return"].std() > 0.01


def test_the_way_to_a_loss_loses_that_much(lab: Session) -> None:
    weights = held_now(lab, HELD)
    panel = stress_panel(lab, HELD.inputs)
    again = run_strategy(HELD, panel, costs=usual_costs(lab, HELD.inputs)).weights.iloc[-1]
    assert weights.to_dict() == pytest.approx(again[again != 0].to_dict())
    breach = smallest_breach(lab, HELD, 0.1, sessions=21)
    assert float(-(breach.weights * breach.shock).sum()) == pytest.approx(0.1, abs=1e-9)
    deeper = smallest_breach(lab, HELD, 0.2, sessions=21)
    assert deeper.found.distance > breach.found.distance
    assert deeper.found.probability < breach.found.probability


def test_the_worlds_that_cost_so_much_are_those_whose_moves_do(lab: Session) -> None:
    still = HELD.model_copy(update={"stops": Stops()})
    weights = held_now(lab, still)
    found = breaching_worlds(lab, still, 0.05, sessions=10, worlds=400)
    table = found.table
    assert 0 < len(table) <= 10
    assert len(table) <= found.breaching < found.worlds == 400
    assert table["distance"].is_monotonic_increasing
    assert not table[["KO", "MSFT"]].duplicated().any(), "the same stretch of history is listed once"
    assert (table["loss"] >= 0.05).all()
    # Without stops what is held falls by its symbols' moves; what it costs to stand by the weights is little.
    moved = -(table[list(weights.index)] * weights).sum(axis=1)
    assert moved.to_numpy() == pytest.approx(table["loss"].to_numpy(), abs=0.002)
    assert found.symbols == ("KO", "MSFT")
    grade = grade_of(lab, SIMULATORS["stationary_bootstrap"](), stress_panel(lab, still.inputs))
    assert found.grade == grade
    assert found.grade.letter in "ABCDEF"


def test_a_fall_on_the_way_happens_in_more_worlds_than_a_loss_at_the_end(lab: Session) -> None:
    end = breaching_worlds(lab, HELD, 0.05, sessions=10, worlds=400)
    fall = breaching_worlds(lab, HELD, 0.05, sessions=10, drawdown=True, worlds=400)
    assert fall.breaching > end.breaching
    assert set(fall.table.index) != set(end.table.index)


def test_a_loss_that_no_world_makes_and_a_world_nobody_knows_are_refused(lab: Session) -> None:
    with pytest.raises(DataError, match=r"None of 50 worlds loses 95\.0%; the worst loses"):
        breaching_worlds(lab, HELD, 0.95, sessions=10, worlds=50)
    with pytest.raises(DataError, match=r"There is no simulator 'gmb'\. Did you mean gbm"):
        breaching_worlds(lab, HELD, 0.05, simulator="gmb")
