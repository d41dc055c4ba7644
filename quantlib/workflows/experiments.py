"""The ledger as people look at it: trials as a table to be searched, and what each idea amounts to."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from quantlib.charts.sensitivity import value_label
from quantlib.errors import QuantError
from quantlib.store.instruments import read_instruments
from quantlib.store.trials import curves_of, ledger_mark, read_trials
from quantlib.types import FloatArray
from quantlib.validation.sharpe import ReturnMoments, luck_hurdle
from quantlib.validation.trials import BUCKETS
from quantlib.workflows.holdout import holdout_budget
from quantlib.workflows.ledger import trial_counts, trials_of
from quantlib.workflows.reading import run_link
from quantlib.workflows.session import Session

#: Kinds of rows by what people call them. A sweep is no trial itself: its sets are.
KINDS: dict[str, tuple[str, ...]] = {
    "Trials": ("backtest", "set", "model", "fit"),
    "Backtests": ("backtest",),
    "Sets": ("set",),
    "Models": ("model", "fit"),
    "Sweeps": ("sweep", "search"),
}
#: What a table of trials can be ordered by, the best first.
ORDERS = {"Newest": "began", "Sharpe": "sharpe", "Return": "cagr", "Drawdown": "drawdown"}
#: Newest rows that are read; what is counted, and what it amounts to, is of all of them.
MOST = 100_000
_WORDS = ("label", "idea", "kind", "origin", "who", "universe", "outcome", "said", "snapshot_id", "code_version")


def mark(session: Session) -> str:
    """Return a mark that changes whenever the ledger does; an argument of what is kept of it."""
    return ledger_mark(session.store)


def trials_table(session: Session, limit: int = MOST) -> pd.DataFrame:
    """Return one row a trial, sweep or search, the newest first.

    Parameters
    ----------
    limit
        How many of the newest are read.

    Returns
    -------
    DataFrame
        By id: what `Trial` holds, with moments in UTC without their zone; `sharpe` and `cagr` a year, `drawdown` at
        the ends of the parts that growth is kept in; parameters in words, a label unlike any other's, the source of
        its prices, whether its symbols were chosen with hindsight, a link into the MLflow UI, and all words to search.
    """
    found = read_trials(session.store, curves=True, limit=limit).set_index("id")
    crypto = {name for name, one in read_instruments(session.store).items() if one.kind == "crypto"}
    symbols = found["universe"].str.split(",")
    sessions = np.where([bool(crypto.intersection(one)) for one in symbols], 365.0, 252.0)
    terms = _parents(found, "terms").map(json.loads)
    what = pd.Series(_words(found), index=found.index, dtype="str")
    ids = found.index.to_series().astype("str")
    named = what.where(what == "", what + " · ") + found["title"]
    short = named + " (" + ids.str[-4:] + ")"
    table = found.assign(
        **dict(zip(("cagr", "drawdown"), _grown(found), strict=True)),
        sharpe=found["sharpe"] * np.sqrt(sessions),
        per_year=np.sqrt(sessions),
        what=what,
        label=short.where(~short.duplicated(keep=False), named + " (" + ids + ")"),
        source=terms.map(lambda one: str(one.get("source", ""))).astype("str"),
        terms=terms,
        selection=_selection(session, found),
        link=_parents(found, "mlflow_run_id").map(lambda one: run_link(session, one), na_action="ignore").astype("str"),
        began=_utc(found["began_at"]),
        asked=_utc(found["last_at"]),
        curve=pd.Series(curves_of(found), index=found.index, dtype=object),
    )
    words = ids.str.cat(table[list(_WORDS)].astype("str").fillna(""), sep=" ").str.lower()
    return table.assign(words=words)


def _parents(found: pd.DataFrame, name: str) -> pd.Series:
    """Return a column with what a set takes from its sweep, where that is in the table too."""
    own, given = found[name], found["parent"].map(found[name])
    return given.where((found["kind"] == "set") & given.notna(), own)


def _words(found: pd.DataFrame) -> list[str]:
    """Return what varies in sets and fits in words; a backtest's parameters are those of its definition."""
    texts = found["params"].where(found["kind"].isin(("set", "fit")), "{}")
    return [", ".join(f"{key} {value_label(value)}" for key, value in json.loads(text).items()) for text in texts]


def _utc(moments: pd.Series) -> pd.Series:
    return pd.to_datetime(moments, utc=True).dt.tz_localize(None).dt.as_unit("us")


def _grown(found: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return growth a year and the deepest drawdown of trials; NaN where no growth or no span is kept."""
    kept = np.full((len(found), BUCKETS + 1), np.nan)
    kept[:, 0] = 0.0
    curves = curves_of(found)
    for i, curve in enumerate(curves):
        kept[i, 1 : curve.size + 1] = curve.cumsum()
    empty = np.array([curve.size == 0 for curve in curves], dtype=bool)
    last = np.array([float(curve.sum()) for curve in curves], dtype=np.float64)
    years = (found["last"] - found["first"]).dt.days.to_numpy(dtype=np.float64) / 365.25
    filled = np.where(np.isfinite(kept), kept, -np.inf)
    depth = np.nanmin(np.expm1(kept - np.maximum.accumulate(filled, axis=1)), axis=1) if len(found) else last
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(empty, np.nan, np.expm1(last / years)), np.where(empty, np.nan, depth)


def _selection(session: Session, found: pd.DataFrame) -> pd.Series:
    """Return "biased" or "free" by whether the choice of symbols looks into the future; unknown without a span."""
    said: dict[tuple[str, Any], str] = {}
    for key in found[["universe", "first"]].drop_duplicates().itertuples(index=False, name=None):
        universe, first = key
        if universe and not pd.isna(first):
            said[key] = "biased" if session.universe.selection_bias(universe.split(","), first) else "free"
    values = [said.get(key) for key in found[["universe", "first"]].itertuples(index=False, name=None)]
    return pd.Series(values, index=found.index, dtype="str")


def find_trials(
    table: pd.DataFrame,
    kind: str = "Trials",
    *,
    idea: str | None = None,
    origin: str | None = None,
    who: str | None = None,
    start: object = None,
    end: object = None,
    text: str = "",
    order: str = "Newest",
) -> pd.DataFrame:
    """Return the rows of `trials_table` of a kind that fit everything that is given, in an order.

    Parameters
    ----------
    kind, order
        Of KINDS and ORDERS; what is unknown comes last.
    start, end
        Only those whose sessions reach into this span, both ends included; None for open.
    text
        Anywhere in its words.
    """
    found = table["kind"].isin(KINDS[kind])
    for name, wanted in (("idea", idea), ("origin", origin), ("who", who)):
        if wanted is not None:
            found &= table[name] == wanted
    if start is not None:
        found &= table["last"] >= pd.Timestamp(str(start))
    if end is not None:
        found &= table["first"] <= pd.Timestamp(str(end))
    if text:
        found &= table["words"].str.contains(text.lower(), regex=False)
    return table[found].sort_values(ORDERS[order], ascending=False, kind="stable")


@dataclass(frozen=True)
class Idea:
    """What has been tried of an idea, and what that amounts to.

    Attributes
    ----------
    name, trials
        Which, and how many.
    effective
        How many independent ones have luck as large.
    hurdle, best
        Sharpe ratio a year that luck alone gives the best of them, and that the best of them had; NaN where none is
        known.
    label
        Which was the best.
    opened
        How often people looked at its hold-out; None where there is none.
    budget
        That in a sentence.
    """

    name: str
    trials: int
    effective: float
    hurdle: float
    best: float
    label: str
    opened: int | None
    budget: str

    @property
    def sentence(self) -> str:
        """Whether the best is above what luck gives, in a sentence."""
        if math.isnan(self.best) or math.isnan(self.hurdle):
            return "No Sharpe ratio of its trials is known yet."
        of = f"the best of {self.trials:,} trials, as many as {self.effective:,.1f} independent ones,"
        if self.trials == 1:
            return f"One trial has nothing to choose among: its Sharpe ratio of {self.best:.2f} stands by itself."
        beside = "above" if self.best > self.hurdle else "not above"
        return (
            f"Its best Sharpe ratio of {self.best:.2f} is {beside} the {self.hurdle:.2f} that luck alone would give "
            f"{of} without any skill."
        )


@dataclass(frozen=True)
class Ledger:
    """All that has been tried: `trials_table`, and what each idea amounts to, the latest first."""

    table: pd.DataFrame
    ideas: dict[str, Idea]


def ledger(session: Session) -> Ledger:
    """Return the ledger as a page needs it."""
    table = trials_table(session)
    counts = trial_counts(session)
    return Ledger(table, {name: _idea(session, table[table["idea"] == name], name, n) for name, n in counts.items()})


def _idea(session: Session, table: pd.DataFrame, name: str, n: int) -> Idea:
    opened: int | None = None
    try:
        budget = holdout_budget(session, name)
        opened, said = budget.openings, budget.sentence
    except QuantError as error:  # without prices there is no hold-out, and everything else still stands
        said = str(error)
    amount = trials_of(session, name)
    known = table[table["sharpe"].notna()]
    if known.empty:
        return Idea(name, n, amount.effective, math.nan, math.nan, "", opened, said)
    best = known.iloc[int(known["sharpe"].to_numpy().argmax())]
    moments = ReturnMoments(int(best["n"]), *(float(best[key]) for key in ("mean", "sd", "skew", "kurtosis")))
    variance = amount.variance_over(moments.n)
    hurdle = luck_hurdle(moments, n_trials=max(amount.effective, 1.0), variance=variance)
    hurdle *= float(best["per_year"])
    return Idea(name, n, amount.effective, hurdle, float(best["sharpe"]), str(best["label"]), opened, said)


def as_csv(table: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return columns of a table of trials as a CSV file."""
    return str(table[list(columns)].to_csv(date_format="%Y-%m-%d %H:%M:%S"))
