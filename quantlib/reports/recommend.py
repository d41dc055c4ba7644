"""From a strategy's results to a recommendation: what to do, what to expect, and why, in words made from numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from quantlib.backtest import BacktestResult, WorldsResult
from quantlib.charts import fan_chart, outcome_histogram, series_color, signal_chart, weights_over_time
from quantlib.charts.numbers import bps, interval, percent, signed_percent
from quantlib.costs import AnyCosts, costs_of
from quantlib.reports.stance import stance
from quantlib.reports.types import (
    Check,
    MetricValue,
    Recommendation,
    SignalState,
    SimulatedOutcome,
    VerdictSummary,
    VersionUsed,
    WeightChange,
)
from quantlib.simulators import SIMULATORS
from quantlib.simulators.realism_card import RealismGrade
from quantlib.strategies import Explanation, Strategy
from quantlib.validation import Verdict


def recommend(
    name: str,
    strategy: Strategy,
    explanation: Explanation,
    result: BacktestResult,
    metrics: pd.DataFrame,
    verdict: Verdict,
    worlds: Sequence[WorldsResult],
    *,
    costs: AnyCosts,
    grades: Mapping[str, RealismGrade] | None = None,
    fragility: Sequence[str] = (),
    data_note: str = "",
    version: VersionUsed | None = None,
    horizon: int = 21,
) -> Recommendation:
    """Return the recommendation of one strategy at the last close of its backtest.

    Parameters
    ----------
    name
        What people call the strategy.
    explanation
        The strategy's own reasons at that close.
    result, metrics
        Its backtest up to that close, and the table of its metrics (value, ci_low, ci_high, n).
    verdict
        What validation made of it.
    worlds
        Its outcomes by simulator; the first gives the headline numbers. None where it cannot be run in them.
    costs
        Of all symbols or by symbol, for what a change would cost.
    grades
        How real the worlds are, by the simulator's name; unknown of those it lacks.
    fragility
        Sentences on what execution would have to be for the edge to be gone.
    version
        The champion this is; named among the reasons.
    horizon
        Sessions that a recommendation without worlds looks ahead.
    """
    now = stance(strategy.symbols, result)
    cost = sum(abs(c.change) * costs_of(c.symbol, costs).usual_side for c in now.changes)
    outcomes = tuple(_outcome(world, (grades or {}).get(world.simulator)) for world in worlds)
    first = outcomes[0] if outcomes else None
    return Recommendation(
        strategy_id=strategy.id,
        name=name,
        family=strategy.family,
        parameters=strategy.model_dump(mode="json"),
        as_of=result.equity.index[-1].date(),
        action=now.action,
        headline=now.headline,
        weights_now={s: w for s, w in now.wanted.items() if w},
        weights_before={s: w for s, w in now.held.items() if w},
        changes=now.changes,
        horizon_sessions=worlds[0].horizon if worlds else horizon,
        expected_value=first.mean if first else None,
        ev_low=first.mean_low if first else None,
        ev_high=first.mean_high if first else None,
        outcome_low=first.p05 if first else None,
        outcome_high=first.p95 if first else None,
        probability_of_loss=first.probability_of_loss if first else None,
        simulators=outcomes,
        signal=SignalState(
            name=explanation.signal,
            unit="percent" if explanation.unit == "percent" else "ratio",
            value=explanation.value,
            percentile=explanation.percentile,
        ),
        reasons=(
            *explanation.reasons,
            *(_simulation_reasons(worlds, outcomes) if worlds else [_no_worlds(strategy)]),
            _cost_reason(now.changes, cost),
            *_version_reason(version),
        ),
        invalidation=explanation.invalidation,
        cost=cost,
        metrics={
            str(key): MetricValue(value=row["value"], ci_low=row["ci_low"], ci_high=row["ci_high"], n=int(row["n"]))
            for key, row in metrics.to_dict(orient="index").items()
        },
        verdict=VerdictSummary(
            outcome=verdict.outcome,
            sentence=verdict.sentence,
            checks=tuple(
                Check(title=c.title, outcome=c.outcome, sentence=c.sentence, change=c.change) for c in verdict.checks
            ),
        ),
        fragility=tuple(fragility),
        data_note=data_note,
        version=version,
    )


def recommendation_figures(
    name: str,
    explanation: Explanation,
    result: BacktestResult,
    worlds: Sequence[WorldsResult],
) -> dict[str, go.Figure]:
    """Return the charts of what to expect and hold by their place in the report; its tear sheet has the others."""
    color = series_color(name)
    figures = {"weights": weights_over_time(result.weights)}
    if worlds:
        first = worlds[0]
        titles = {world.simulator: SIMULATORS[world.simulator].title for world in worlds}
        figures["outlook"] = fan_chart(
            result.equity, first.paths, first.dates, simulator=titles[first.simulator], color=color, what="Account"
        )
        figures["outcomes"] = outcome_histogram(
            {titles[w.simulator]: w.returns for w in worlds}, horizon=first.horizon, mean_interval=first.mean_interval
        )
    if (signal := signal_figure(explanation)) is not None:
        figures["signal"] = signal
    return figures


def signal_figure(explanation: Explanation) -> go.Figure | None:
    """Return the number a decision hangs on through time; None while it warms up."""
    if not explanation.series.notna().any().any():
        return None
    return signal_chart(
        explanation.series,
        explanation.levels,
        explanation.value,
        signal=explanation.signal,
        unit="percent" if explanation.unit == "percent" else "ratio",
        percentile=explanation.percentile,
    )


def _outcome(world: WorldsResult, grade: RealismGrade | None) -> SimulatedOutcome:
    low, high = world.mean_interval
    graded = {} if grade is None else {"grade": grade.letter, "grade_sentence": grade.sentence}
    return SimulatedOutcome(
        **graded,
        simulator=world.simulator,
        title=SIMULATORS[world.simulator].title,
        n=len(world.returns),
        mean=world.mean,
        mean_low=low,
        mean_high=high,
        p05=world.quantile(0.05),
        p50=world.quantile(0.5),
        p95=world.quantile(0.95),
        probability_of_loss=world.probability_of_loss,
    )


def _no_worlds(strategy: Strategy) -> str:
    why = f"they carry no {' and no '.join(strategy.extras)}, which it reads" if strategy.extras else "none were made"
    return f"What to expect is not known from simulated worlds: {why}."


def _simulation_reasons(worlds: Sequence[WorldsResult], outcomes: Sequence[SimulatedOutcome]) -> list[str]:
    first, world = outcomes[0], worlds[0]
    sentences = [
        f"In {first.n:,} worlds of the {first.title.lower()} the account makes "
        f"{interval(first.mean, first.mean_low, first.mean_high, signed=True)} on average over {world.horizon} "
        f"sessions, and loses in {percent(first.probability_of_loss, 0)} of them; holding the symbols in equal parts "
        f"makes {signed_percent(float(world.hold.mean()))}.",
        f"How real: those worlds are graded {first.grade_sentence.removeprefix('Grade ')}.",
    ]
    for other in outcomes[1:]:
        agrees = (other.mean > 0) == (first.mean > 0)
        word = "agrees on the sign" if agrees else "disagrees on the sign, so do not lean on it"
        mean = f"{signed_percent(other.mean, 2)} on average"
        sentences.append(f"The {other.title} simulator {word}: {mean}, in worlds graded {other.grade}.")
    return sentences


def _version_reason(version: VersionUsed | None) -> list[str]:
    return [] if version is None else [version.sentence]


def _cost_reason(changes: Sequence[WeightChange], cost: float) -> str:
    if not changes:
        return "Doing nothing costs nothing."
    traded = sum(abs(change.change) for change in changes)
    return f"The change costs about {bps(cost)} of equity, at {bps(cost / traded)} of every amount traded."
