"""Extras by name: macro figures from their release on, and the champion's forecasts, read, kept, rerun and told."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from quantlib.costs import costs_record
from quantlib.errors import DataError, StrategyError
from quantlib.ml import WalkForward
from quantlib.scenarios import make_scenario
from quantlib.store import check_observations, read_runs, read_series, write_observations
from quantlib.store.derived import write_derived
from quantlib.strategies import Group, MACross
from quantlib.strategies.from_file import load_source
from quantlib.types import MACRO_COLUMNS, Panel
from quantlib.workflows import pipeline, promotion_gate, registry
from quantlib.workflows.examining import examine
from quantlib.workflows.extras import maker_of, stale_forecasts, with_extras
from quantlib.workflows.foretelling import maker, predictions
from quantlib.workflows.lab import unreadable
from quantlib.workflows.learn import TrainedModel, train_model
from quantlib.workflows.pipeline import run_pipeline
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.registry import Version, champions, promote
from quantlib.workflows.rerunning import rerun
from quantlib.workflows.research import StrategyRun, backtest_strategy, load_panel, simulate_strategy, strategy_panel
from quantlib.workflows.run_records import TERMS
from quantlib.workflows.session import Session
from quantlib.workflows.stressing import stress_strategies
from quantlib.workflows.sweeping import sweep_strategy
from quantlib.workflows.time_machine import go_back, walk

MODEL = "up or down"
FORETOLD = Group(kind="outright", legs=("KO",), timing={"kind": "rules", "long": f'model("{MODEL}") > 0.5'})
RELEASED = Group(kind="outright", legs=("KO",), timing={"kind": "rules", "long": 'macro("RATE") > 2'})
NEW_YORK = "America/New_York"
SCHEME = WalkForward(train=400, test=200)

#: Period, value and the moment of release in New York: a revision, a release after the close, one on a half day after
#: its early close, one on a holiday, and one at the very close.
RELEASES = [
    ("2020-01-01", 1.0, "2020-02-13 08:30"),
    ("2020-02-01", 3.0, "2020-03-11 08:30"),
    ("2020-02-01", 1.5, "2020-04-08 08:30"),
    ("2020-03-01", 2.5, "2020-05-13 16:30"),
    ("2020-04-01", 0.5, "2020-07-03 10:00"),
    ("2020-10-01", 4.0, "2020-11-27 14:00"),
    ("2020-11-01", 1.0, "2020-12-15 16:00"),
]
#: The session at whose close each of them was known first.
KNOWN = ["2020-02-13", "2020-03-11", "2020-04-08", "2020-05-14", "2020-07-06", "2020-11-30", "2020-12-16"]


@pytest.fixture(scope="module")
def rate(lab: Session) -> str:
    frame = pd.DataFrame(RELEASES, columns=["period", "value", "released_at"])
    frame["released_at"] = pd.to_datetime(frame["released_at"]).dt.tz_localize(NEW_YORK)
    good, bad = check_observations(
        frame.assign(series="RATE", release_basis="recorded", source="a bank")[[*MACRO_COLUMNS]]
    )
    assert bad.empty
    write_observations(lab.store, good)
    return "macro: RATE"


def crown(session: Session, version: Version) -> None:
    """Make a version the champion, whatever the gate would say of it."""
    passing = [promotion_gate.Hurdle("baseline", "Better", passed=True, sentence="For the test.", value=0.1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "hurdles", lambda *_: passing)
        assert promote(session, version.name, version.version).outcome == "promoted"


@pytest.fixture(scope="module")
def trained(lab: Session) -> TrainedModel:
    made = train_model(lab, ["KO", "PEP"], name=MODEL, features=["own"], scheme=SCHEME)
    crown(lab, made.version)
    return made


@pytest.fixture(scope="module")
def run(lab: Session, trained: TrainedModel) -> StrategyRun:
    return backtest_strategy(lab, FORETOLD, name="Foretold")


def test_a_figure_counts_from_the_session_before_whose_close_it_was_released(lab: Session, rate: str) -> None:
    panel = load_panel(lab, ["KO"], "2020-01-02", "2020-12-31")
    values = pd.Series(with_extras(lab, panel, [rate]).extra[rate], index=panel.index)
    assert values[: KNOWN[0]].iloc[:-1].isna().all()
    changed = values[values != values.shift()].dropna()
    assert changed.index.strftime("%Y-%m-%d").tolist() == KNOWN
    assert changed.tolist() == [value for _, value, _ in RELEASES]
    # Day by day from the store, as of the last moment before the close.
    early = {pd.Timestamp("2020-11-27"): "13:00", pd.Timestamp("2020-12-24"): "13:00"}
    for day in [one for known in KNOWN for one in panel.index[panel.index.get_loc(pd.Timestamp(known)) - 1 :][:3]]:
        close = pd.Timestamp(f"{day:%Y-%m-%d} {early.get(day, '16:00')}", tz=NEW_YORK)
        read = read_series(lab.store, "RATE", close - pd.Timedelta(microseconds=1))
        np.testing.assert_array_equal(values[day], read.iloc[-1] if len(read) else np.nan)


def test_the_first_close_counts_and_on_days_without_one_the_end_of_the_day_before(lab: Session, rate: str) -> None:
    days = pd.DatetimeIndex(["2020-05-12", "2020-05-13", "2020-05-14", "2020-07-02", "2020-07-03", "2020-07-04"])
    close = pd.DataFrame({"KO": np.nan, "BTC-USD": 1.0}, index=days)
    alone = with_extras(lab, Panel.from_frames(close[["BTC-USD"]]), [rate]).extra[rate]
    assert alone.tolist() == [1.5, 2.5, 2.5, 2.5, 0.5, 0.5]  # every day ends at midnight UTC
    # New York is shut on 3 and 4 July, so that the day of the coin is the only one.
    assert with_extras(lab, Panel.from_frames(close), [rate]).extra[rate].tolist() == [1.5, 1.5, 2.5, 2.5, 0.5, 0.5]
    stock = with_extras(lab, Panel.from_frames(close[["KO"]]), [rate]).extra[rate]
    assert stock.tolist() == [1.5, 1.5, 2.5, 2.5, 2.5, 0.5]  # 4 July knows what came by the end of the 3rd
    known = with_extras(lab, Panel.from_frames(close[["BTC-USD"]]), [rate], as_of="2020-05-12").extra[rate]
    assert set(known) == {1.5}


def test_a_macro_condition_turns_on_the_day_of_the_release(lab: Session, rate: str) -> None:
    made = backtest_strategy(lab, RELEASED)
    held = made.result.targets["KO"] > 0
    turns = held[held != held.shift(fill_value=False)]
    assert turns.index.strftime("%Y-%m-%d").tolist() == [KNOWN[1], KNOWN[2], KNOWN[3], KNOWN[4], KNOWN[5], KNOWN[6]]
    assert made.models == {}
    assert rerun(lab, made.run_id).same
    found = walk(lab, RELEASED, "2020-03-10", "2020-03-11")
    assert found.revised == 0
    assert found.decided["KO"].tolist() == [0.0, 1.0]
    [why] = [reason for reason in RELEASED.explain(made.panel).reasons if "RATE" in reason]
    assert why == 'Buy when macro("RATE") > 2: false: macro("RATE") = 1 > 2.'


def test_a_strategy_reads_what_the_champion_said(lab: Session, trained: TrainedModel, run: StrategyRun) -> None:
    said = predictions(lab, MODEL, version=trained.version)["KO"].reindex(run.panel.index)
    wanted = (said > 0.5).astype(float).where(said.notna()).ffill().fillna(0.0)
    pd.testing.assert_series_equal(run.result.targets["KO"], wanted, check_names=False, check_freq=False)
    assert 0.1 < wanted.mean() < 0.9
    np.testing.assert_array_equal(run.panel.extra[f"model: {MODEL}"][:, 0], said)
    assert run.models == {MODEL: 1}


def test_the_run_names_the_version_and_is_made_again_with_it(
    lab: Session, trained: TrainedModel, run: StrategyRun
) -> None:
    terms = json.loads(lab.tracker.read_text(str(run.mlflow_run_id), TERMS))
    assert terms["models"] == {MODEL: 1}
    [stored] = read_runs(lab.store, id=run.run_id)
    assert stored.params["models"] == {MODEL: 1}
    assert lab.tracker.read(str(run.mlflow_run_id)).params["models"] == "{'up or down': 1}"
    swept = sweep_strategy(lab, FORETOLD, {"capital": [0.5, 1.0]})
    [kept] = read_runs(lab.store, id=swept.id)
    assert kept.params["models"] == {MODEL: 1}
    later = train_model(lab, ["KO", "PEP"], name=MODEL, features=["own"], scheme=SCHEME, model="prior")
    crown(lab, later.version)
    try:
        other = backtest_strategy(lab, FORETOLD, name="Foretold")
        assert other.models == {MODEL: 2}
        assert other.run_id != run.run_id
        assert rerun(lab, run.run_id).same
        assert rerun(lab, other.run_id).same
    finally:
        registry.rollback(lab, MODEL)
    assert backtest_strategy(lab, FORETOLD, name="Foretold").run_id == run.run_id


def test_a_forecast_that_was_changed_since_is_not_passed_off_as_the_old_one(
    lab: Session, trained: TrainedModel, run: StrategyRun
) -> None:
    said = predictions(lab, MODEL, version=trained.version)
    long = said.rename_axis(index="ts").reset_index().melt("ts", var_name="symbol").dropna(subset="value")
    of = {"symbols": ["KO", "PEP"], "code_version": maker(trained.version)}
    rows = long.assign(name=f"model: {MODEL}", source="sample")
    write_derived(lab.store, rows.assign(value=1.0 - rows["value"]), **of)
    try:
        with pytest.raises(DataError, match=r"of KO, model: up or down from sample; those data are .* run the strat"):
            rerun(lab, run.run_id)
    finally:
        write_derived(lab.store, rows, **of)
    assert rerun(lab, run.run_id).same


def test_recommendations_name_the_version_and_say_why_there_are_no_worlds(
    lab: Session, run: StrategyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "ensure_sample", lambda *_, **__: False)
    pair = Group(kind="pair", legs=("KO", "PEP"), timing={"kind": "rules", "long": 'KO.model("up or don") > 0.5'})
    result = run_pipeline(lab, strategies={"Foretold": FORETOLD, "Unknown": pair})
    [one] = result.recommendations
    since = champions(lab)[MODEL].since
    assert f"Reads version 1 of model {MODEL}, the champion since {since:%Y-%m-%d}." in one.reasons
    assert [reason for reason in one.reasons if reason.startswith("What to expect is not known from simulated worlds")]
    assert [reason for reason in one.reasons if f'Buy when model("{MODEL}") > 0.5: ' in reason]
    assert (one.expected_value, one.probability_of_loss, one.simulators) == (None, None, ())
    assert "newest forecast" not in one.data_note
    assert [
        said
        for said in result.skipped
        if "There is no model 'up or don'" in said and "Did you mean up or down?" in said
    ]
    assert "no simulated worlds" in result.path.read_text()
    assert run_pipeline(lab, strategies={"Foretold": FORETOLD}).reused


def test_a_stale_forecast_is_said(run: StrategyRun) -> None:
    key = f"model: {MODEL}"
    assert stale_forecasts(FORETOLD, run.panel) == []
    values = run.panel.extra[key].copy()
    values[-3:] = np.nan
    late = Panel.from_frames(run.panel.frame("close"), extra={key: values})
    newest = run.panel.index[-4]
    assert stale_forecasts(FORETOLD, late) == [
        f"The newest forecast of model {MODEL} is of {newest:%Y-%m-%d}, 3 sessions before the last one: what reads it "
        "is unknown since then."
    ]
    both = Panel.from_frames(
        pd.concat([run.panel.frame("close"), run.panel.frame("close").rename(columns={"KO": "MSFT"})], axis=1),
        extra={key: np.column_stack([run.panel.extra[key], np.full(len(run.panel), np.nan)])},
    )
    ranked = Group(kind="rotation", legs=("KO", "MSFT"), timing={"kind": "rank", "by": f'model("{MODEL}")'})
    assert stale_forecasts(ranked, both) == [f"Model {MODEL} says nothing of MSFT."]


def test_simulated_worlds_and_scenarios_refuse_it_before_any_work(lab: Session) -> None:
    fall = make_scenario(
        {
            "schema_version": 1, "id": "fall", "title": "Fall", "kind": "hypothetical",
            "story": "A fall by a fifth, in steps.",
            "source": "Own assumption.", "sessions": 5, "shocks": [{"factor": "equities", "change": -0.2}],
        }
    )  # fmt: skip
    for strategy, key in ((FORETOLD, MODEL), (RELEASED, "RATE")):
        for ask in (
            lambda one: simulate_strategy(lab, one, "gbm"),
            lambda one: examine(lab, one, ["gbm"]),
            lambda one: stress_strategies(lab, {"x": one}, [fall]),
        ):
            with pytest.raises(StrategyError, match=f"reads .*{key}. Simulated worlds and scenarios have prices alone"):
                ask(strategy)


def test_what_cannot_be_read_says_what_to_do(lab: Session, rate: str, trained: TrainedModel) -> None:
    panel = load_panel(lab, ["KO"])
    for key, words in {
        "macro: RAET": "No series 'RAET' is stored. Did you mean RATE",
        "model: up or don": "There is no model 'up or don' with forecasts. Did you mean up or down",
        "rate": "names no extra",
    }.items():
        with pytest.raises(DataError, match=words):
            with_extras(lab, panel, [key])
    with pytest.raises(DataError, match=r"No forecasts of version 7 of model 'up or down' are stored\. Stored .* 1"):
        with_extras(lab, panel, [f"model: {MODEL}"], versions={MODEL: 7})
    with pytest.raises(DataError, match=r"is about a session and a symbol of this panel\. They are about KO, PEP"):
        with_extras(lab, load_panel(lab, ["MSFT"]), [f"model: {MODEL}"])
    rows = pd.DataFrame({"name": "model: tried", "symbol": "KO", "ts": panel.index, "value": 0.5, "source": "sample"})
    write_derived(lab.store, rows, symbols=["KO"], code_version=maker_of("tried", 1, "abc"))
    with pytest.raises(DataError, match=r"No version of model 'tried' has been promoted.*`workbench promote .tried.`"):
        with_extras(lab, panel, ["model: tried"])
    assert (with_extras(lab, panel, ["model: tried"], versions={"tried": 1}).extra["model: tried"] == 0.5).all()
    own = with_extras(lab, Panel.from_frames(panel.frame("close"), extra={rate: np.ones(len(panel))}), [rate])
    assert (own.extra[rate] == 1.0).all(), "what a panel carries stays"
    wrong = Group(kind="outright", legs=("KO",), timing={"kind": "rules", "long": 'model("up or don") > 0.5'})
    assert "Did you mean up or down?" in unreadable(lab, wrong)
    assert unreadable(lab, FORETOLD) == ""


def test_the_time_machine_reads_them_as_of_the_day(lab: Session, run: StrategyRun) -> None:
    moment = go_back(lab, FORETOLD, "2022-06-01")
    assert moment.decided["KO"] == run.result.targets["KO"]["2022-06-01"]
    assert moment.explanation.reasons[-1].startswith(f"Reads version 1 of model {MODEL}, the champion since")


def test_a_class_in_a_python_file_names_what_it_reads(lab: Session, rate: str) -> None:
    text = """
import pandas as pd
from quantlib.strategies import Strategy

class Rate(Strategy):
    family, title, description = "rate", "Rate", "Long while the rate is high."
    symbols = property(lambda self: ("KO",))
    extras = property(lambda self: ("macro: RATE",))
    warmup = property(lambda self: 1)

    def decide(self, panel):
        return (panel.frame("macro: RATE") > 2).astype(float)
"""
    strategy = load_source(text, "rate.py")
    panel = strategy_panel(lab, strategy, "2020-01-02")
    pd.testing.assert_frame_equal(strategy.targets(panel), RELEASED.targets(panel))
    assert 0 < strategy.targets(panel)["KO"].mean() < 1


def test_runs_without_extras_keep_the_ids_they_had(lab: Session) -> None:
    made = backtest_strategy(lab, MACross(universe=("KO",), fast=20, slow=100))
    bare = load_panel(lab, ["KO"])
    assert made.panel.extra == {}
    assert made.panel.snapshot_id == bare.snapshot_id
    assert (
        Panel.from_frames(bare.frame("close"), extra={"macro: RATE": bare.close[:, 0]}).snapshot_id != bare.snapshot_id
    )
    key = {
        "strategy": made.strategy.id, "snapshot": bare.snapshot_id, "costs": costs_record(made.costs),
        "cash": made.cash, "lag": made.lag, "code": code_version(), "seed": lab.settings.seed,
        "data_grade": bare.grade,
    }  # fmt: skip
    assert made.run_id == content_id("backtest", key)
    [stored] = read_runs(lab.store, id=made.run_id)
    assert "models" not in stored.params
    assert "models" not in json.loads(lab.tracker.read_text(str(made.mlflow_run_id), TERMS))
