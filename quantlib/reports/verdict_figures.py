"""The figures of a verdict card: the same on the page, in the notebook, in MLflow and in the exported file."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import equity_curves, sweep_heatmap
from quantlib.charts.numbers import percent, ratio
from quantlib.charts.validation import (
    cost_room,
    forward_curves,
    luck_chart,
    overfitting_logits,
    parts_chart,
    plateau_line,
    spread_beside,
)
from quantlib.errors import DataError
from quantlib.reports.verdict_types import Around, Luck, Part, VerdictCard


def verdict_figures(card: VerdictCard) -> dict[str, go.Figure]:
    """Return the figures of a card by name; one that its record does not allow is left out.

    The names: luck, forward, paths, overfitting, plateau, subperiods, regimes, entries, holding, costs.
    """
    drawn: dict[str, Callable[[VerdictCard], go.Figure | None]] = {
        "luck": lambda card: None if card.luck is None else _luck(card.luck),
        "forward": _forward,
        "paths": _paths,
        "overfitting": _overfitting,
        "plateau": lambda card: None if card.around is None else _plateau(card.around),
        "subperiods": lambda card: _parts(card.subperiods, "in", "parts of the record", "Years"),
        "regimes": lambda card: _parts(card.regimes, "in", "states of the market", "State of the market"),
        "entries": _entries,
        "holding": _holding,
        "costs": _costs,
    }
    found = {}
    for name, draw in drawn.items():
        try:
            figure = draw(card)
        except DataError:  # too little of it is known
            continue
        if figure is not None:
            found[name] = figure
    return found


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _array(values: Iterable[float | None]) -> np.ndarray:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _luck(luck: Luck) -> go.Figure:
    return luck_chart(
        pd.Series(_array(luck.hurdles), index=pd.Index(luck.numbers)),
        sharpe=_number(luck.sharpe),
        low=_number(luck.low),
        high=_number(luck.high),
        trials=luck.n,
        effective=luck.effective,
        hurdle=_number(luck.hurdle),
    )


def _forward(card: VerdictCard) -> go.Figure | None:
    if card.growth is None or not card.forward:
        return None
    anchored = card.forward[0]
    growth = card.growth.frame().drop(columns="Holding", errors="ignore")
    return forward_curves(
        growth,
        name=card.name,
        in_sample=_number(anchored.in_sample),
        out_of_sample=_number(anchored.out_of_sample),
    )


def _paths(card: VerdictCard) -> go.Figure | None:
    if not card.paths:
        return None
    found = np.nan_to_num(_array(card.paths))
    above = f"{int((found > 0).sum())} of {len(found)} paths"
    own = _number(card.luck.sharpe if card.luck else None)
    return spread_beside(
        found,
        own,
        title=f"{above} of test folds earned something, {ratio(float(np.median(found)))} a year in the middle",
        subtitle=f"Combinatorial purged cross-validation; {ratio(card.paths_in_sample)} a year was seen in sample",
        of="paths",
        mark="the chosen one",
    )


def _overfitting(card: VerdictCard) -> go.Figure | None:
    if card.logits is None:
        return None
    counts, edges = np.array(card.logits.counts, dtype=np.float64), np.array(card.logits.edges)
    return overfitting_logits(counts, edges, probability=card.logits.below)


def _plateau(around: Around) -> go.Figure | None:
    """Return the Sharpe ratio over the two parameters that change it most, or along the only one."""
    table, names = around.table(), list(around.parameters)
    for name in names:  # as many digits as an axis has room for
        if pd.api.types.is_float_dtype(table[name]):
            table[name] = [float(f"{value:.4g}") for value in table[name]]
    near = "none of the neighbours" if around.share is None else f"{percent(around.share, 0)} of the neighbours"
    title = f"{near[0].upper()}{near[1:]} keep at least half of its Sharpe ratio"
    chosen = table.iloc[0]
    if len(names) == 1:
        values = table.groupby(names[0])["sharpe"].mean()
        return plateau_line(values, chosen=float(chosen[names[0]]), title=title)
    if len(names) < 2:
        return None
    rows, columns = names[:2]
    grid = table.pivot_table(index=rows, columns=columns, values="sharpe", aggfunc="mean")
    over = f", over {', '.join(names[2:])} averaged out" if len(names) > 2 else ""
    return sweep_heatmap(
        grid,
        "Sharpe ratio",
        chosen=(chosen[rows], chosen[columns]),
        title=title,
        subtitle=f"Sharpe ratio a year of {len(table)} variants{over}; framed: the chosen one",
    )


def _parts(parts: tuple[Part, ...], word: str, what: str, axis: str) -> go.Figure | None:
    if not parts:
        return None
    rows = {part.name: [_number(part.sharpe), _number(part.low), _number(part.high), part.n] for part in parts}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["sharpe", "low", "high", "n"])
    known = table.dropna(subset=["sharpe"])
    good = int((known["sharpe"] > 0).sum())
    return parts_chart(table, title=f"It earned something {word} {good} of {len(known)} {what}", what=axis)


def _entries(card: VerdictCard) -> go.Figure | None:
    if card.entries is None or not card.entries.others:
        return None
    others = np.nan_to_num(_array(card.entries.others))
    own = _number(card.entries.sharpe)
    better = percent(float((others < own).mean()), 0)
    return spread_beside(
        others,
        own,
        title=f"It did better than {better} of its own positions at random other times",
        subtitle="The same positions for as long, in the same symbols, at the same cost, shifted in time",
        of="random times",
        mark="this strategy",
    )


def _holding(card: VerdictCard) -> go.Figure | None:
    if card.growth is None or "Holding" not in card.growth.curves:
        return None
    shared = card.growth.frame()[["The strategy", "Holding"]].dropna()
    if len(shared) < 2:
        return None
    return equity_curves(
        {card.name: shared["The strategy"]}, shared["Holding"], benchmark_name="Holding in equal parts", log=True
    )


def _costs(card: VerdictCard) -> go.Figure | None:
    if card.break_even is None or not card.cost:
        return None
    return cost_room(card.cost, card.break_even)
