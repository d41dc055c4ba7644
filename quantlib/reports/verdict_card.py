"""A verdict as a card: its checks and what their figures draw, small enough to be stored and sent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult, active_returns
from quantlib.charts.sensitivity import LEAST
from quantlib.charts.thinning import thin
from quantlib.reports.verdict_types import (
    Around,
    CardCheck,
    Cut,
    Entries,
    Forward,
    Leaks,
    Luck,
    Part,
    Series,
    VerdictCard,
)
from quantlib.types import FloatArray
from quantlib.validation import (
    Evidence,
    Overfitting,
    Plateau,
    ReturnMoments,
    Trials,
    Verdict,
    WalkForward,
    deflated_sharpe,
    luck_hurdle,
)
from quantlib.validation.record_checks import moments_of

#: Days of a growth curve that are kept.
POINTS = 400
BINS = 40
"""Bars of the histogram of logits; an even number."""
#: Numbers of independent trials that the hurdle is drawn for.
_STEPS = 25
_REACH = 1.959963984540054  # standard errors of a 95 % interval


def verdict_card(
    verdict: Verdict, result: BacktestResult, trials: Trials, *, holding: pd.Series | None = None, **about: Any
) -> VerdictCard:
    """Return the card of a verdict; all Sharpe ratios on it are of a year.

    Parameters
    ----------
    verdict
        Quick or deep; a quick one has no figures but that of luck.
    result
        The backtest that was judged.
    trials
        How much was tried of the idea.
    holding
        Equity of holding the same symbols, to be drawn beside the strategy.
    about
        The fields of the card that say what was judged, on what.
    """
    returns, periods = active_returns(result), result.periods_per_year
    moments = moments_of(returns) if len(returns) and not result.trades.empty else None
    traded = float(result.trades["notional"].abs().sum())
    certificate = verdict.certificate
    return VerdictCard(
        outcome=verdict.outcome,
        edge=verdict.edge,
        sentence=verdict.sentence,
        checks=tuple(
            CardCheck(
                key=c.key, title=c.title, outcome=c.outcome, value=float(c.value), sentence=c.sentence, change=c.change
            )
            for c in verdict.checks
        ),
        complete=verdict.complete,
        leaks=Leaks(
            passed=certificate.passed,
            checked=certificate.checked,
            decisions=certificate.decisions,
            sentence=certificate.sentence,
            sessions=tuple(day.date() for day in certificate.leaks[:20]),
        ),
        luck=None if moments is None else _luck(moments, trials, periods),
        cost=1e4 * float(result.trades["cost"].sum()) / traded if traded > 0 else None,
        growth=_growth(result, verdict.evidence, holding),
        **({} if verdict.evidence is None else _drawn(verdict.evidence, periods)),
        **about,
    )


def _luck(moments: ReturnMoments, trials: Trials, periods: int) -> Luck:
    """Return what luck alone shows, at the count there is and at others."""
    year, known = math.sqrt(periods), {"variance": trials.variance_over(moments.n)}
    effective = max(trials.effective, 1.0)
    numbers = np.geomspace(1.0, max(10.0 * trials.n, 100.0), num=_STEPS)
    reach = _REACH * math.sqrt(moments.stretch / (moments.n - 1))
    return Luck(
        n=max(trials.n, 1),
        effective=effective,
        sharpe=moments.sharpe * year,
        low=(moments.sharpe - reach) * year,
        high=(moments.sharpe + reach) * year,
        hurdle=luck_hurdle(moments, n_trials=effective, **known) * year,
        probability=deflated_sharpe(moments, n_trials=effective, **known),
        numbers=tuple(float(f"{number:.6g}") for number in numbers),
        hurdles=tuple(luck_hurdle(moments, n_trials=float(number), **known) * year for number in numbers),
    )


def _drawn(evidence: Evidence, periods: int) -> dict[str, Any]:
    """Return the fields of a card that figures draw."""
    year = math.sqrt(periods)
    paths, entries = evidence.paths, evidence.entries
    ways = [way for way in (evidence.anchored, evidence.rolling) if way is not None]
    return {
        "variants": evidence.variants.sentence,
        "forward": tuple(_forward(way, year) for way in ways),
        "paths": () if paths is None else _scaled(paths.sharpes, year),
        "paths_in_sample": None if paths is None else float(paths.splits["in_sample"].mean()) * year,
        "logits": None if evidence.overfitting is None else _logits(evidence.overfitting),
        "around": None if evidence.plateau is None else _around(evidence.plateau, year),
        "subperiods": _parts(evidence.subperiods, year),
        "regimes": _parts(evidence.regimes, year),
        "entries": None
        if entries is None
        else Entries(sharpe=entries.sharpe * year, others=_scaled(entries.others, year), p_value=entries.p_value),
        "break_even": evidence.break_even,
    }


def _forward(way: WalkForward, year: float) -> Forward:
    in_sample = float(way.steps["in_sample"].mean()) * year
    return Forward(
        anchored=way.anchored,
        choices=len(way.steps),
        in_sample=in_sample,
        out_of_sample=way.sharpe * year,
        kept=way.kept if in_sample >= LEAST else None,
    )


def _logits(found: Overfitting) -> Cut:
    reach = max(float(np.abs(found.logits).max()), 1.0)  # the same to both sides, so that 0 is an edge
    counts, edges = np.histogram(found.logits, bins=BINS, range=(-reach, reach))
    return Cut(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), below=found.probability)


def _around(found: Plateau, year: float) -> Around:
    table = found.table
    names = [str(name) for name in table if name not in ("sharpe", "near")]
    values = {name: tuple(_plain(value) for value in table[name].tolist()) for name in names}
    sharpes = _scaled(table["sharpe"].to_numpy(dtype=np.float64), year)
    return Around(parameters=values, sharpes=sharpes, near=tuple(table["near"].tolist()), share=found.share)


def _plain(value: Any) -> float | int | str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, float | int | str) else str(value)


def _parts(table: pd.DataFrame | None, year: float) -> tuple[Part, ...]:
    if table is None:
        return ()
    values = table[["sharpe", "low", "high"]].to_numpy(dtype=np.float64) * year
    rows = zip(table.index, values.tolist(), table["n"].to_numpy().tolist(), strict=True)
    return tuple(Part(name=str(name), sharpe=sharpe, low=low, high=high, n=n) for name, (sharpe, low, high), n in rows)


def _growth(result: BacktestResult, evidence: Evidence | None, holding: pd.Series | None) -> Series | None:
    """Return growth of the strategy, of choosing by the past, and of holding, each of 1 at its own beginning."""
    returns = active_returns(result)
    if returns.empty or result.trades.empty:
        return None
    curves = {"The strategy": (1.0 + returns).cumprod()}
    if evidence is not None:
        ways = {"Chosen by all the past": evidence.anchored, "Chosen by the latest past": evidence.rolling}
        curves |= {name: (1.0 + way.returns).cumprod() for name, way in ways.items() if way is not None}
    if holding is not None:
        curves["Holding"] = holding / holding.iloc[0]
    frame = thin(pd.DataFrame(curves).loc[returns.index[0] :], POINTS)
    return Series(
        days=tuple(day.date() for day in frame.index),
        curves={str(name): tuple(_digits(column.to_numpy(dtype=np.float64))) for name, column in frame.items()},
    )


def _scaled(values: FloatArray, year: float) -> tuple[float | None, ...]:
    return tuple(_digits(np.asarray(values, dtype=np.float64) * year))


def _digits(values: FloatArray) -> list[float | None]:
    """Return numbers to six digits, which a chart shows, with None for the unknown."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
