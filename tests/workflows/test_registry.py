"""Logged runs made again in a process of their own, and the registry: what passes the gate, and what it takes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from database import Database
from prepared import ROOT
from sklearn.linear_model import LogisticRegression

from quantlib.backtest import evaluate_in_worlds
from quantlib.errors import DataError
from quantlib.ml.scores import gain_over, score
from quantlib.models.promotions import Promotion
from quantlib.models.trials import Trial
from quantlib.reports.recommend import recommend
from quantlib.reports.types import Recommendation, VersionUsed
from quantlib.simulators import SIMULATORS
from quantlib.store.promotions import read_promotions
from quantlib.store.trials import begin_trials
from quantlib.strategies import MACross, Pair
from quantlib.types import Panel
from quantlib.workflows import pipeline, promotion_gate, registry, reporting, rerunning
from quantlib.workflows.holdout import holdout_budget
from quantlib.workflows.learn import train_models
from quantlib.workflows.ledger import model_trial, models_tried
from quantlib.workflows.logged import Logged
from quantlib.workflows.model_records import AHEAD, PREDICTIONS
from quantlib.workflows.registry import champions, promote, promotions, register, rollback, versions
from quantlib.workflows.rerunning import rerun
from quantlib.workflows.research import StrategyRun, backtest_strategy, shared_panel
from quantlib.workflows.session import Session

pytestmark = pytest.mark.slow

SLOW = MACross(universe=("KO", "PEP"), fast=20, slow=100)
QUICK = MACross(universe=("KO", "PEP"), fast=5, slow=20)

LEARNED: dict[tuple[Any, ...], str] = {}
FRESH = """
import sys
from pathlib import Path

import app.cache
import app.main
import quantlib.cli
from quantlib.settings import Settings
from quantlib.store import Store
from quantlib.workflows.rerunning import rerun
from quantlib.workflows.session import Session

assert "mlflow" not in sys.modules, "the app and the command line start without it"
url, folder, home, *runs = sys.argv[1:]
tracking = f"sqlite:///{home}/mlflow/mlflow.db"
with Store.connect(url or None, Path(folder)) as store:
    session = Session(Settings(home=Path(home), mlflow_tracking_uri=tracking, _env_file=None), store)
    for run in runs:
        made = rerun(session, run)
        print(made.run.kind, made.same, made.compared, made.sentence)
"""


@pytest.fixture(scope="module")
def runs(lab: Session) -> dict[str, StrategyRun]:
    made = {"slow": SLOW, "quick": QUICK, "pair": Pair(y="KO", x="PEP")}
    return {key: backtest_strategy(lab, strategy, name=key, lag=2) for key, strategy in made.items()}


@pytest.fixture(scope="module")
def trained(lab: Session) -> str:
    """Return the run in MLflow of a model trained on real prices."""
    train_models(lab, ["KO", "MSFT", "PEP"], models=["logistic"], open_holdout=True)
    found = lab.tracker.runs(idea="direction")
    return str(found.loc[found["tags.kind"] == "model", "run_id"].iloc[0])


def learned(session: Session, skill: float, *, seed: int | None = None, **tags: str) -> str:
    """Return the run of a model whose predictions out of sample lean towards what came true by `skill`; made once."""
    seed = int(100 * skill) if seed is None else seed
    key = (session.settings.home, skill, seed, *tags.values())
    if key not in LEARNED:
        LEARNED[key] = _learned(session, skill, seed, tags)
    return LEARNED[key]


def _learned(session: Session, skill: float, seed: int, tags: dict[str, str]) -> str:
    rng = np.random.default_rng(3)  # what came true is the same for all
    index = pd.MultiIndex.from_product([pd.bdate_range("2020-01-01", periods=400), ["A", "B"]], names=["ts", "symbol"])
    label = (rng.random(len(index)) < 0.5).astype(float)
    own = np.random.default_rng(seed)
    said = 0.5 + skill * (label - 0.5) + 0.1 * own.normal(size=len(index))
    predictions = pd.DataFrame({"label": label, "prediction": np.clip(said, 0.02, 0.98), "prior": 0.5}, index=index)
    features = pd.DataFrame(own.normal(size=(60, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(features, (features["a"] > 0).astype(float))
    ahead = features.tail(4).assign(prediction=model.predict_proba(features.tail(4))[:, 1])
    gain = gain_over(predictions, "prior", "classification", lags=10)
    metrics = score(label, predictions["prediction"].to_numpy()) | dict(
        zip(("gain", "gain_low", "gain_high"), gain, strict=True)
    )
    about = {"target": "direction", "target_kind": "classification", "predicts": "horizon 5, target direction"}
    logged = Logged(
        name=f"skill {skill}",
        kind="model",
        idea="direction",
        metrics=metrics,
        tags={**about, "lags": "10", "foretold": "True", "snapshot_id": "0123456789abcdef", **tags},
        texts={"card.md": "# A card\n"},
        frames={PREDICTIONS: predictions, AHEAD: ahead},
        model=model,
        model_input=features.head(3),
        model_requirements=("scikit-learn", "cloudpickle"),
    )
    return session.tracker.log(logged)


def test_a_fresh_process_makes_logged_runs_again_to_the_last_bit(
    lab: Session, runs: dict[str, StrategyRun], trained: str, database: Database
) -> None:
    logged = [runs["slow"].mlflow_run_id, runs["pair"].mlflow_run_id, trained]
    command = [sys.executable, "-W", "ignore", "-c", FRESH, database.url or "", str(database.home)]
    command += [str(lab.settings.home), *map(str, logged)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [line.split(" ", 3) for line in done.stdout.splitlines()]
    assert [(kind, same) for kind, same, *_ in lines] == [("backtest", "True"), ("backtest", "True"), ("model", "True")]
    # Each session and symbol of the targets, and some thirty metrics; of the model what it says of coming sessions.
    assert int(lines[0][2]) > runs["slow"].result.targets.size
    assert int(lines[2][2]) >= 3 * 5 + 5


def test_a_run_that_comes_out_differently_is_told(
    lab: Session, runs: dict[str, StrategyRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rerunning.run_strategy
    monkeypatch.setattr(rerunning, "run_strategy", lambda *given, **more: real(*given, **{**more, "lag": 1}))
    made = rerun(lab, runs["slow"].run_id)
    assert not made.same
    assert "final_equity was" in made.sentence
    assert "more numbers differ." in made.sentence
    with pytest.raises(DataError, match="Only what comes out the same is registered"):
        register(lab, runs["slow"].run_id)
    monkeypatch.setattr(rerunning, "run_strategy", lambda strategy, panel, **more: real(QUICK, panel, **more))
    assert "Its targets differ on" in rerun(lab, runs["slow"].run_id).sentence


def test_prices_that_changed_since_are_refused(
    lab: Session, runs: dict[str, StrategyRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rerunning.strategy_panel
    monkeypatch.setattr(rerunning, "strategy_panel", lambda *given, **more: real(*given, **more).tail(500))
    with pytest.raises(DataError, match=f"made on snapshot {runs['slow'].panel.snapshot_id} of KO, PEP from sample"):
        rerun(lab, runs["slow"].run_id)


def test_what_cannot_be_made_again_says_so(lab: Session) -> None:
    with pytest.raises(DataError, match="Run 'backtest-000' is not on record"):
        rerun(lab, "backtest-000")
    with pytest.raises(DataError, match="MLflow has no run"):
        rerun(lab, "0" * 32)
    with pytest.raises(DataError, match="is a simulation; accepted: a backtest or a model"):
        rerun(lab, lab.tracker.log(Logged("Worlds", "simulation")))
    with pytest.raises(DataError, match=r"in MLflow has no run\.json"):
        rerun(lab, lab.tracker.log(Logged("Long ago", "backtest")))
    with pytest.raises(DataError, match="Train the model anew"):
        rerun(lab, lab.tracker.log(Logged("Long ago", "model")))


def test_a_trained_model_has_all_that_belongs_to_it(lab: Session, trained: str) -> None:
    import mlflow

    run = lab.tracker.client().get_run(trained)
    [data] = run.inputs.dataset_inputs
    assert (data.dataset.digest, data.dataset.name) == (run.data.tags["snapshot_id"], "KO, MSFT, PEP")
    uri = lab.tracker.model_uri(trained, "model")
    kept = Path(mlflow.artifacts.download_artifacts(uri))
    needs = (kept / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in needs] == ["mlflow", "scikit-learn", "numpy", "pandas", "cloudpickle"]
    assert all("==" in line for line in needs)
    loaded = mlflow.pyfunc.load_model(uri)
    assert len(loaded.input_example) == 5
    assert loaded.metadata.signature.inputs.input_names() == list(loaded.input_example.columns)
    ahead = lab.tracker.read_parquet(trained, AHEAD)
    stored = ahead.pop("prediction")
    np.testing.assert_array_equal(loaded.predict(ahead)[:, 1], stored)
    card = lab.tracker.read_text(trained, "card.md")
    for head in ("Data", "What it learned", "Out of sample", "Trials", "Importance", "Drift", "Limits"):
        assert f"## {head}\n" in card
    assert "folds: log loss" in card
    assert "was kept out." in card or "was opened" in card
    assert card == run.data.tags["mlflow.note.content"]
    page = lab.tracker.read_text(trained, "calibration.html")
    assert '"showSendToCloud": false' in page
    assert len(page) < 100_000


def test_the_gate_lets_the_better_through_refuses_the_worse_and_rollback_restores(lab: Session) -> None:
    name = "direction"
    guess, worse, first, better = (learned(lab, skill) for skill in (0.0, 0.1, 0.2, 0.4))
    assert register(lab, guess).version == 1
    refused = promote(lab, name)
    assert (refused.outcome, refused.from_version, refused.to_version) == ("refused", None, 1)
    assert "Better than the base rate: no. Log loss 0." in refused.why
    assert not [one for one in versions(lab, name) if "champion" in one.aliases]

    assert register(lab, first).aliases == ("candidate",)
    assert promote(lab, name).outcome == "promoted"
    assert champions(lab)[name].version == 2
    assert register(lab, worse).version == 3
    refused = promote(lab, name)
    assert (refused.outcome, refused.from_version) == ("refused", 2)
    assert refused.why.startswith("Better than the champion: no. Log loss 0.")
    assert refused.scores["champion"]["value"] < 0 < refused.scores["baseline"]["low"]
    assert champions(lab)[name].version == 2
    assert aliases(lab, name) == {"candidate": 3, "champion": 2}

    register(lab, better)
    taken = promote(lab, name)
    assert (taken.outcome, taken.from_version, taken.to_version) == ("promoted", 2, 4)
    assert taken.scores["champion"]["low"] > 0
    assert aliases(lab, name) == {"champion": 4}
    with pytest.raises(DataError, match="Version 4 of 'direction' is the champion already"):
        promote(lab, name, 4)
    back = rollback(lab, name)
    assert (back.outcome, back.from_version, back.to_version) == ("rolled back", 4, 2)
    assert aliases(lab, name) == {"champion": 2}
    assert champions(lab)[name].mlflow_run_id == first
    with pytest.raises(DataError, match="no former champion of 'direction' to go back to: version 2 is its first"):
        rollback(lab, name)
    log = promotions(lab, name)
    assert [one.outcome for one in log] == ["refused", "promoted", "refused", "promoted", "rolled back"]
    assert all(one.who == lab.who and one.origin == lab.origin and one.decided_at for one in log)


def aliases(session: Session, name: str) -> dict[str, int]:
    return {alias: one.version for one in versions(session, name) for alias in one.aliases}


def test_a_model_no_better_by_chance_alone_is_refused(lab: Session) -> None:
    """Two models of equal skill with independent noise: the difference is within what chance explains."""
    twins = [learned(lab, 0.3, seed=seed) for seed in (11, 12)]
    for run in sorted(twins, key=lambda run: -lab.tracker.read(run).metrics["log_loss"]):  # the better one last
        register(lab, run, "twins")
    decisions = [promote(lab, "twins", version) for version in (1, 2)]
    assert [one.outcome for one in decisions] == ["promoted", "refused"]
    assert decisions[1].scores["champion"]["value"] > 0 > decisions[1].scores["champion"]["low"]


def test_of_many_models_tried_the_best_has_more_to_show(lab: Session) -> None:
    """What would pass alone is refused as the best of fifty, and prices that moved on make no model another."""
    name = "many tried"
    run = learned(lab, 0.049, target=name)
    register(lab, run, name)
    panel = shared_panel(lab, ["KO", "PEP"])

    def tried(depth: int, on: Panel, idea: str | None = None) -> Trial:
        params = {"target": name, "depth": depth}
        return model_trial(lab.asked(idea=idea), on, target=name, name="", params=params)

    begin_trials(lab.store, [tried(1, panel), tried(1, panel.until(panel.index[-100])), tried(1, panel, "mine")])
    assert models_tried(lab, name) == 1
    alone = hurdle(promotion_gate.hurdles(lab, lab.tracker.read(run), None), "baseline")
    assert alone.passed
    assert "95 % interval " in alone.sentence
    begin_trials(lab.store, [tried(depth, panel, "mine") for depth in range(2, 50)])
    begin_trials(lab.store, [tried(1, panel.select(["KO"]))])
    assert models_tried(lab, name) == 50, "other symbols are another model, another idea is not"
    refused = promote(lab, name)
    assert refused.outcome == "refused"
    assert "99.9 % interval -0.0" in refused.why
    assert "95 % for the best of 50 models tried" in refused.why


def hurdle(shown: list[promotion_gate.Hurdle], key: str) -> promotion_gate.Hurdle:
    return next(one for one in shown if one.key == key)


def test_a_part_of_the_hold_out_is_not_enough(lab: Session) -> None:
    """Whoever may choose where a record begins or ends can choose a stretch in which anything looks good."""
    for span, why in (
        ({"start": "2021-06-01"}, "It ran from 2021-06-01 to 2022-12-28; the hold-out begins on 2020-01-01"),
        ({"end": "2022-09-01"}, "to within 21 sessions of the last one"),
    ):
        run = backtest_strategy(lab, QUICK, **span)
        register(lab, run.run_id, "in part")
        shown = hurdle(promotion_gate.hurdles(lab, lab.tracker.read(str(run.mlflow_run_id)), None), "whole_holdout")
        assert not shown.passed
        assert why in shown.sentence
        assert promote(lab, "in part").outcome == "refused"


def test_what_loses_money_is_no_champion_however_bad_the_others_are(
    lab: Session, runs: dict[str, StrategyRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lab.tracker.read(str(runs["quick"].mlflow_run_id))
    quick = runs["quick"].result.returns.loc["2020-01-01":]
    monkeypatch.setattr(promotion_gate, "active_returns", lambda _: quick - quick.mean() - 0.0001)
    monkeypatch.setattr(promotion_gate, "beside", lambda mine, _: (mine, mine - 0.001))
    shown = hurdle(promotion_gate.hurdles(lab, read, None), "baseline")
    assert shown.value > 0
    assert not shown.passed
    assert "it earned less than cash" in shown.sentence


def test_who_registers_what_the_pipeline_ran_has_looked_at_the_hold_out(lab: Session) -> None:
    mine = lab.asked(idea="looked at")
    run = backtest_strategy(mine.asked(origin="pipeline"), MACross(universe=("KO",), fast=7, slow=70))
    assert holdout_budget(mine, "looked at").openings == 0
    for _ in range(2):
        register(mine, run.run_id, "looked at")
    budget = holdout_budget(mine, "looked at")
    assert (budget.openings, budget.who) == (1, mine.who)


def test_what_was_not_foretold_or_is_about_something_else_is_refused(lab: Session) -> None:
    register(lab, learned(lab, 0.4, foretold="False"), "strange")
    assert "Out of sample in time: no." in promote(lab, "strange").why
    register(lab, learned(lab, 0.2), "strange")
    assert promote(lab, "strange").outcome == "promoted"
    register(lab, learned(lab, 0.4, predicts="horizon 21, target direction"), "strange")
    assert "the champion about horizon 5" in promote(lab, "strange").why


def test_a_champion_moved_past_the_gate_is_not_rolled_back(lab: Session) -> None:
    for skill in (0.1, 0.2, 0.4):
        register(lab, learned(lab, skill), "moved")
        assert promote(lab, "moved").outcome == "promoted"
    lab.tracker.client().set_registered_model_alias("moved", "champion", "1")
    with pytest.raises(DataError, match="somebody moved it in MLflow, past the gate"):
        rollback(lab, "moved")
    lab.tracker.client().set_registered_model_alias("moved", "champion", "3")
    assert [rollback(lab, "moved").to_version for _ in range(2)] == [2, 1]


def test_a_decision_that_cannot_be_carried_out_is_not_logged(lab: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    register(lab, learned(lab, 0.2), "halfway")

    def down(*_: object) -> None:
        raise DataError("MLflow went away")

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_crown", down)
        with pytest.raises(DataError, match="went away"):
            promote(lab, "halfway")
    assert read_promotions(lab.store, "halfway") == []
    assert promote(lab, "halfway").outcome == "promoted"


def test_a_strategy_is_registered_once_and_its_gate_is_the_hold_out(
    lab: Session, runs: dict[str, StrategyRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in (runs["slow"], runs["quick"]):
        register(lab, run.run_id, "trend")
    assert register(lab, runs["slow"].run_id, "trend").version == 1
    assert len(versions(lab, "trend")) == 2
    shown = promotion_gate.hurdles(lab, lab.tracker.read(str(runs["quick"].mlflow_run_id)), None)
    assert [one.key for one in shown] == ["look_ahead", "edge", "whole_holdout", "baseline"]
    assert hurdle(shown, "whole_holdout").passed
    # The hold-out of prices up to 2022-12-28 begins in 2020.
    assert "sessions of the hold-out from 2020-01-02" in hurdle(shown, "baseline").sentence
    mine, theirs = (own_sharpe(runs[key], "2020-01-01") for key in ("quick", "slow"))
    both = promotion_gate.hurdles(lab, *(lab.tracker.read(str(runs[k].mlflow_run_id)) for k in ("quick", "slow")))
    beside = hurdle(both, "champion")
    assert beside.value == pytest.approx(mine - theirs, rel=1e-9)
    assert beside.passed == (beside.low > 0)
    with pytest.raises(DataError, match="'trend' is a registered strategy; this is a model"):
        register(lab, learned(lab, 0.2), "trend")
    with pytest.raises(DataError, match="must not have / in it"):
        register(lab, runs["slow"].run_id, "oil/gas")

    passing = [promotion_gate.Hurdle("baseline", "Better", passed=True, sentence="For the test.", value=0.1)]
    monkeypatch.setattr(registry, "hurdles", lambda *_: passing)
    assert promote(lab, "trend", 2).outcome == "promoted"
    crowned = champions(lab)["trend"]
    assert (crowned.strategy, crowned.strategy_id, crowned.version) == (QUICK, QUICK.id, 2)
    used = reporting._version(runs["quick"], crowned)
    assert used is not None
    assert used.sentence == f"Decided by version 2 of trend, the champion since {crowned.since:%Y-%m-%d}."
    assert reporting._version(runs["slow"], crowned) is None
    said = recommended(runs["quick"], used)
    assert said.version == used
    assert used.sentence in said.reasons
    assert Recommendation.model_validate_json(said.model_dump_json()) == said
    assert recommended(runs["quick"], None).version is None
    daily = {"trend": SLOW, "pair": Pair(y="KO", x="PEP")}
    assert pipeline._led(daily, champions(lab)) == {"trend": QUICK, "pair": daily["pair"]}


def recommended(run: StrategyRun, version: VersionUsed | None) -> Recommendation:
    worlds = evaluate_in_worlds(run.strategy, SIMULATORS["gbm"](), run.panel, n=2, horizon=5, seed=1)
    explanation = run.strategy.explain(run.panel)
    return recommend(
        run.name,
        run.strategy,
        explanation,
        run.result,
        run.metrics,
        run.verdict,
        [worlds],
        costs=run.costs,
        version=version,
    )


def own_sharpe(run: StrategyRun, since: str) -> float:
    returns = run.result.equity.pct_change().loc[since:].to_numpy()
    return float(returns.mean() / returns.std(ddof=1) * np.sqrt(252))


def test_nothing_registered_and_no_such_version_say_what_there_is(lab: Session, runs: dict[str, StrategyRun]) -> None:
    with pytest.raises(DataError, match="Nothing is registered as 'nothing'"):
        promote(lab, "nothing")
    with pytest.raises(DataError, match="Nothing is registered as 'nothing'"):
        rollback(lab, "nothing")
    register(lab, runs["pair"].run_id, "the pair's")
    with pytest.raises(DataError, match="has no version 9; accepted: 1"):
        promote(lab, "the pair's", 9)
    with pytest.raises(DataError, match='no former champion of "the pair\'s" to go back to: it has no champion'):
        rollback(lab, "the pair's")


def test_the_line_of_champions_is_that_of_the_log() -> None:
    def line(*steps: tuple[str, int]) -> list[int]:
        given: Any = {"name": "x", "kind": "model", "mlflow_run_id": "r", "why": "w", "origin": "cli"}
        return registry._line(
            [Promotion(id=str(i), outcome=what, to_version=to, **given) for i, (what, to) in enumerate(steps)]
        )

    assert line(("promoted", 1), ("refused", 2), ("promoted", 3)) == [1, 3]
    assert line(("promoted", 1), ("promoted", 2), ("rolled back", 1), ("promoted", 3)) == [1, 3]
    assert line(("promoted", 1), ("promoted", 2), ("promoted", 1), ("rolled back", 2)) == [1, 2]
