"""Trials side by side: their growth on common dates, the parameters they differ in, and what went into them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from quantlib.charts.numbers import UNKNOWN
from quantlib.charts.sensitivity import value_label
from quantlib.costs import Costs
from quantlib.store.records import read_strategies
from quantlib.store.trials import read_trials
from quantlib.validation.trials import align_curves
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import costs_by_field

#: Parameters given beside the results, at most.
DIMENSIONS = 6
#: What is no parameter, though it is stored with them.
_FIXED = ("schema_version",)
#: What is said of how a trial was made.
_MADE = ("snapshot_id", "code_version", "origin", "who")


def growth_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return growth of 1 [date x trial] of the trials whose curve is kept, each over its own span, under its label.

    The dates cut the whole span into equal parts; before and after its own span a trial is NaN.
    """
    kept = pd.Series([curve.size > 0 for curve in table["curve"]], index=table.index, dtype=bool)
    known = table[kept & table["first"].notna() & table["last"].notna()]
    if known.empty:
        return pd.DataFrame()
    first, last = known["first"], known["last"]
    curves = align_curves(known["curve"].tolist(), first.tolist(), last.tolist())
    dates = pd.date_range(first.min(), last.max(), periods=curves.shape[1] + 1).as_unit("us")
    grown = np.concatenate([np.zeros((len(known), 1)), curves.cumsum(axis=1)], axis=1)
    step = dates[1] - dates[0]  # a trial begins in the part it begins in, and is 1 at that part's start
    alive = (dates.to_numpy()[None] > (first - step).to_numpy()[:, None]) & (
        dates.to_numpy()[None] < (last + step).to_numpy()[:, None]
    )
    return pd.DataFrame(np.where(alive, np.exp(grown), np.nan).T, index=dates, columns=known["label"].tolist())


def flat(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is in nested parameters under dotted names, as a sweep names them; a list of words is one text."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(content, list) and any(isinstance(one, dict) for one in content):
        for i, value in enumerate(content):
            yield from flat(value, f"{path}.{i}")
    elif path.rpartition(".")[2] not in _FIXED:
        yield path, ", ".join(map(str, content)) if isinstance(content, list) else content


def parameters_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the parameters in which trials differ [trial x parameter], those that most of them have first.

    Numbers are numbers and all else is text, "not set" among it. At most DIMENSIONS are given, and only trials that
    have them all; a parameter that fewer than half have is left out.
    """
    rows = [dict(flat(json.loads(text))) for text in table["params"]]
    frame = pd.DataFrame(rows, index=table.index, dtype=object)
    has = pd.DataFrame([dict.fromkeys(row, 1.0) for row in rows], index=table.index).notna()  # None is a value too
    names = [
        name for name in has.mean().sort_values(ascending=False, kind="stable").index
        if has[name].mean() >= 0.5 and len(set(frame.loc[has[name], name].map(repr))) > 1
    ][:DIMENSIONS]  # fmt: skip
    out = frame.loc[has[names].all(axis=1), names]
    return pd.DataFrame({name: _typed(out[name]) for name in names}, index=out.index)


def _typed(values: pd.Series) -> pd.Series:
    number = values.map(lambda value: isinstance(value, int | float) and not isinstance(value, bool))
    return values.astype("float64") if number.all() else values.map(value_label).astype("str")


def differences(session: Session, trials: pd.DataFrame) -> pd.DataFrame:
    """Return what went into trials where they differ: one row a thing, one column a trial's label, all as text.

    A set has the parameters of the definition its sweep varied, and its own in their place.
    """
    stored = {one.id: one.params for one in read_strategies(session.store)}
    parents = _varied(session, trials["parent"].dropna().unique())
    columns: dict[str, dict[str, str]] = {}
    groups: tuple[dict[str, None], ...] = ({}, {}, {}, {})
    for row in trials.to_dict("records"):
        base = stored.get(parents.get(str(row["parent"]), ""), {})
        span = {f"{key} session": None if pd.isna(row[key]) else f"{row[key]:%Y-%m-%d}" for key in ("first", "last")}
        facts = {"idea": row["idea"], "tried as": row["kind"], "symbols": row["universe"] or None} | span
        given = {**dict(flat(base)), **dict(flat(json.loads(row["params"])))}
        parts = (facts, given, dict(flat(_shortened(row["terms"]))), {key: row[key] or None for key in _MADE})
        named = {_titled(key): UNKNOWN if value is None else value_label(value)
                 for part in parts for key, value in part.items()}  # fmt: skip
        columns[row["label"]] = named
        for group, part in zip(groups, parts, strict=True):
            group.update(dict.fromkeys(map(_titled, part)))
    order = dict.fromkeys(name for group in groups for name in group)
    table = pd.DataFrame(columns, index=list(order)).astype(object)
    table = table.where(table.notna(), UNKNOWN).astype("str")
    differ: pd.DataFrame = table[table.ne(table.iloc[:, 0], axis=0).any(axis=1)]
    return differ.rename_axis(columns=None, index="What")


def _shortened(terms: dict[str, Any]) -> dict[str, Any]:
    """Return terms with the costs of many symbols as one range each."""
    costs = terms.get("costs")
    if not isinstance(costs, dict) or not all(isinstance(one, dict) for one in costs.values()) or not costs:
        return terms
    return {**terms, "costs": costs_by_field({symbol: Costs(**one) for symbol, one in costs.items()})}


def _varied(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """Return the definition that each of some sweeps varied, by the sweep's id, where it is known."""
    rows = [read_trials(session.store, id=one) for one in ids]
    return {str(row["id"].iloc[0]): str(row["strategy_id"].iloc[0]) for row in rows if len(row)}


def _titled(key: str) -> str:
    return key.replace("_", " ").replace(".", ": ").capitalize()
