"""Quality: check what is stored, compare sources, and decide on what is proposed to be repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from quantlib.charts.numbers import UNKNOWN
from quantlib.errors import DataError, nearest
from quantlib.grades import Grade, worst
from quantlib.quality import (
    CHECKS,
    TOLERANCE,
    History,
    histories,
    inspect,
    side_by_side,
)
from quantlib.sources import SOURCES
from quantlib.store import (
    WriteCount,
    coverage,
    decide_repair,
    propose_repairs,
    read_bars,
    read_grades,
    read_quarantine,
    read_repairs,
    read_sources,
    read_versions,
    save_grades,
)
from quantlib.types import DateLike, as_date
from quantlib.workflows.freshness import calendars_of, coverage_matrix, due_sessions, freshness
from quantlib.workflows.session import Session

__all__ = [
    "APART",
    "QualityResult",
    "check_quality",
    "coverage_matrix",
    "decide",
    "disagreements",
    "doubts",
    "freshness",
    "quarantined",
    "repairs",
]

Progress = Callable[[int, int, str], None]

APART = TOLERANCE
PAIR = pd.Timedelta(days=10)  # two sessions whose bars were exchanged lie no further apart
"""Difference of a day's returns from which two sources disagree."""


@dataclass(frozen=True, eq=False)
class QualityResult:
    """What a check of the stored bars found.

    Attributes
    ----------
    bars, series
        How many were looked at.
    findings
        What `quantlib.quality.inspect` returns.
    grades, repairs
        What the store did with the grades and with the proposed repairs.
    """

    bars: int
    series: int
    findings: pd.DataFrame
    grades: WriteCount = field(default_factory=WriteCount)
    repairs: WriteCount = field(default_factory=WriteCount)

    @property
    def counts(self) -> pd.DataFrame:
        """One row a check that found something: check, title, grade, findings, series; the most findings first."""
        grouped = self.findings.groupby(["check_name", "grade"], sort=False)
        table = pd.DataFrame(
            [
                (name, CHECKS[str(name)].title, grade, len(rows), len(rows[["symbol", "source"]].drop_duplicates()))
                for (name, grade), rows in grouped
            ],
            columns=["check", "title", "grade", "findings", "series"],
        )
        return table.sort_values(["findings", "check"], ascending=[False, True], ignore_index=True)

    @property
    def worst(self) -> dict[str, Grade]:
        """The worst grade by symbol, of those with any finding."""
        return {str(symbol): worst(rows["grade"]) for symbol, rows in self.findings.groupby("symbol")}

    @property
    def headline(self) -> str:
        """The check in one line."""
        text = f"{self.bars:,} bars of {self.series:,} series checked: {len(self.findings):,} doubts"
        most = self.counts.head(4)
        named = [f"{number:,} {title.lower()}" for title, number in zip(most["title"], most["findings"], strict=True)]
        return f"{text} ({', '.join(named)})." if named else f"{text}."

    def rows(self) -> list[tuple[str, ...]]:
        """Return the counts as text."""
        counts = self.counts
        numbers = ([f"{number:,}" for number in counts[name]] for name in ("findings", "series"))
        return list(zip(counts["title"], counts["grade"], *numbers, strict=True))


def check_quality(
    session: Session,
    *,
    symbols: Iterable[str] | None = None,
    source: str | None = None,
    now: datetime | None = None,
    on_progress: Progress | None = None,
) -> QualityResult:
    """Return what the checks find in the stored bars, having stored grades and proposed repairs.

    A second run on the same bars changes nothing; what is not found any more is taken back, doubts as well as
    proposed repairs nobody has decided on. All other series of a source are read too, since a move that a whole
    market shares is no fault.

    Parameters
    ----------
    session
        Whose store.
    symbols, source
        Which series are checked; all of them if None.
    now
        The moment that says which sessions are over; the clock's if None.
    on_progress
        Called with series done, series in all, and the symbol being looked at.

    Raises
    ------
    DataError
        A symbol or source has no bars.
    """
    stored = coverage(session.store)
    chosen = _chosen(stored, symbols, source)
    if chosen.empty:
        return QualityResult(0, 0, inspect([]))
    due = due_sessions(session, stored, now).dropna(subset="expected")
    days = due["expected"].to_numpy().astype("datetime64[D]")
    every = _histories(session, expected=dict(zip(zip(due["symbol"], due["source"], strict=True), days, strict=True)))
    wanted = set(zip(chosen["symbol"], chosen["source"], strict=True))
    found = inspect([one for one in every if (one.symbol, one.source) in wanted], on_progress=on_progress)
    grades, repairs = WriteCount(), WriteCount()
    columns = ["symbol", "source", "ts", "check_name", "before", "after", "reason"]
    for name, own in chosen.groupby("source"):
        mine = found[found["source"] == name]
        plain = mine[["symbol", "source", "ts", "check_name", "grade", "reason"]].reset_index(drop=True)
        saved = save_grades(session.store, plain, source=str(name), symbols=own["symbol"].tolist(), checks=list(CHECKS))
        grades = grades.plus(saved)
        proposed = mine.loc[mine["after"].map(lambda values: values is not None), columns].reset_index(drop=True)
        scope = {"symbol": own["symbol"].tolist(), "source": [str(name)], "check_name": list(CHECKS)}
        repairs = repairs.plus(propose_repairs(session.store, proposed, complete=scope))
    return QualityResult(int(chosen["bars"].sum()), len(chosen), found, grades, repairs)


def disagreements(session: Session, symbol: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return a symbol's prices by source side by side, and by how much the sources differ on each day.

    Returns
    -------
    closes
        [time x source] on the same footing: with dividends where the sources have them, else without.
    apart
        Largest difference of the day's returns, as a fraction; NaN where fewer than two sources have one.

    Raises
    ------
    DataError
        Fewer than two sources have the symbol, or they cannot be compared.
    """
    closes = side_by_side(_histories(session, symbols=[symbol]))
    if closes.shape[1] < 2:
        have = ", ".join(closes.columns) or "no source"
        raise DataError(f"{symbol} can only be read from {have}. Load it from a second source to compare.")
    # From each source's own bar before; where the others have none on a day, there is nothing to compare.
    moves = pd.DataFrame({name: own.dropna().pct_change() for name, own in closes.items()}).reindex(closes.index)
    apart = (moves.max(axis=1) - moves.min(axis=1)).where(moves.notna().sum(axis=1) >= 2)
    return closes, apart.rename("apart")


def doubts(session: Session, symbol: str) -> pd.DataFrame:
    """Return the stored doubts about a symbol, the newest day first: ts, source, check_name, grade, reason."""
    found = read_grades(session.store, symbols=[symbol])
    newest = found.sort_values(["ts", "source", "check_name"], ascending=[False, True, True])
    return newest[["ts", "source", "check_name", "grade", "reason"]].reset_index(drop=True)


def quarantined(session: Session, limit: int = 5_000) -> pd.DataFrame:
    """Return the rows that were turned away, those that came last first, each row as text."""
    rows = read_quarantine(session.store, limit=limit)
    return rows.assign(row=rows["row"].map(lambda row: json.dumps(row, ensure_ascii=False)))


def repairs(session: Session) -> pd.DataFrame:
    """Return the repairs, those proposed first, with what they change in a column `change`."""
    rows = read_repairs(session.store)
    pairs = zip(rows["before"], rows["after"], strict=True)
    rows = rows.assign(change=["; ".join(_change(before, after)) for before, after in pairs])
    order = rows["status"].map({"proposed": 0, "applied": 1, "dismissed": 2})
    return rows.assign(order=order).sort_values(["order", "symbol", "ts"]).drop(columns="order").reset_index(drop=True)


def _change(before: dict[str, float | None], after: dict[str, float | None]) -> list[str]:
    def written(value: float | None) -> str:
        return UNKNOWN if value is None else f"{value:g}"

    return [f"{name.replace('_', ' ')} {written(before[name])} → {written(after[name])}" for name in after]


def decide(
    session: Session, symbol: str, source: str, ts: DateLike, check_name: str, *, apply: bool
) -> tuple[pd.Timestamp, ...]:
    """Return the days of the repairs that were applied or dismissed; dismissing an applied one puts the bar back.

    Two days that were exchanged are mended together: half of that would leave one bar on both.

    Raises
    ------
    DataError
        There is no such proposal, or the bar has changed since. Nothing is changed then.
    """
    day = as_date(ts, "day")
    done: list[pd.Timestamp] = []
    for one in [day, *_other_half(session, symbol, source, day, check_name)]:
        try:
            decide_repair(session.store, symbol, source, one, check_name, apply=apply)
        except DataError:
            for before in done:
                decide_repair(session.store, symbol, source, before, check_name, apply=not apply)
            raise
        done.append(one)
    return tuple(done)


def _other_half(session: Session, symbol: str, source: str, day: pd.Timestamp, check_name: str) -> list[pd.Timestamp]:
    """Return the day whose proposal gives what this one takes and takes what it gives, if there is one."""
    rows = read_repairs(session.store)
    rows = rows[(rows["symbol"] == symbol) & (rows["source"] == source) & (rows["check_name"] == check_name)]
    mine = rows[rows["ts"] == day]
    if mine.empty:
        return []
    before, after = mine.iloc[0]["before"], mine.iloc[0]["after"]
    return [
        row["ts"]
        for _, row in rows[(rows["ts"] - day).abs() <= PAIR].iterrows()
        if row["ts"] != day and row["before"] == after and row["after"] == before
    ]


def _chosen(stored: pd.DataFrame, symbols: Iterable[str] | None, source: str | None) -> pd.DataFrame:
    """Return the rows of `coverage` that are asked for."""
    chosen = stored
    if source is not None:
        if source not in set(stored["source"]):
            raise DataError(
                f"No bars of the source {source!r} are stored. {nearest(source, stored['source'].unique())}"
            )
        chosen = chosen[chosen["source"] == source]
    if symbols is not None:
        wanted = list(symbols)
        if strange := [symbol for symbol in wanted if symbol not in set(chosen["symbol"])]:
            raise DataError(f"No bars of {strange[0]!r} are stored. {nearest(strange[0], chosen['symbol'].unique())}")
        chosen = chosen[chosen["symbol"].isin(wanted)]
    return chosen


def _histories(
    session: Session,
    *,
    symbols: Iterable[str] | None = None,
    expected: dict[tuple[str, str], np.datetime64] | None = None,
) -> list[History]:
    """Return what is stored as the checks take it."""
    wanted = None if symbols is None else list(symbols)
    described = {name: row.price_scale for name, row in read_sources(session.store).items()}
    return histories(
        read_bars(session.store, symbols=wanted),
        calendars=calendars_of(session),
        scales={name: source.price_scale for name, source in SOURCES.items()} | described,
        actions=read_versions(session.store, "actions", where=None if wanted is None else {"symbol": wanted}),
        expected=expected,
    )
