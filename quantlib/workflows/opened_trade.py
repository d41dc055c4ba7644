"""One trade opened: why it was entered and left, what was ordered and filled, and whose profit it was."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from quantlib.charts.numbers import count, money, signed_percent
from quantlib.conditions import Trace, explain
from quantlib.strategies import Group
from quantlib.strategies.course import named
from quantlib.strategies.timing import Rules
from quantlib.workflows.research import StrategyRun

#: Why a trade ended, by the engine's word for it.
ENDINGS = {
    "decision": "the rule decided so",
    "loss": "its stop loss was reached",
    "profit": "its profit target was reached",
    "trailing": "its trailing stop was reached",
    "time": "its time was up",
    "volatility": "its volatility stop was reached",
    "spread_z": "its spread ran away to the stop",
    "drawdown": "the account reached its drawdown limit",
    "margin": "the account had a margin call",
    "delisted": "a leg was delisted",
    "ruin": "the account was ruined",
}


@dataclass(frozen=True, eq=False)
class OpenedTrade:
    """A trade of a group as it is looked at.

    Parameters
    ----------
    row
        The trade as the engine booked it.
    decided
        The close at which it was decided.
    sentence
        What happened, in a sentence.
    reasons
        Why it was entered, in sentences with the numbers of that close.
    traces
        The conditions that decided, by what they were for.
    measured
        Numbers of the group at that close, by name; empty where it has none.
    orders, fills
        What was ordered, and what was filled, from its entry to its exit.
    legs
        Profit of each leg over its sessions.
    shared
        Whether a session of it belongs to the trade before or after it as well, as when a trade is turned around.
    """

    row: pd.Series
    decided: pd.Timestamp
    sentence: str
    reasons: tuple[str, ...]
    traces: dict[str, Trace]
    measured: dict[str, float]
    orders: pd.DataFrame
    fills: pd.DataFrame
    legs: pd.Series
    shared: bool


def open_trade(run: StrategyRun, number: int) -> OpenedTrade:
    """Return one trade of a run, by its row in `group_trades`."""
    result = run.result
    row = result.group_trades.iloc[number]
    until = result.equity.index[-1] if pd.isna(row["left"]) else row["left"]
    fills = result.trades[result.trades["ts"].between(row["entered"], until)]
    began = fills[fills["ts"] == row["entered"]]
    ended = fills[fills["ts"] == row["left"]]
    decided = pd.Timestamp(began["decided"].max())
    orders = result.orders[result.orders["ordered"].between(decided, until, inclusive="left")]
    others = result.group_trades.drop(index=result.group_trades.index[number])
    shared = bool((others["left"] == row["entered"]).any() or (others["entered"] == row["left"]).any())
    reasons = run.strategy.explain(run.panel.until(decided)).reasons
    traces: dict[str, Trace] = {}
    measured: dict[str, float] = {}
    if isinstance(group := run.strategy, Group) and group.kind != "rotation":
        own = run.panel.select(group.inputs)
        course = group.course(run.panel)
        if decided in course.measured.index:
            measured = _numbers(course.measured, decided)
            measured |= {f"ratio of {symbol}": v for symbol, v in _numbers(course.ratios, decided).items()}
        if isinstance(group.timing, Rules):
            given, side = group.timing.conditions, str(row["side"])
            names = named(course.measured, own)
            reasons = ()
            if side in given:
                told = explain(given[side], own, subject=group.subject, names=names, at=decided)
                traces[f"Entered {side} on the close of {decided:%Y-%m-%d}"] = told
            leaving = f"exit_{side}" if f"exit_{side}" in given else side
            if len(ended) and row["exit_reason"] == "decision" and leaving in given:
                at = pd.Timestamp(ended["decided"].max())
                told = explain(given[leaving], own, subject=group.subject, names=names, at=at)
                other = "short" if side == "long" else "long"
                # An entry on its own is left once it no longer holds; an exit, where it holds.
                if told.truth is not (leaving != side) and other in given:  # then the other side's entry ended it
                    told = explain(given[other], own, subject=group.subject, names=names, at=at)
                traces[f"Left on the close of {at:%Y-%m-%d}"] = told
    return OpenedTrade(
        row=row,
        decided=decided,
        sentence=_sentence(row, decided),
        reasons=reasons,
        traces=traces,
        measured=measured,
        orders=orders,
        fills=fills,
        legs=result.leg_pnl.loc[row["entered"] : until].sum().droplevel("group"),
        shared=shared,
    )


def _numbers(table: pd.DataFrame, at: pd.Timestamp) -> dict[str, float]:
    """Return what is known in a row, by name as people read it."""
    row = table.iloc[int(table.index.get_indexer(pd.Index([at]))[0])].dropna()
    return {str(name).replace("_", " "): value for name, value in row.to_dict().items()}


def _sentence(row: pd.Series, decided: pd.Timestamp) -> str:
    entered = f"Decided at the close of {decided:%Y-%m-%d} and entered {row['side']} on {row['entered']:%Y-%m-%d}"
    sessions = int(row["sessions"])
    held = f"{count(sessions)} {'session' if sessions == 1 else 'sessions'}"
    if pd.isna(row["left"]):
        left = f"It is still open after {held}, at"
    else:
        why = ENDINGS.get(str(row["exit_reason"]), str(row["exit_reason"]))
        left = f"It was left on {row['left']:%Y-%m-%d} after {held}, because {why}, with"
    fees = f"{money(row['fees'])} of fees"
    between = f"at worst it stood at {signed_percent(row['mae'])}, at best at {signed_percent(row['mfe'])}"
    return (
        f"{entered}, with {money(row['base'])} gross. {left} {money(row['pnl'], signed=True)} "
        f"({signed_percent(row['return'])}) after {fees}; {between}."
    )
