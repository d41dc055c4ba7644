"""The forecasts of every day: what is new is asked for once, in order, and what fails stops nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.ml import WalkForward
from quantlib.store import check_bars, write_bars
from quantlib.strategies import Group
from quantlib.types import BAR_COLUMNS
from quantlib.workflows import daily_forecasts, registry
from quantlib.workflows.daily_forecasts import foretell_champions
from quantlib.workflows.definitions import save_definition
from quantlib.workflows.foretelling import predictions
from quantlib.workflows.learn import train_model
from quantlib.workflows.model_inputs import Judged
from quantlib.workflows.promotion_gate import Hurdle
from quantlib.workflows.registry import promote
from quantlib.workflows.research import load_panel
from quantlib.workflows.session import Session

SCHEME = WalkForward(train=400, test=500)
OF = {"alone": ["MSFT"], "both": ["KO", "PEP"]}


@pytest.fixture(scope="module")
def idea(lab: Session) -> Session:
    """Return a session with three champions: of one stock, of two, and a judge of trades on what the second says."""
    session = lab.asked(origin="cli", idea="a test of days")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "hurdles", lambda *_: [Hurdle("any", "Anything", passed=True, sentence="It is.")])
        for name, symbols in OF.items():
            train_model(session, symbols, name=name, model="prior", features=["own"], scheme=SCHEME)
            promote(session, name)
        rule = Group(kind="outright", legs=("KO",), timing={"kind": "rules", "long": 'model("both") > 0.4'})
        save_definition(session, "On both", rule)
        given = {"target": "meta_label", "side": "On both", "model": "prior"}
        train_model(session, ["KO"], name="a judge", features=["own"], scheme=WalkForward(train=100, test=200), **given)
        promote(session, "a judge")
    return session


def next_day(session: Session, symbols: list[str]) -> pd.Timestamp:
    """Return the next session of some symbols, which is stored."""
    panel = load_panel(session, symbols)
    day = panel.next_sessions(1)[0]
    rows = {"symbol": symbols, "ts": day, "close": panel.close[-1] * 1.01, "adj_close": panel.close[-1] * 1.01}
    bars = pd.DataFrame({**rows, "source": "sample"}).reindex(columns=list(BAR_COLUMNS))
    write_bars(session.store, check_bars(bars)[0])
    return day


def test_only_what_is_new_is_asked_and_only_once(idea: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, str]] = []
    with monkeypatch.context() as patch:
        patch.setattr(daily_forecasts, "foretell", lambda *_: pytest.fail("it was asked again"))
        done = foretell_champions(idea, on_progress=lambda *step: told.append(step))
    assert (done.asked, done.problems) == ((), ())
    assert [step[:2] for step in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert {name for *_, name in told} == {*OF, "a judge", ""}

    day = next_day(idea, ["MSFT"])
    done = foretell_champions(idea)
    assert [(one.name, one.version) for one in done.asked] == [("alone", 1)]
    assert not done.problems
    said = predictions(idea, "alone", version=done.asked[0])
    assert said.index[-1] == day
    assert np.isfinite(said.iloc[-1]).all()
    assert foretell_champions(idea).asked == ()


def test_what_a_judged_strategy_reads_is_asked_before_the_judge(idea: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    day = next_day(idea, ["KO", "PEP"])
    monkeypatch.setattr(daily_forecasts, "champions", lambda session: dict(sorted(registry.champions(session).items())))
    done = foretell_champions(idea)
    # By their names the judge would come first; it judges a trade that is on since the strategy has read today's word.
    assert [one.name for one in done.asked] == ["both", "a judge"]
    assert not done.problems
    assert predictions(idea, "both").loc[day, "KO"] > 0.4
    assert predictions(idea, "a judge").index[-1] == day


def test_a_judge_without_a_trade_is_not_asked(idea: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    next_day(idea, ["KO", "PEP"])
    real = Judged.weights
    for side, asked in ((0.0, ["both"]), (1.0, ["a judge"])):
        monkeypatch.setattr(Judged, "weights", lambda *given, side=side: np.full_like(real(*given), side))
        assert [one.name for one in foretell_champions(idea).asked] == asked


def test_one_that_fails_is_said_and_stops_no_other(idea: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for symbols in OF.values():
        next_day(idea, symbols)
    real = daily_forecasts.foretell

    def broken(session: Session, version: registry.Version) -> object:
        if version.name == "alone":
            raise AttributeError
        return real(session, version)

    monkeypatch.setattr(daily_forecasts, "foretell", broken)
    done = foretell_champions(idea)
    assert "both" in {one.name for one in done.asked}
    assert done.problems == ("Model alone, version 1, was not asked: AttributeError()",)
    monkeypatch.undo()
    assert [one.name for one in foretell_champions(idea).asked] == ["alone"]


def test_where_nothing_is_stored_it_is_asked(idea: Session) -> None:
    with idea.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM derived.values WHERE name = 'model: alone'")
    assert [one.name for one in foretell_champions(idea).asked] == ["alone"]
