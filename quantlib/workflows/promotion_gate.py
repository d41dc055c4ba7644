"""The gate before a champion: what a candidate has to show out of sample, each with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from quantlib.backtest.result import active_returns
from quantlib.charts.numbers import ratio
from quantlib.errors import DataError
from quantlib.metrics import ENOUGH, sharpe_ratio
from quantlib.ml.scores import LOSS, gain_interval, gain_over, score
from quantlib.ml.targets.target import Kind
from quantlib.validation import validate
from quantlib.validation.nulls import beside, hold
from quantlib.validation.rival_checks import gap_low
from quantlib.workflows.holdout import holdout_start
from quantlib.workflows.ledger import models_tried, trials_of
from quantlib.workflows.model_records import PREDICTIONS
from quantlib.workflows.rerunning import RunAgain, kind_of, run_again
from quantlib.workflows.research import shared_panel
from quantlib.workflows.run_records import costs_from
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import ReadRun

#: Sessions that a run may lack of the newest prices: they go on while it is being thought about.
LATE = 21


@dataclass(frozen=True)
class Hurdle:
    """One thing a candidate has to show.

    Parameters
    ----------
    key, title
        Which.
    passed
        Whether it did.
    sentence
        Why, with the numbers.
    value, low
        By how much it is better, and the low end of the interval of that; NaN where it is not measured.
    """

    key: str
    title: str
    passed: bool
    sentence: str
    value: float = float("nan")
    low: float = float("nan")


def hurdles(session: Session, candidate: ReadRun, champion: ReadRun | None) -> list[Hurdle]:
    """Return what a candidate had to show to become the champion, and whether it did.

    A model has to beat every yardstick, and the champion on the rows that both were asked about, by more than chance
    (Diebold-Mariano on the losses out of sample). The more models were tried of what it predicts, the more it has to
    show: 5 % is the chance that the best of them all passes without an edge (Bonferroni). A strategy has to be made
    again as it was stored, see nothing of the future, show an edge that is not refuted after all trials of its idea,
    and over the whole hold-out earn more for its risk than cash and its symbols in equal parts, and than the champion
    by more than chance. Without a champion there is only the rest.

    Raises
    ------
    DataError
        A run was logged before this could be done, or the prices it was made on are no longer there.
    """
    of_kind = _of_model if candidate.kind == "model" else _of_strategy
    return of_kind(session, candidate, champion)


def _of_model(session: Session, candidate: ReadRun, champion: ReadRun | None) -> list[Hurdle]:
    said, kind, lags = _predictions(session, candidate), kind_of(candidate), int(candidate.tags["lags"])
    tried = max(models_tried(session, candidate.tags["target"]), 1)
    scheme = candidate.params.get("scheme", "unknown")
    foretold = candidate.tags.get("foretold") == "True"
    found = [
        Hurdle(
            "foretold",
            "Out of sample in time",
            foretold,
            "Every prediction was made by a model that had seen only what came before it."
            if foretold
            else f"It was evaluated by {scheme}, where models learn from later sessions too; evaluate it with "
            "walk_forward.",
        )
    ]
    for name in (name for name in ("prior", "naive") if name in said):
        words = "the base rate" if name == "prior" else "the last known value"
        found.append(_lower_loss("baseline" if name == "prior" else name, said, name, words, kind, lags, tried))
    if champion is None:
        return found
    theirs = _predictions(session, champion)
    shared = _one_each(said).join(_one_each(theirs).add_suffix("_theirs"), how="inner")
    about = [run.tags.get("predicts", "unknown") for run in (candidate, champion)]
    if about[0] != about[1] or shared.empty or not shared["label"].equals(shared["label_theirs"].rename("label")):
        why = "no row was asked of both" if shared.empty else f"it is about {about[0]}, the champion about {about[1]}"
        if about[0] == about[1] and not shared.empty:
            why = "the labels of the rows both were asked about differ, so the prices did"
        sentence = f"It cannot be compared with the champion: {why}. Register it under another name, or train it anew."
        return [*found, Hurdle("champion", "Better than the champion", passed=False, sentence=sentence)]
    beside_it = shared.rename(columns={"prediction_theirs": "champion"})
    return [*found, _lower_loss("champion", beside_it, "champion", "the champion", kind, lags, tried)]


def _lower_loss(key: str, said: pd.DataFrame, other: str, words: str, kind: Kind, lags: int, tried: int) -> Hurdle:
    """Return whether predictions have a lower loss than those in another column, by more than the luck of the best."""
    confidence = 1.0 - 0.05 / tried
    gain, low, high = gain_over(said, other, kind, lags=lags, confidence=confidence)
    loss = LOSS[kind]
    mine, theirs = (score(said["label"].to_numpy(), said[c].to_numpy(), kind)[loss] for c in ("prediction", other))
    among = f", which is 95 % for the best of {tried} models tried" if tried > 1 else ""
    between = f"{gain_interval(low, high, '.3g', confidence=confidence)}{among}"
    sentence = (
        f"{loss.replace('_', ' ').capitalize()} {mine:.5g} against {theirs:.5g} for {words} on {len(said):,} rows: "
        f"{'lower' if gain > 0 else 'not lower'} by {gain:.3g} ({between})"
    )
    passed = low > 0
    tail = "more than chance explains." if passed else "chance explains it." if gain > 0 else "it is no better."
    title = f"Better than {words}"
    return Hurdle(key, title, passed, f"{sentence}; {tail}", gain, low)


def _one_each(said: pd.DataFrame) -> pd.DataFrame:
    """Return one prediction a session and symbol: combinatorial folds ask several times."""
    return said.groupby(level=["ts", "symbol"])[["label", "prediction"]].mean()


def _predictions(session: Session, run: ReadRun) -> pd.DataFrame:
    if "lags" not in run.tags:
        raise DataError(f"Run {run.name!r} was logged before predictions were kept with it. Train the model anew.")
    return session.tracker.read_parquet(run.id, PREDICTIONS)


def _of_strategy(session: Session, candidate: ReadRun, champion: ReadRun | None) -> list[Hurdle]:
    again, since = run_again(session, candidate), pd.Timestamp(holdout_start(session))
    looks = candidate.tags.get("look_ahead", "unknown")
    found = [
        Hurdle(
            "look_ahead",
            "Sees nothing of the future",
            looks == "pass",
            "Cutting the future off changes no decision of its past."
            if looks == "pass"
            else f"Its leak certificate says {looks}: decisions of the past change with what came later.",
        )
    ]
    costs = costs_from(again.terms["costs"])
    terms: dict[str, Any] = {key: again.terms[key] for key in ("cash", "lag", "seed")}
    idea = candidate.tags.get("idea") or again.strategy.idea  # runs of before there were ideas have none
    trials = trials_of(session, idea, again.terms.get("models", ()))
    verdict = validate(again.strategy, again.panel, costs=costs, result=again.result, trials=trials, **terms)
    found.append(Hurdle("edge", "An edge that is not refuted", verdict.edge != "fail", verdict.sentence))
    found.append(_whole_holdout(session, again, since))
    mine = active_returns(again.result)
    held = hold(again.panel.select(again.strategy.symbols), costs, mine.index[0], rebalanced=False)
    own, theirs = beside(mine, held)
    found.append(_more_for_its_risk("baseline", again, own, theirs, "its symbols in equal parts", since, surely=False))
    if champion is not None:
        other = active_returns(run_again(session, champion).result)
        found.append(_more_for_its_risk("champion", again, mine, other, "the champion", since, surely=True))
    return found


def _whole_holdout(session: Session, again: RunAgain, since: pd.Timestamp) -> Hurdle:
    """Return whether a run covers all of the hold-out that its symbols have prices of: who may choose, chooses luck."""
    all_there_is = shared_panel(session, again.strategy.inputs).index
    first, last = again.panel.index[0], again.panel.index[-1]
    begins, missing = max(since, all_there_is[0]), int((all_there_is > last).sum())
    passed = first <= begins and missing <= LATE
    sentence = f"It ran from {first:%Y-%m-%d} to {last:%Y-%m-%d}; the hold-out begins on {since:%Y-%m-%d}"
    if not passed:
        sentence += (
            f", and prices end on {all_there_is[-1]:%Y-%m-%d}. Run it from before the hold-out to within {LATE} "
            "sessions of the last one, and register that run"
        )
    return Hurdle("whole_holdout", "Over the whole hold-out", passed, f"{sentence}.")


def _more_for_its_risk(
    key: str, again: RunAgain, mine: pd.Series, theirs: pd.Series, words: str, since: pd.Timestamp, *, surely: bool
) -> Hurdle:
    """Return whether the Sharpe ratio over the hold-out is above another's; `surely`, by more than chance."""
    title = f"Better for its risk than {words}"
    shared = pd.concat({"mine": mine, "theirs": theirs}, axis=1, join="inner").loc[since:]
    if len(shared) < ENOUGH:
        sentence = (
            f"{len(shared)} sessions from {since:%Y-%m-%d} on, where the hold-out begins, are shared with {words}; "
            f"{ENOUGH} are the least to compare."
        )
        return Hurdle(key, title, passed=False, sentence=sentence)
    periods = again.result.periods_per_year
    own, other = (sharpe_ratio(shared[column], periods_per_year=periods) for column in ("mine", "theirs"))
    low = gap_low(shared["mine"], shared["theirs"], periods, int(again.terms["seed"]))
    passed = bool(low > 0) if surely else bool(own > max(other, 0.0))
    tail = (
        "and it earned less than cash."
        if not surely and own <= 0
        else "more than chance explains."
        if low > 0
        else "within what chance explains."
        if own > other
        else "it is no better."
    )
    sentence = (
        f"Sharpe ratio {ratio(own)} against {ratio(other)} for {words} over {len(shared):,} sessions of the hold-out "
        f"from {shared.index[0]:%Y-%m-%d}; {tail}"
    )
    return Hurdle(key, title, passed, sentence, own - other, low)
