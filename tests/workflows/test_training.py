"""Training a model: counted once, kept, the same when loaded again, and asked about today."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError, QuantError, StrategyError
from quantlib.ml import Examples, WalkForward, build_examples
from quantlib.store.derived import read_derived
from quantlib.workflows import learn
from quantlib.workflows.foretelling import asked, maker, predictions, series_of, with_predictions
from quantlib.workflows.holdout import end_before_holdout, holdout_budget
from quantlib.workflows.jobs import job
from quantlib.workflows.learn import TrainedModel, start_training, train_model
from quantlib.workflows.ledger import ledger_table, trial_counts
from quantlib.workflows.research import load_panel
from quantlib.workflows.session import Session
from quantlib.workflows.tasks import TASKS, plan
from quantlib.workflows.training import Training

SYMBOLS = ["KO", "PEP"]
SCHEME = WalkForward(train=400, test=200)
SET = {"name": "up or down", "target": "direction", "features": ["own"], "scheme": SCHEME}


@pytest.fixture(scope="module")
def idea(lab: Session) -> Session:
    """Return the session with an idea of its own, so that counts are of this module alone."""
    return lab.asked(origin="cli", idea="a test of training")


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int, str]]:
    return []


@pytest.fixture(scope="module")
def made(idea: Session, told: list[tuple[int, int, str]]) -> TrainedModel:
    return train_model(idea, SYMBOLS, **SET, tune=2, on_progress=lambda *step: told.append(step))


def trials(session: Session) -> pd.DataFrame:
    return ledger_table(session, session.idea)


def test_the_model_and_each_set_are_a_trial_and_folds_are_none(
    idea: Session, made: TrainedModel, told: list[tuple[int, int, str]]
) -> None:
    found = trials(idea)
    assert sorted(found["kind"]) == ["fit", "fit", "model"]
    assert set(found["outcome"]) == {"done"}
    [model] = found[found["kind"] == "model"].to_dict("records")
    assert set(found.loc[found["kind"] == "fit", "parent"]) == {model["id"]}
    assert (model["run_id"], model["mlflow_run_id"], model["times"]) == (made.run_id, made.mlflow_run_id, 1)
    assert model["origin"] == "cli"
    assert trial_counts(idea)[str(idea.idea)] == 3
    steps = [done for done, _, _ in told]
    assert steps == sorted(steps)
    assert len({total for _, total, _ in told[1:]}) == 1
    assert told[-1][0] == told[-1][1]


def test_asked_for_again_it_is_the_same_trial_and_version_and_nothing_is_fitted(
    idea: Session, made: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "evaluate", lambda *_, **__: pytest.fail("fitted again"))
    again = train_model(idea, SYMBOLS, **SET, tune=2)
    assert (again.version, again.verdict, again.run_id) == (made.version, made.verdict, made.run_id)
    assert trial_counts(idea)[str(idea.idea)] == 3
    found = trials(idea)
    assert found.loc[found["kind"] == "model", "times"].tolist() == [2]


def test_nothing_is_learned_from_the_holdout(idea: Session, made: TrainedModel) -> None:
    last = pd.Timestamp(str(end_before_holdout(idea, None)))
    assert pd.Timestamp(made.foretold.learned_until) <= last
    assert pd.Timestamp(trials(idea)["last"].max()) <= last
    assert pd.Timestamp(made.foretold.as_of) > last


def test_the_search_sees_only_what_comes_before_the_first_test(idea: Session) -> None:
    panel = load_panel(idea, SYMBOLS, end=end_before_holdout(idea, None))
    asked_for = Training(features=("own",), scheme=SCHEME)
    examples: Examples = asked_for.examples(panel)
    first_test = asked_for.folds(examples)[0].tests[0]
    begins = examples.known.features.index.get_level_values("ts")[first_test].min()
    seen = asked_for.to_search(examples)
    assert seen.labels["label_end"].max() < begins
    assert seen.labels["label_end"].max() >= begins - pd.Timedelta(days=5)
    assert Training(features=("own",), scheme="purged_kfold").to_search(examples) is examples


def test_the_model_loaded_again_says_what_was_stored(idea: Session, made: TrainedModel) -> None:
    model = idea.tracker.load(made.mlflow_run_id, "model")
    panel = load_panel(idea, SYMBOLS)
    table = build_examples(panel, features=["own"]).features[list(model.feature_names_in_)]
    learned_until = pd.Timestamp(made.foretold.learned_until)
    after = table[table.index.get_level_values("ts") >= learned_until]
    own = pd.Series(model.predict_proba(after)[:, 1], index=after.index).unstack("symbol")  # noqa: PD010  keys are unique
    stored = read_derived(idea.store, series_of("up or down"), code_version=maker(made.version))
    # Dividends that came later move adjusted prices by rounding.
    np.testing.assert_allclose(stored.loc[own.index, own.columns], own, rtol=1e-9)
    said = idea.tracker.read_parquet(made.mlflow_run_id, "predictions.parquet")
    walked = said["prediction"].unstack("symbol")  # noqa: PD010  keys are unique
    np.testing.assert_array_equal(stored.loc[walked.index, walked.columns], walked)
    assert len(stored) == len(own) + len(walked)
    between = panel.index[(panel.index > walked.index[-1]) & (panel.index < learned_until)]
    assert len(between) == SET.get("horizon", 5) - 1, "the model has seen how these turned out, and is not asked"
    assert made.foretold.latest.to_dict() == own.iloc[-1].to_dict()
    assert made.foretold.drift.loc["prediction", "word"] in {"stable", "moved", "drifted"}


def test_strategies_know_the_predictions_by_name_from_the_day_they_were_made(idea: Session, made: TrainedModel) -> None:
    panel = load_panel(idea, SYMBOLS)
    ready = with_predictions(idea, panel, "up or down", called="forecast")
    stored = predictions(idea, "up or down", version=made.version)
    known = ready.frame("forecast").dropna()
    pd.testing.assert_frame_equal(known, stored[SYMBOLS], check_names=False, check_freq=False)
    with pytest.raises(DataError, match="has 'forecast' already"):
        with_predictions(idea, ready, "up or down")
    with pytest.raises(DataError, match="No derived series 'model: up or don'"):
        with_predictions(idea, panel, "up or don")
    with pytest.raises(DataError, match="session and a symbol of this panel"):
        with_predictions(idea, load_panel(idea, ["MSFT"]), "up or down")


def test_what_other_schemes_say_of_the_past_is_not_stored(idea: Session) -> None:
    made = train_model(idea, ["KO"], name="both sides", features=["own"], scheme="purged_kfold", model="prior")
    assert made.foretold.said.index.min() == pd.Timestamp(made.foretold.learned_until)
    assert asked(idea, made.mlflow_run_id).said.equals(made.foretold.said)


def test_a_stopped_training_does_not_count_and_its_search_saw_no_test(
    idea: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[Examples] = []
    search = learn.search
    monkeypatch.setattr(
        learn, "search", lambda rows, *rest, **more: (searched.append(rows), search(rows, *rest, **more))
    )
    before, asks = trial_counts(idea)[str(idea.idea)], iter([False, False, False, True])
    with pytest.raises(QuantError, match="stopped, as asked, after 3 of"):
        train_model(idea, ["KO"], **{**SET, "name": "stopped"}, tune=3, cancelled=lambda: next(asks))
    assert trial_counts(idea)[str(idea.idea)] == before
    found = trials(idea)
    assert set(found.loc[found["title"] == "stopped", "outcome"]) == {"failed"}
    [rows] = searched
    whole = Training(features=("own",), scheme=SCHEME)
    examples = whole.examples(load_panel(idea, ["KO"], end=end_before_holdout(idea, None)))
    pd.testing.assert_frame_equal(rows.labels, whole.to_search(examples).labels)


def test_the_opened_holdout_is_learned_from_and_counted(idea: Session) -> None:
    start, before = holdout_budget(idea, str(idea.idea)).start, holdout_budget(idea, str(idea.idea)).openings
    given = {"features": ["own"], "scheme": "purged_kfold", "model": "prior"}
    made = train_model(idea, ["PEP"], name="opened", open_holdout=True, **given)
    assert made.foretold.learned_until > start
    assert holdout_budget(idea, str(idea.idea)).openings == before + 1


def test_the_job_trains_what_was_asked_for(idea: Session, monkeypatch: pytest.MonkeyPatch, made: TrainedModel) -> None:
    number = start_training(idea, SYMBOLS, name="by job", model="ridge", target="volatility", horizon=10)
    queued = job(idea, number)
    given = {"target": "meta_label", "side": "Coke against Pepsi"}
    judging = TASKS["train"].args(**job(idea, start_training(idea, SYMBOLS, name="judge", **given))["args"])
    assert (judging.target, judging.side, judging.macro) == ("meta_label", "Coke against Pepsi", ())
    with pytest.raises(DataError, match="No series 'VIXCSL' is stored"):
        start_training(idea, SYMBOLS, name="fear", macro=["VIXCSL"])
    with pytest.raises(StrategyError, match="Did you mean Coke against Pepsi"):
        start_training(idea, SYMBOLS, name="judge", target="meta_label", side="Coke against Pepsy")
    with pytest.raises(DataError, match="trades KO, PEP, and none of them is among the symbols to learn from, MSFT"):
        start_training(idea, ["MSFT"], name="judge", **given)
    asked_of: dict[str, Any] = {}

    def train(session: Session, symbols: list[str], **settings: Any) -> TrainedModel:
        asked_of.update(settings, symbols=list(symbols), idea=session.idea)
        return made

    monkeypatch.setattr(learn, "train_model", train)
    task = TASKS["train"]
    outcome = task.work(idea, task.args(**queued["args"]), lambda *_: None)
    assert asked_of["symbols"] == SYMBOLS
    assert (asked_of["model"], asked_of["target"], asked_of["horizon"]) == ("ridge", "volatility", 10)
    assert "Version 1 of up or down, the candidate." in outcome.said
    with pytest.raises(DataError, match="Task train, modle"):
        plan("train", {"name": "x", "symbols": ["KO"], "modle": "ridge"}, reason="a slip")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "logistc"}, "Did you mean logistic"),
        ({"target": "directon"}, "Did you mean direction"),
        ({"target": "meta_label"}, "needs the side of a strategy. Name one that is saved or ready"),
        ({"side": "Coke against Pepsi"}, "Direction takes no side. Leave it out, or take the target meta_label"),
        ({"target": "meta_label", "side": "x", "worlds": "gbm"}, "know no strategy's side"),
        ({"macro": ["VIXCLS"], "worlds": "gbm"}, "know no macro series"),
        ({"features": ["onw"]}, "Did you mean own"),
        ({"features": ["macro"]}, r"needs a macro series or more. Name them, as in macro=\('CPIAUCSL',\)"),
        ({"scheme": "walk_forwrd"}, "Did you mean walk_forward"),
        ({"horizon": 0}, "from 1 to 252"),
        ({"tune": 500}, "from 0 to 200"),
        ({"tune": 3, "model": "prior"}, "no parameters to search"),
        ({"worlds": "gmb"}, "Did you mean gbm"),
        ({"worlds": "gbm", "scheme": "purged_kfold"}, "Take walk_forward"),
        ({"worlds": "gbm", "calibrate": "sigmoid"}, "would know them. Leave calibrate or worlds out"),
        ({"calibrate": "isotonc"}, "Did you mean isotonic"),
        ({"calibrate": "sigmoid", "target": "volatility", "model": "ridge"}, "is a number"),
        ({"model": "logistic", "target": "volatility"}, "does classification only"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_any_work(given: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Training.checked(**given)


def test_names_that_cannot_be_registered_are_refused_before_any_work(idea: Session) -> None:
    before = len(trials(idea))
    for name in ("a/b", " "):
        with pytest.raises(DataError, match="A registered name"):
            train_model(idea, SYMBOLS, name=name)
    assert len(trials(idea)) == before
