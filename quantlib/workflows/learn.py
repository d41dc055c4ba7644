"""Learning: train models on what lies before the hold-out, count them, and keep what they foretold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quantlib.errors import DataError, QuantError
from quantlib.ml import MODELS, Examples, ModelResult, WalkForward, build_examples, evaluate
from quantlib.ml.calibrated import Method
from quantlib.ml.features import USUAL
from quantlib.ml.models import model_of
from quantlib.ml.schemes import Scheme
from quantlib.ml.search import search
from quantlib.ml.simulated import Worlds, learning_from_worlds
from quantlib.ml.training import Fit
from quantlib.models.trials import Trial
from quantlib.simulators import SIMULATORS
from quantlib.store import RunRecord, save_runs
from quantlib.strategies import Strategy
from quantlib.types import DateLike, Panel
from quantlib.workflows.fits import fits_recorded
from quantlib.workflows.foretelling import Foretold, foretell
from quantlib.workflows.holdout import end_before_holdout
from quantlib.workflows.jobs import start_job
from quantlib.workflows.ledger import Running, is_done, model_trial, recorded
from quantlib.workflows.model_inputs import ModelInputs
from quantlib.workflows.model_records import logged_model, model_numbers
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.registry import Version, check_name, register, versions
from quantlib.workflows.research import hindsight, load_panel
from quantlib.workflows.run_records import remember_strategy, stored_run
from quantlib.workflows.session import Session
from quantlib.workflows.training import SEARCH_SCHEME, Training

Progress = Callable[[int, int, str], None]

#: What the baseline models predict, and the idea that they are trials of.
TARGET = "direction"


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model that was trained, registered and asked about today.

    Parameters
    ----------
    run_id, mlflow_run_id
        Where it is kept.
    version
        What it is registered as: the candidate of its name.
    verdict, warnings
        What its scores out of sample say, and what speaks against them.
    scores
        Its scores, those of the yardsticks, and the gain with its interval.
    foretold
        What it says of the sessions up to today, and whether they still look like those it learned from.
    """

    run_id: str
    mlflow_run_id: str
    version: Version
    verdict: str
    warnings: tuple[str, ...]
    scores: Mapping[str, float]
    foretold: Foretold


def train_model(
    session: Session,
    symbols: Iterable[str],
    *,
    name: str,
    model: str = "logistic",
    target: str = TARGET,
    features: Iterable[str] = USUAL,
    scheme: str | Scheme = "walk_forward",
    horizon: int = 5,
    every: int | None = None,
    tune: int = 0,
    worlds: str | None = None,
    calibrate: Method | None = None,
    macro: Iterable[str] = (),
    side: str | Strategy | None = None,
    open_holdout: bool = False,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> TrainedModel:
    """Return a model trained on what lies before the hold-out, scored out of sample, counted, logged and registered.

    The same model on the same prices by the same code is trained once; asked for again it is only asked about today.
    It is one trial, and each set of parameters that a search tries is one more; folds are none.

    Parameters
    ----------
    symbols
        What to learn from, all together.
    name
        What it is registered under; its predictions are stored under it too.
    model, target, features, scheme
        Keys of `MODELS`, `TARGETS`, `FEATURES` and `SCHEMES`; a scheme may be one of your own making.
    horizon
        Sessions a label looks ahead.
    every
        See `quantlib.ml.evaluate`.
    tune
        Sets of parameters to try before; 0 takes the model as it stands. Under a walk-forward they are tried on the
        sessions before its first test alone, so the scores are of sessions that the search has not seen.
    worlds
        Key of `SIMULATORS`: learn from its worlds beside history. Needs a walk-forward.
    calibrate
        Put probabilities right: "isotonic" or "sigmoid".
    macro
        Macro series to learn from too, each as it had been released by the close; they bring the group `macro`.
    side
        Of a meta-label: the name of the strategy whose trades the model judges, saved or ready, or the strategy. Its
        side is the sign of what it decided at each close, whatever its stops did later.
    open_holdout
        Whether to learn from the hold-out and be scored on it too; a person who does is counted.
    on_progress
        Called with (steps done, all steps, what is at work).
    cancelled
        Asked after each fit; once it says yes the training stops, and does not count.

    Raises
    ------
    DataError
        A name is unknown or cannot be registered, a count is out of range, or the prices are too few.
    QuantError
        It was cancelled.

    Examples
    --------
    >>> made = train_model(session, ["KO", "PEP"], name="up or down", tune=10)  # doctest: +SKIP
    >>> print(made.verdict)  # doctest: +SKIP
    """
    asked = Training(
        model, target, tuple(features), scheme, horizon, every, tune, worlds, calibrate, tuple(macro), side
    )  # fmt: skip
    _check_name(session, name)
    inputs = ModelInputs.checked(session, symbols, asked.macro, side)
    if inputs.judged is not None:
        asked = replace(asked, side=inputs.judged.strategy)
    engine, seed = session.settings.engine, session.settings.seed
    if engine == "ray" and session.origin != "pipeline":
        session = session.asked(origin="ray")
    panel = load_panel(session, inputs.symbols, end=None if open_holdout else end_before_holdout(session, None))
    panel = inputs.on(session, panel)
    content = {**asked.record, "seed": seed}
    trial = model_trial(session, panel, target=target, name=name, params=content)
    run_id = content_id(
        "model", {"snapshot": panel.snapshot_id, "code": code_version(), "grade": panel.grade, **content}
    )
    made = stored_run(session, run_id)
    steps = _Steps(asked.tune * (SEARCH_SCHEME.k + 1) + 4, on_progress, cancelled)
    with recorded(session, trial) as running:
        running.run_id = run_id
        if made is None or not session.tracker.exists or not is_done(session, trial):
            steps.tell("Features and labels")
            examples = asked.examples(panel)
            steps.all += len(asked.folds(examples))
            params = _searched(session, trial, asked, examples, steps) if asked.tune else {}
            result = _evaluated(session, asked, panel, examples, params, steps)
            choice = {"worlds": worlds or "no", "tune": tune}
            if inputs.judged is not None:
                choice["judges"] = inputs.judged.name
                remember_strategy(session, inputs.judged.name, inputs.judged.strategy)
            made = _log(session, trial, running, result, examples, panel, inputs, choice=choice)
        assert made.mlflow_run_id is not None  # noqa: S101  every model is logged
        running.mlflow_run_id = made.mlflow_run_id
        steps.done = steps.all - 2
        steps.tell("Register it, having asked it again")
        version = register(session, made.mlflow_run_id, name)
        steps.next("Ask it about the sessions up to today")
        foretold = foretell(session, version)
        save_runs(session.store, [made])  # at last: what is read again when this changes finds all of it
        steps.next("")
    said, notes = str(made.params["verdict"]), tuple(made.params.get("warnings", ()))
    return TrainedModel(run_id, made.mlflow_run_id, version, said, notes, made.metrics, foretold)


def start_training(
    session: Session, symbols: Iterable[str], *, name: str, reason: str = "asked for", **settings: Any
) -> int:
    """Return the number of the job that will train a model; settings are those of `train_model`, refused here if wrong.

    Raises
    ------
    DataError
        As in `train_model`, as far as it can be told without prices.
    """
    asked = Training.checked(**{key: value for key, value in settings.items() if key not in {"idea", "open_holdout"}})
    inputs = ModelInputs.checked(session, symbols, asked.macro, asked.side)
    args = {"name": name, "symbols": list(inputs.symbols), **settings}
    return start_job(session, "train", args, reason=reason).id


def _check_name(session: Session, name: str) -> None:
    """Refuse a name before any work that could not be registered after it."""
    check_name(name)
    if any(one.kind != "model" for one in versions(session, name)):
        raise DataError(f"{name!r} is a registered strategy. Give the model another name.")


@dataclass
class _Steps:
    """How far a training is, told after each fit; raises where it is to stop."""

    all: int
    on_progress: Progress | None
    cancelled: Callable[[], bool] | None
    done: int = 0

    def next(self, doing: str) -> None:
        self.done += 1
        self.tell(doing)

    def tell(self, doing: str) -> None:
        if self.cancelled is not None and self.cancelled():
            raise QuantError(f"The training was stopped, as asked, after {self.done} of {self.all} steps.")
        if self.on_progress is not None:
            self.on_progress(min(self.done, self.all), self.all, doing)


def _searched(session: Session, trial: Trial, asked: Training, examples: Examples, steps: _Steps) -> dict[str, Any]:
    """Return the best of the parameters tried, each set of them counted."""
    with fits_recorded(session, trial, asked.searched) as count:

        def on_fit(fit: Fit) -> None:
            count(fit.trial, fit.params, fit.outcome == "done" and fit.number < 0)
            if fit.outcome == "done":
                steps.next(f"Set {fit.trial + 1} of {asked.tune}")

        found = search(
            asked.to_search(examples),
            asked.model,
            scheme=SEARCH_SCHEME,
            trials=asked.tune,
            every=asked.every,
            seed=session.settings.seed,
            engine=session.settings.engine,
            on_fit=on_fit,
        )
    return found.params


def _evaluated(
    session: Session, asked: Training, panel: Panel, examples: Examples, params: dict[str, Any], steps: _Steps
) -> ModelResult:
    seed, train = session.settings.seed, None
    if asked.worlds is not None:
        worlds = Worlds(simulator=SIMULATORS[asked.worlds]())
        train = learning_from_worlds(panel, examples, asked.model, worlds, seed=seed, **params)

    def on_fit(fit: Fit) -> None:
        if fit.outcome == "done":
            steps.next("Fit on all labels" if fit.number < 0 else f"Fold {fit.number + 1}")

    result = evaluate(
        examples,
        asked.model,
        scheme=asked.cut,
        params=params,
        train=train,
        calibrate=asked.calibrate,
        every=asked.every,
        seed=seed,
        engine=session.settings.engine,
        on_fit=on_fit,
    )
    if asked.tune and not result.foretold:
        seen = (
            f"Its parameters are the best of {asked.tune} sets on sessions it is scored on too, so the scores flatter."
        )
        result = replace(result, warnings=(*result.warnings, seen))
    return result


def _log(
    session: Session,
    trial: Trial,
    running: Running,
    result: ModelResult,
    examples: Examples,
    panel: Panel,
    inputs: ModelInputs,
    *,
    choice: Mapping[str, Any],
) -> RunRecord:
    """Return the record of a trained model, which is logged; the record is not stored yet."""
    biased = {"selection_biased": bool(hindsight(session, panel)), "data_grade": panel.grade, **choice}
    logged = logged_model(session, result, examples, panel, inputs, idea=trial.idea, choice=biased)
    assert running.run_id is not None  # noqa: S101  set by whoever asks
    return RunRecord(
        id=running.run_id,
        kind="model",
        as_of=panel.index[-1].date(),
        snapshot_id=panel.snapshot_id,
        code_version=code_version(),
        seed=session.settings.seed,
        params={
            **result.parameters,
            **biased,
            "verdict": result.verdict,
            "yardstick": result.yardstick,
            "warnings": list(result.warnings),
        },
        metrics={k: v for k, v in model_numbers(result).items() if np.isfinite(v)},
        mlflow_run_id=session.tracker.log(logged),
    )


def train_models(
    session: Session,
    symbols: Iterable[str],
    *,
    models: Iterable[str] = ("logistic", "gradient_boosting"),
    as_of: DateLike | None = None,
    end: DateLike | None = None,
    open_holdout: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, ModelResult]:
    """Return the walk-forward result of each model over some symbols, stored and logged with the fitted model.

    Parameters
    ----------
    symbols
        What to learn from, all together.
    models
        Keys of `quantlib.ml.MODELS`; each is compared with the base rate.
    as_of
        Only what was known at the end of that day.
    end
        Last session.
    open_holdout
        Whether to learn from the hold-out and be scored on it too; a person who does is counted.
    on_progress
        Called with (models done, models to do).
    """
    end = end if open_holdout else end_before_holdout(session, None, end)
    panel = load_panel(session, symbols, end=end, as_of=as_of)
    wanted = [model_of(name).name for name in models]
    examples = build_examples(panel, TARGET)
    results = {}
    for i, name in enumerate(wanted):
        params = {**Training(name, TARGET).record, "seed": session.settings.seed}
        trial = model_trial(session, panel, target=TARGET, name=MODELS[name].title, params=params)
        with recorded(session, trial) as running:
            result = evaluate(examples, name, scheme=WalkForward(), seed=session.settings.seed)
            results[name] = result
            key = {"snapshot": panel.snapshot_id, "code": code_version(), "model": name, "grade": panel.grade}
            running.run_id = content_id("model", {**key, **result.parameters})
            if stored_run(session, running.run_id) is None or not session.tracker.exists:
                inputs = ModelInputs(panel.symbols)
                record = _log(session, trial, running, result, examples, panel, inputs, choice={})
                save_runs(session.store, [record])
                running.mlflow_run_id = record.mlflow_run_id
        if on_progress is not None:
            on_progress(i + 1, len(wanted))
    return results
