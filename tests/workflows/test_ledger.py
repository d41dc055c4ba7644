"""The trial ledger through the workflows: nobody has to do anything, and each trial counts once."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import Between
from quantlib.errors import DataError, StrategyError
from quantlib.store import read_runs
from quantlib.store.job_worker import RunningJob
from quantlib.store.migrations.versions import r0006_trials
from quantlib.store.trials import begin_trials
from quantlib.strategies import Group, MACross, Pair
from quantlib.workflows import research
from quantlib.workflows.holdout import end_before_holdout, holdout_budget, holdout_start
from quantlib.workflows.jobs import job
from quantlib.workflows.ledger import SetsTried, backtest_trial, ledger_table, model_trial, trial_counts, trials_of
from quantlib.workflows.logged import Logged
from quantlib.workflows.research import backtest_strategy, shared_panel
from quantlib.workflows.run_records import idea_of
from quantlib.workflows.searching import search_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.sweeping import start_sweep, sweep_strategy
from quantlib.workflows.tracking import Tracker
from quantlib.workflows.trading_costs import usual_costs
from quantlib.workflows.worker import run_job

KO = MACross(universe=("KO",), fast=10, slow=50)
GRID = {"slow": [50, 80], "fast": [5, 10, 60]}


@pytest.fixture(autouse=True)
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Logged]:
    """Return what is logged, which MLflow never sees: what it does with that is not the ledger's business."""
    kept: list[Logged] = []
    monkeypatch.setattr(Tracker, "log", lambda _, logged: kept.append(logged) or "mlflow-1")
    return kept


def rows(session: Session, idea: str) -> pd.DataFrame:
    return ledger_table(session, idea).set_index("id")


def test_without_an_idea_of_its_own_a_trial_is_one_of_its_kind(lab: Session) -> None:
    kinds = {"pair": Pair(y="KO", x="PEP"), "rotation": Group(kind="rotation", legs=("KO", "PEP", "XOM"))}
    groups = [Group(kind="outright", legs=("KO",)), Group(kind="pair", legs=("KO", "PEP"))]
    assert [one.idea for one in groups] == ["outright", "pair"]
    for kind, strategy in kinds.items():
        assert idea_of(lab, strategy) == kind
        assert idea_of(lab.asked(idea="mine"), strategy) == "mine"
    assert idea_of(lab, KO) == "ma_cross"


def test_a_backtest_is_one_trial_however_often_it_is_asked_for(lab: Session) -> None:
    mine = lab.asked(idea="once")
    run = backtest_strategy(mine, KO, name="Coke")
    backtest_strategy(mine.asked(origin="app"), KO, name="Called otherwise")
    [one] = rows(mine, "once").to_dict(orient="records")
    assert (one["times"], one["origin"], one["outcome"], one["kind"]) == (2, "app", "done", "backtest")
    assert (one["title"], one["universe"], one["who"]) == ("Coke", "KO", lab.who)
    assert (one["run_id"], one["mlflow_run_id"]) == (run.run_id, "mlflow-1")
    assert (one["first"], one["last"]) == (run.panel.index[0], run.panel.index[-1])
    value = run.metrics["value"]
    assert one["sharpe"] * np.sqrt(252) == pytest.approx(value["sharpe_ratio"], rel=1e-9)
    assert one["skew"] == pytest.approx(value["skewness"], rel=1e-9)
    assert one["kurtosis"] - 3 == pytest.approx(value["excess_kurtosis"], rel=1e-9)
    backtest_strategy(mine, KO, lag=2)
    backtest_strategy(mine, KO, start="2018-01-02")
    assert trial_counts(lab)["once"] == len(rows(mine, "once")) == 3


def test_the_same_set_of_a_sweep_is_no_new_trial(lab: Session, logged: list[Logged]) -> None:
    mine = lab.asked(idea="either")
    sweep_strategy(mine, KO, GRID, open_holdout=True)
    assert trial_counts(lab)["either"] == 5, "the sixth is no valid definition"
    table = rows(mine, "either")
    assert table["kind"].value_counts().to_dict() == {"set": 6, "sweep": 1}
    assert "shorter than the slow one" in table.loc[table["outcome"] == "refused", "said"].iloc[0]
    backtest_strategy(mine, KO)
    backtest_strategy(mine, KO.model_copy(update={"slow": 60}))
    assert trial_counts(lab)["either"] == 6
    assert sorted(rows(mine, "either")["times"]) == [1] * 7 + [2]
    both = sweep_strategy(mine, KO, {"slow": [50, 60, 70]}, open_holdout=True)
    assert trial_counts(lab)["either"] == 7
    curves = logged[-1].frames["curves.parquet"]
    assert curves.shape == (3, 96)
    assert set(curves.index) <= set(rows(mine, "either").index)
    grown = np.log1p(both.result.table["total_return"].to_numpy())
    np.testing.assert_allclose(curves.sum(axis=1).to_numpy(), grown, atol=1e-5)


def test_what_is_refused_or_fails_does_not_count(lab: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = lab.asked(idea="faults")

    def refuse(*_: object, **__: object) -> None:
        raise StrategyError("It cannot be.")

    def fail(*_: object, **__: object) -> None:
        raise OSError("The disk is full.")

    for fault, error in ((refuse, StrategyError), (fail, OSError)):
        with monkeypatch.context() as patch:
            patch.setattr(research, "run_strategy", fault)
            with pytest.raises(error):
                backtest_strategy(mine, KO)
        assert "faults" not in trial_counts(lab)
        [one] = rows(mine, "faults").to_dict(orient="records")
        assert one["said"] in {"It cannot be.", "The disk is full."}
    assert one["outcome"] == "failed"
    backtest_strategy(mine, KO)
    [one] = rows(mine, "faults").to_dict(orient="records")
    assert (one["outcome"], one["times"], one["said"]) == ("done", 3, "")


def test_what_has_shown_its_numbers_counts_whatever_happens_to_it_then(
    lab: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = lab.asked(idea="shown")

    def fail(*_: object, **__: object) -> None:
        raise OSError("The disk is full.")

    monkeypatch.setattr(research, "validate", fail)
    with pytest.raises(OSError, match="full"):
        backtest_strategy(mine, KO)
    [one] = rows(mine, "shown").to_dict(orient="records")
    assert (one["outcome"], trial_counts(lab)["shown"]) == ("done", 1)
    assert np.isfinite(one["sharpe"])


def test_a_verdict_counts_the_trial_it_is_about(lab: Session) -> None:
    """The first verdict after a new trial says the same as one that is asked for again."""
    mine = lab.asked(idea="about itself")
    backtest_strategy(mine, KO)
    other = MACross(universe=("MSFT",), fast=3, slow=200)
    first, again = (backtest_strategy(mine, other).verdict for _ in range(2))
    assert first == again
    luck = first.check("dsr")
    assert luck is not None
    assert "1.0 independent" not in luck.sentence


def test_who_reads_a_model_has_chosen_it_among_all_of_its_target(lab: Session) -> None:
    mine, panel = lab.asked(idea="reads one"), shared_panel(lab, ["KO"])
    backtest_strategy(mine, KO)
    alone = trials_of(lab, "reads one")
    models = [("a", "up", 1), ("b", "up", 2), ("c", "down", 1)]
    begin_trials(
        lab.store,
        [model_trial(lab, panel, target=t, name=n, params={"target": t, "depth": depth}) for n, t, depth in models],
    )
    assert trials_of(lab, "reads one").n == alone.n == 1
    reading = trials_of(lab, "reads one", ["a"])
    assert (reading.n, reading.effective) == (alone.n + 2, alone.effective + 2.0)
    assert trials_of(lab, "reads one", ["a", "c"]).n == alone.n + 3


def test_a_sweep_that_is_stopped_counts_what_it_has_shown(lab: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = lab.asked(idea="stopped")
    monkeypatch.setattr(SetsTried, "AT_ONCE", 3)
    found = SetsTried.found

    def stop_after(self: SetsTried, *given: Any) -> None:
        found(self, *given)
        if len(self.done) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SetsTried, "found", stop_after)
        with pytest.raises(KeyboardInterrupt):
            sweep_strategy(mine, KO, {"slow": range(50, 60)})
    assert trial_counts(lab)["stopped"] == 4
    assert rows(mine, "stopped")["outcome"].value_counts().to_dict() == {"failed": 7, "done": 4}
    sweep_strategy(mine, KO, {"slow": range(50, 60)})
    assert trial_counts(lab)["stopped"] == 10
    assert set(rows(mine, "stopped")["outcome"]) == {"done"}


def test_trials_alike_are_few_and_trials_unlike_are_many(lab: Session) -> None:
    alike, unlike = lab.asked(idea="alike"), lab.asked(idea="unlike")
    sweep_strategy(alike, KO, {"slow": range(100, 108)})
    symbols = ("KO", "MSFT", "PEP")
    each = {"universe": [(symbol,) for symbol in symbols], "fast": [2, 40]}
    sweep_strategy(unlike, MACross(universe=symbols, slow=150), each)
    few, many = trials_of(lab, "alike"), trials_of(lab, "unlike")
    assert (few.n, many.n) == (8, 6)
    assert 1 <= few.effective < 2 < many.effective <= 6
    assert 0 < few.variance < many.variance
    nothing = trials_of(lab, "never tried")
    assert (nothing.n, nothing.effective) == (0, 0.0)
    assert np.isnan(nothing.variance)


def test_a_sweep_stops_before_the_hold_out_unless_it_is_opened(lab: Session) -> None:
    mine = lab.asked(idea="held out")
    assert holdout_start(lab) == date(2020, 1, 1), "the sample ends on 2022-12-28"
    budget = holdout_budget(mine, "held out")
    assert budget.sentence == "The hold-out of held out from 2020-01-01 on was never opened."
    made = sweep_strategy(mine, KO, {"slow": [50, 80]})
    assert made.as_of == date(2019, 12, 31)
    assert holdout_budget(mine, "held out").openings == 0
    backtest_strategy(mine, KO, end="2019-12-31")
    backtest_strategy(mine.asked(origin="pipeline"), KO.model_copy(update={"slow": 99}))
    assert holdout_budget(mine, "held out").openings == 0
    assert sweep_strategy(mine, KO, {"slow": [50, 80]}, open_holdout=True).as_of == date(2022, 12, 28)
    backtest_strategy(mine.asked(origin="app"), KO.model_copy(update={"slow": 70}))
    found = holdout_budget(mine, "held out")
    assert (found.openings, found.trials) == (2, 3), "a sweep is one opening"
    assert found.sentence == (
        "The hold-out of held out from 2020-01-01 on was opened twice with 3 trials, last on "
        f"{found.last_at:%Y-%m-%d} by {lab.who} from the app."
    )
    with pytest.raises(DataError, match=r"in the hold-out, which begins on 2020-01-01.*--open-holdout"):
        sweep_strategy(mine, KO, {"slow": [50]}, start=date(2020, 1, 1))


def test_the_hold_out_is_what_the_setting_says(lab: Session) -> None:
    set_up = Session(lab.settings.model_copy(update={"holdout": date(2018, 6, 1)}), lab.store)
    assert holdout_start(set_up) == date(2018, 6, 1)
    assert end_before_holdout(set_up, None) == date(2018, 5, 31)
    assert end_before_holdout(set_up, "2017-01-03", "2017-12-29") == "2017-12-29"
    assert end_before_holdout(set_up, None, "2022-01-03") == date(2018, 5, 31)


def test_a_job_is_counted_for_the_worker_and_under_its_idea(lab: Session) -> None:
    queued = start_sweep(lab.asked(idea="by a job"), KO, {"slow": [30, 40]})
    asked = job(lab, queued.id)
    run_job(lab.asked(origin="worker"), RunningJob(queued.id, asked["task"], asked["args"], 1, lambda: ""), say=print)
    table = rows(lab, "by a job")
    assert (len(table), set(table["origin"])) == (3, {"worker"})
    assert trial_counts(lab)["by a job"] == 2


def test_a_backtest_of_the_past_is_the_same_trial_today(lab: Session) -> None:
    run = backtest_strategy(lab, KO)
    [record] = read_runs(lab.store, id=run.run_id)
    stored = {**vars(record), "family": KO.family, "definition": {}, "sets": None}
    [row] = r0006_trials._backtest(stored)
    panel = shared_panel(lab, KO.inputs)
    trial = backtest_trial(lab, KO, panel, name="", costs=usual_costs(lab, KO.inputs), cash=1_000_000, lag=1)
    assert row["id"] == trial.id in rows(lab, "ma_cross").index


def test_a_session_asked_otherwise_shares_what_was_looked_up(lab: Session) -> None:
    other = lab.asked(origin="cli", idea="mine")
    assert (other.origin, other.idea, other.asked().idea) == ("cli", "mine", "mine")
    assert other.tracker is lab.asked().tracker or "tracker" not in vars(lab)
    assert (lab.origin, lab.idea) == ("notebook", None)
    assert other.store is lab.store


def test_the_table_is_filtered(lab: Session) -> None:
    mine = lab.asked(idea="filters", origin="cli")
    backtest_strategy(mine, KO, end="2018-12-31")
    backtest_strategy(mine.asked(origin="app"), KO, start="2019-01-02")
    assert ledger_table(lab, "filters")["origin"].tolist() == ["app", "cli"], "the newest first"
    assert len(ledger_table(lab, "filters", origin="cli")) == 1
    assert ledger_table(lab, "filters", start="2020-01-01")["origin"].tolist() == ["app"]
    assert ledger_table(lab, "filters", end="2018-01-01")["origin"].tolist() == ["cli"]
    assert ledger_table(lab, "filters", kind="set").empty


def test_every_set_of_a_search_counts_once(lab: Session) -> None:
    mine, space = lab.asked(idea="searched"), {"fast": Between(5, 8), "slow": [40, 60]}
    found = search_strategy(mine, KO, space, trials=12)
    tried = {(row.fast, row.slow) for row in found.table.itertuples()}
    assert len(found.table) == 12 > len(tried), "some were proposed twice"
    assert trial_counts(lab)["searched"] == len(tried)
    assert rows(mine, "searched")["last"].max() < pd.Timestamp("2020-01-01")
    search_strategy(mine, KO, space, trials=12)
    assert trial_counts(lab)["searched"] == len(tried), "the same seed tries the same sets"
    [parent] = ledger_table(lab, "searched", kind="search").to_dict(orient="records")
    assert (parent["times"], parent["outcome"]) == (2, "done")
    sweep_strategy(mine, KO, {"fast": sorted({fast for fast, _ in tried}), "slow": [40, 60]})
    assert trial_counts(lab)["searched"] == 2 * len({fast for fast, _ in tried})
