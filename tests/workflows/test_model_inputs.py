"""What models read besides prices: macro series on the day of their release, and the trades of a strategy."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from database import Database
from prepared import ROOT

from quantlib.backtest import run_strategy
from quantlib.errors import DataError
from quantlib.ml import WalkForward, build_features
from quantlib.store import check_observations, read_strategies, write_observations
from quantlib.store.derived import read_derived
from quantlib.strategies import MACross, Pair, Strategy
from quantlib.types import Panel
from quantlib.workflows import model_inputs
from quantlib.workflows.definitions import save_definition
from quantlib.workflows.foretelling import asked, inputs_of, maker, series_of
from quantlib.workflows.learn import TrainedModel, train_model
from quantlib.workflows.model_inputs import SIDE, Judged, ModelInputs, judgeable, macro_series, split
from quantlib.workflows.rerunning import rerun
from quantlib.workflows.research import load_panel, shared_panel
from quantlib.workflows.run_records import stored_run
from quantlib.workflows.session import Session

SYMBOLS = ["KO", "MSFT", "PEP"]
SCHEME = WalkForward(train=400, test=300)
MINE = MACross(universe=("KO", "PEP"), fast=20, slow=100)
PERIODS = pd.date_range("2015-12-01", "2022-11-01", freq="MS")
FRESH = """
import json, sys
from pathlib import Path
from quantlib.settings import Settings
from quantlib.store import Store
from quantlib.workflows.foretelling import asked
from quantlib.workflows.rerunning import rerun
from quantlib.workflows.session import Session

url, folder, home, *runs = sys.argv[1:]
with Store.connect(url or None, Path(folder)) as store:
    tracking = f"sqlite:///{home}/mlflow/mlflow.db"
    session = Session(Settings(home=Path(home), mlflow_tracking_uri=tracking, _env_file=None), store)
    said = [(rerun(session, run).same, asked(session, run).said) for run in runs]
    print(json.dumps([(same, list(frame.columns), frame.to_numpy().tolist()) for same, frame in said]))
"""


def released(place: int) -> pd.Timestamp:
    """Return when a figure came out: mid next month, every other one after New York has closed."""
    day = PERIODS[place] + pd.DateOffset(months=1, days=14)
    return day + (pd.Timedelta(hours=22.5) if place % 2 else pd.Timedelta(hours=13.5))


@pytest.fixture(scope="module")
def idea(lab: Session) -> Session:
    """Return the session with a macro series whose releases are known, and a saved strategy."""
    figures = pd.DataFrame(
        {
            "series": "MADE",
            "period": PERIODS,
            "value": np.cos(np.arange(len(PERIODS))),
            "released_at": [released(place).tz_localize("UTC") for place in range(len(PERIODS))],
            "release_basis": "recorded",
            "source": "us",
        }
    )
    good, bad = check_observations(figures)
    assert bad.empty
    write_observations(lab.store, good)
    save_definition(lab, "Mine", MINE)
    return lab.asked(origin="cli", idea="a test of inputs")


@pytest.fixture(scope="module")
def with_macro(idea: Session) -> TrainedModel:
    return train_model(idea, ["KO", "PEP"], name="with macro", features=["own"], scheme=SCHEME, macro=["MADE"])


@pytest.fixture(scope="module")
def judge(idea: Session) -> TrainedModel:
    given = {"target": "meta_label", "side": "Mine", "horizon": 10}
    return train_model(idea, SYMBOLS, name="judge", features=["own"], scheme=SCHEME, **given)


def test_a_macro_feature_changes_on_the_day_of_a_release_and_on_no_other(idea: Session) -> None:
    panel = ModelInputs(("KO", "MSFT"), ("MADE",)).on(idea, load_panel(idea, ["KO", "MSFT"]))
    table = build_features(panel, ["macro"])
    assert list(table) == ["macro_MADE", "macro_MADE_change_21"]
    wide = table["macro_MADE"].unstack("symbol")  # noqa: PD010  keys are unique
    # By hand: a figure of half past one in New York's morning counts that day, one of half past ten at night the next.
    first = [released(place).normalize() + pd.Timedelta(days=place % 2) for place in range(len(PERIODS))]
    expected = [
        max((place for place, day in enumerate(first) if day <= session), default=-1) for session in panel.index
    ]
    values = np.array([np.cos(place) if place >= 0 else np.nan for place in expected])
    for symbol in ("KO", "MSFT"):
        np.testing.assert_array_equal(wide[symbol], values)
    changed = panel.index[1:][np.diff(expected) > 0]
    assert len(changed) == len(PERIODS)
    assert {panel.index[panel.index >= day][0] for day in first} == set(changed)


def test_the_series_are_on_record_and_another_series_is_another_model(idea: Session, with_macro: TrainedModel) -> None:
    record, run = stored_run(idea, with_macro.run_id), idea.tracker.read(with_macro.mlflow_run_id)
    assert record is not None
    assert (record.params["macro"], record.params["features"], run.params["macro"]) == ("MADE", "own macro", "MADE")
    assert inputs_of(idea, with_macro.version) == ModelInputs(("KO", "PEP"), ("MADE",))
    assert {"macro_MADE", "macro_MADE_change_21"} < set(with_macro.foretold.drift.index)
    assert "macro = MADE" in idea.tracker.read_text(run.id, "card.md")
    assert macro_series(idea) == ["MADE"]
    without = train_model(idea, ["KO", "PEP"], name="with macro", features=["own"], scheme=SCHEME, model="prior")
    assert (without.run_id != with_macro.run_id, without.version.version) == (True, 2)
    with pytest.raises(DataError, match="No series 'MAED' is stored"):
        train_model(idea, ["KO"], name="with macro", macro=["MAED"])


def test_a_fresh_process_reads_the_same_again(
    idea: Session, with_macro: TrainedModel, judge: TrainedModel, database: Database
) -> None:
    save_definition(idea, "Mine", MINE.model_copy(update={"fast": 5}))  # what the name stands for now is another matter
    command = [sys.executable, "-W", "ignore", "-c", FRESH, database.url or "", str(database.home)]
    command += [str(idea.settings.home), with_macro.mlflow_run_id, judge.mlflow_run_id]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    for (same, columns, again), made in zip(json.loads(done.stdout), (with_macro, judge), strict=True):
        now = made.foretold.said
        assert (same, columns) == (True, now.columns.tolist())
        np.testing.assert_array_equal(np.array(again), now)
        stored = read_derived(idea.store, series_of(made.version.name), code_version=maker(made.version))
        assert stored.notna().sum().sum() == now.notna().sum().sum() > 1000


def decided(session: Session, strategy: Strategy) -> pd.DataFrame:
    """Return what a strategy decided, by its own backtest."""
    return run_strategy(strategy, shared_panel(session, strategy.inputs)).targets


def test_the_side_is_what_the_strategys_own_backtest_decided(idea: Session) -> None:
    inputs = ModelInputs.checked(idea, SYMBOLS, (), MINE)
    panel = inputs.on(idea, load_panel(idea, SYMBOLS))
    side = panel.frame(SIDE)
    pd.testing.assert_frame_equal(side[["KO", "PEP"]], decided(idea, MINE), check_names=False, check_freq=False)
    assert set(np.sign(side["KO"])) == {0.0, 1.0}
    assert not side["MSFT"].any()
    bare, weights = split(panel)
    assert (SIDE not in bare.extra, weights.tolist()) == (True, side.to_numpy().tolist())
    # Nothing of it is decided by what came later.
    for t in (300, 900):
        before = load_panel(idea, SYMBOLS, end=panel.index[t])
        np.testing.assert_array_equal(inputs.on(idea, before).extra[SIDE], side.to_numpy()[: t + 1])


def test_it_is_decided_on_the_strategys_own_prices(idea: Session) -> None:
    pair = Pair(y="KO", x="PEP")
    own, alone = decided(idea, pair), load_panel(idea, ["KO"])
    np.testing.assert_array_equal(Judged("pair", pair).weights(idea, alone), own[["KO"]])
    assert own["KO"].any()
    # On days that its prices lack the last decision stands; after the last of them there is none.
    days = pd.date_range(alone.index[-12], alone.index[-1] + pd.Timedelta(days=5))
    every_day = Panel.from_frames(pd.DataFrame({"KO": np.full(len(days), 60.0)}, index=days))
    side, own = pd.Series(Judged("mine", MINE).weights(idea, every_day)[:, 0], index=days), decided(idea, MINE)
    assert own["KO"].iloc[-1] > 0
    assert side[alone.index[-1] + pd.Timedelta(days=1) :].tolist() == [0.0] * 5
    standing = own["KO"].reindex(days, method="ffill")[: alone.index[-1]]
    assert side[: alone.index[-1]].tolist() == standing.tolist()
    assert len(standing) > 12


def test_a_judge_speaks_where_there_is_a_side_and_nowhere_else(idea: Session, judge: TrainedModel) -> None:
    foretold = judge.foretold
    side = decided(idea, MINE).reindex(columns=SYMBOLS, fill_value=0.0).loc[foretold.said.index[0] :]
    assert foretold.said.index.equals(side.index)
    assert foretold.said.columns.tolist() == SYMBOLS
    later = side.index > pd.Timestamp(foretold.learned_until)
    np.testing.assert_array_equal(foretold.said[later].notna(), (side[later] != 0).to_numpy())
    assert not foretold.said[side == 0].notna().any(axis=None)
    assert foretold.said[later]["KO"].notna().any()
    assert not foretold.said[later]["KO"].notna().all()
    assert (str(foretold.as_of), foretold.latest.index.tolist()) == (f"{side.index[-1]:%Y-%m-%d}", SYMBOLS)
    pd.testing.assert_series_equal(foretold.latest, foretold.said.iloc[-1], check_names=False)


def test_its_yardstick_is_how_often_the_strategys_own_trades_gain(idea: Session, judge: TrainedModel) -> None:
    said = idea.tracker.read_parquet(judge.mlflow_run_id, "predictions.parquet")
    side = decided(idea, MINE).stack()  # noqa: PD013  known everywhere
    assert (side.loc[said.index] > 0).all()
    # The label by hand: which barrier the close meets first, else where it is at the horizon.
    close = load_panel(idea, SYMBOLS).frame()
    for day, symbol in said.index[::97]:
        at = close.index.get_loc(day)
        moves = close[symbol].pct_change().iloc[at - 20 : at + 1]
        path = (close[symbol].iloc[at + 1 : at + 11] / close[symbol].iloc[at] - 1).to_numpy()
        met = np.flatnonzero(np.abs(path) >= np.sqrt(10) * moves.std())
        gained = path[met[0]] if len(met) else path[-1]
        assert said.loc[(day, symbol), "label"] == float(gained > 0)
    first = said[said["fold"] == 0]
    trained = asked_before(idea, first.index[0][0])
    assert first["prior"].iloc[0] == pytest.approx(trained, abs=0.05)


def asked_before(session: Session, day: pd.Timestamp) -> float:
    """Return the share of the strategy's trades that gained over ten sessions, of those that had ended by a day."""
    close, side = load_panel(session, ["KO", "PEP"]).frame(), decided(session, MINE)
    gained = (close.shift(-10) / close - 1).where(side > 0)[close.index < day].iloc[251:-10]
    return float((gained.stack().dropna() > 0).mean())  # noqa: PD013  as above


def test_its_definition_is_kept_with_the_run(idea: Session, judge: TrainedModel) -> None:
    record, run = stored_run(idea, judge.run_id), idea.tracker.read(judge.mlflow_run_id)
    assert record is not None
    assert (record.params["judges"], record.params["side"]) == ("Mine", MINE.id)
    assert MINE.id in {one.id for one in read_strategies(idea.store)}
    assert inputs_of(idea, judge.version) == ModelInputs(tuple(SYMBOLS), (), Judged("Mine", MINE))
    assert run.tags["predicts"] == f"horizon 10, side {MINE.id}, target meta_label"
    assert rerun(idea, run.id).same


def test_what_cannot_be_judged_is_refused(idea: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(MACross):
        """A class of its own."""

    given: dict[str, Any] = {"name": "judge", "target": "meta_label"}
    with pytest.raises(DataError, match="is a class of its own, which could not be asked again"):
        train_model(idea, SYMBOLS, side=Own(universe=("KO",)), **given)
    with pytest.raises(DataError, match="none of them is among the symbols to learn from, MSFT"):
        train_model(idea, ["MSFT"], side="Mine", **given)
    assert judgeable(idea)["Mine"] == ("KO", "PEP")
    assert "Large-cap trend" not in judgeable(idea)  # most of what it trades is not stored here
    monkeypatch.setattr(model_inputs, "INPUTS", "other.json")
    with pytest.raises(DataError, match="logged before what a model reads was kept"):
        asked(idea, idea.tracker.runs(idea=str(idea.idea))["run_id"].iloc[0])
