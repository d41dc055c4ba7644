"""A report as the pipeline would make it, built from the real sample prices with a few lines of pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.metrics import monthly_table
from quantlib.reports import (
    Check,
    MetricValue,
    Provenance,
    Recommendation,
    Report,
    SignalState,
    SimulatedOutcome,
    VerdictSummary,
    WeightChange,
)
from quantlib.types import Panel

HORIZON, WORLDS = 21, 400


def _paths(returns: pd.Series, seed: int, *, normal: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    past = returns.to_numpy()[-1000:]
    draws = rng.normal(past.mean(), past.std(), (WORLDS, HORIZON)) if normal else rng.choice(past, (WORLDS, HORIZON))
    return np.concatenate([np.ones((WORLDS, 1)), np.cumprod(1 + draws, axis=1)], axis=1)


def _outcome(title: str, paths: np.ndarray) -> SimulatedOutcome:
    end = paths[:, -1] - 1
    error = 1.96 * end.std(ddof=1) / np.sqrt(len(end))
    low, middle, high = np.quantile(end, [0.05, 0.5, 0.95])
    return SimulatedOutcome(
        simulator=title.lower().replace(" ", "_"),
        title=title,
        n=len(end),
        mean=end.mean(),
        mean_low=end.mean() - error,
        mean_high=end.mean() + error,
        p05=low,
        p50=middle,
        p95=high,
        probability_of_loss=(end < 0).mean(),
        grade="F" if "Brownian" in title else "A",
        grade_sentence=f"Grade {'F: tails too thin' if 'Brownian' in title else 'A: not told from history'}",
    )


def _one(
    panel: Panel, name: str, family: str, weights: pd.DataFrame, signal: pd.Series, **words: Any
) -> tuple[Recommendation, dict[str, Any]]:
    returns = (weights.shift(1) * panel.returns()).sum(axis=1)
    equity = (1 + returns).cumprod() * 1e6
    hold = (1 + panel.returns()[weights.columns].mean(axis=1).fillna(0)).cumprod()
    worlds = {"Stationary bootstrap": _paths(returns, 7), "Geometric Brownian motion": _paths(returns, 8, normal=True)}
    outcomes = tuple(_outcome(title, paths) for title, paths in worlds.items())
    first = outcomes[0]
    now, before = weights.iloc[-1], weights.iloc[-2]
    sharpe = returns.mean() / returns.std() * np.sqrt(252)
    cagr = (equity.iloc[-1] / equity.iloc[0]) ** (252 / len(equity)) - 1
    color = charts.series_color(name)
    level = words.pop("levels")
    recommendation = Recommendation(
        strategy_id=f"{family}-0123456789",
        name=name,
        family=family,
        parameters={"lookback": 126, "universe": list(weights.columns)},
        as_of=panel.index[-1].date(),
        weights_now=now.to_dict(),
        weights_before=before.to_dict(),
        changes=tuple(
            WeightChange(symbol=s, before=before[s], after=now[s]) for s in now.index if abs(now[s] - before[s]) > 1e-9
        ),
        horizon_sessions=HORIZON,
        expected_value=first.mean,
        ev_low=first.mean_low,
        ev_high=first.mean_high,
        outcome_low=first.p05,
        outcome_high=first.p95,
        probability_of_loss=first.probability_of_loss,
        simulators=outcomes,
        signal=SignalState(
            name=str(signal.name), unit="ratio", value=signal.iloc[-1], percentile=signal.rank(pct=True).iloc[-1]
        ),
        cost=float((now - before).abs().sum()) * 3e-4,
        metrics={
            "cagr": MetricValue(value=cagr, ci_low=cagr - 0.06, ci_high=cagr + 0.06, n=len(returns)),
            "volatility": MetricValue(value=returns.std() * np.sqrt(252), ci_low=0.11, ci_high=0.19, n=len(returns)),
            "sharpe_ratio": MetricValue(value=sharpe, ci_low=sharpe - 0.7, ci_high=sharpe + 0.7, n=len(returns)),
            "max_drawdown": MetricValue(value=(equity / equity.cummax() - 1).min(), n=len(returns)),
            "turnover": MetricValue(value=float("nan")),
        },
        verdict=VerdictSummary(
            outcome="weak",
            sentence="The record does not show an edge beyond doubt: 2 checks passed, 1 weak, 1 failed.",
            checks=(
                Check(title="No look-ahead", outcome="pass", sentence="No decision changed at 40 cut-off sessions."),
                Check(title="Sharpe ratio above zero", outcome="weak", sentence="The interval includes zero."),
                Check(
                    title="Beats holding", outcome="fail", sentence="Holding the same symbols made 2.1 % more a year."
                ),
                Check(title="Survives doubled costs", outcome="pass", sentence="Still 3.0 % a year at twice the cost."),
            ),
        ),
        fragility=("The edge is gone at 11.00 bps a side.", "It has no stop and target that could meet in one bar."),
        data_note="Only closes are known, so orders fill at the next close.",
        **words,
    )
    figures = {
        "outlook": charts.fan_chart(
            equity,
            worlds["Stationary bootstrap"],
            pd.DatetimeIndex([panel.index[-1], *panel.next_sessions(HORIZON)]),
            simulator="stationary bootstrap",
            color=color,
        ),
        "outcomes": charts.outcome_histogram({k: p[:, -1] - 1 for k, p in worlds.items()}, horizon=HORIZON),
        "signal": charts.signal_chart(
            signal.to_frame(), level, float(signal.iloc[-1]), signal=str(signal.name), percentile=0.83
        ),
        "record": charts.stack(
            [
                charts.equity_curves({name: equity}, hold, log=True, colors={name: color}),
                charts.drawdown({name: equity}, colors={name: color}, height=150),
            ]
        ),
        "months": charts.monthly_heatmap(monthly_table(returns)),
        "costs": charts.cost_parts(pd.DataFrame({"commission": [9.0], "spread": [18.0], "borrow": [2.0]}), 1e5),
        "delay": charts.by_delay(
            pd.DataFrame({"value": [0.5, 0.4], "ci_low": 0.1, "ci_high": 0.9}, index=[1, 2]), name=name
        ),
        "weights": charts.weights_over_time(weights.tail(756)),
    }
    return recommendation, figures


def make_report(stocks: Panel) -> Report:
    """Return a report on three strategies over the last eight years of the sample."""
    panel = stocks.tail(2000)
    close = panel.frame()
    gap = (close["MSFT"].rolling(50).mean() / close["MSFT"].rolling(200).mean() - 1).rename("Gap of averages") * 100
    trend = pd.DataFrame({"MSFT": (gap > 0).astype(float)}, index=close.index)
    log_ratio = np.log(close["KO"] / close["PEP"])
    z = ((log_ratio - log_ratio.rolling(120).mean()) / log_ratio.rolling(120).std()).rename("Spread z")
    side = -np.sign(z) * (z.abs() > 1.5) * 0.5
    pair = pd.DataFrame({"KO": side, "PEP": -side}).fillna(0.0)
    momentum = close[["AAPL", "JPM", "KO", "LLY", "MRK", "XOM"]].pct_change(126)
    rotation = momentum.eq(momentum.max(axis=1), axis=0).astype(float).iloc[::21].reindex(close.index).ffill().fillna(0)
    rotation.iloc[-1] = [0, 0, 0, 0.5, 0.5, 0]
    made = [
        _one(
            panel,
            "Large-cap trend",
            "ma_cross",
            trend,
            gap,
            action="stay out",
            headline="Stay out of MSFT: its 50-session average is 7.7 % below the 200-session one.",
            reasons=(
                "MSFT's 50-session average is 7.7 % below its 200-session average.",
                "The gap has been this low or lower on 6 % of past sessions.",
            ),
            invalidation="A rise of the short average above the long one turns the position around.",
            levels={"cross": 0.0},
        ),
        _one(
            panel,
            "Coke against Pepsi",
            "pair",
            pair,
            z,
            action="hold",
            headline="Hold no spread: it stands 0.5 standard deviations from its mean, and entry is at 1.5.",
            reasons=("KO is dear against PEP: the spread stands 0.49 standard deviations above its mean.",),
            invalidation="A trade starts when the spread reaches 1.5, which is 1.01 away.",
            levels={"enter short": 1.5, "enter long": -1.5},
        ),
        _one(
            panel,
            "Factor ETF switch",
            "rotation",
            rotation,
            momentum.max(axis=1).rename("Lead of the strongest"),
            action="rebalance",
            headline="Split the holding between LLY and MRK, the two strongest over six months.",
            reasons=(
                "MRK is strongest: +21.4 % over 126 sessions, against +15.9 % for LLY.",
                "Held since the last monthly choice: XOM.",
            ),
            invalidation="If XOM gains 3.1 % on MRK before the next month starts, the choice switches back.",
            levels={"cash": 0.0},
        ),
    ]
    ids = {rec.name: rec.strategy_id for rec, _ in made}
    return Report(
        title="What to hold after 2022-12-28",
        as_of=panel.index[-1].date(),
        recommendations=tuple(rec for rec, _ in made),
        figures={rec.strategy_id: figures for rec, figures in made},
        provenance=Provenance(
            source="sample",
            data_label="sample ending 2022-12-28",
            is_sample=True,
            universe="20 US large caps",
            snapshots={"20 US large caps": panel.snapshot_id},
            strategies=ids,
            code_version="0.1.0+0badc0de",
            seed=7,
            worlds=WORLDS,
            horizon_sessions=HORIZON,
            simulators=("Stationary bootstrap", "Geometric Brownian motion"),
            costs="1.0 bps commission and 2.0 bps half spread a side",
        ),
    )


@pytest.fixture(scope="session")
def report(stocks: Panel) -> Report:
    """Return the sample report."""
    return make_report(stocks)
