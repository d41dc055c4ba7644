"""Where a strategy stands at the last close of its backtest: what it holds, what it wants, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from quantlib.backtest import BacktestResult
from quantlib.charts.numbers import percent, signed_percent
from quantlib.reports.types import Action, WeightChange

#: Weights closer than this are the same holding: drift that rounds to 0.0 % of equity is no trade.
SAME_WEIGHT = 5e-4


@dataclass(frozen=True)
class Stance:
    """What to do at the next session.

    Parameters
    ----------
    action, headline
        In a word, and in a sentence.
    held, wanted
        Fractions of equity by symbol, before and after.
    changes
        Every symbol of which they differ.
    """

    action: Action
    headline: str
    held: dict[str, float]
    wanted: dict[str, float]
    changes: tuple[WeightChange, ...]


def stance(symbols: Iterable[str], result: BacktestResult) -> Stance:
    """Return where a strategy that trades some symbols stands at the last close of its backtest."""
    held = _rounded(result.weights.iloc[-1])
    wanted = _rounded(result.targets.iloc[-1]) if _is_pending(result.targets) else held
    changes = tuple(
        WeightChange(symbol=symbol, before=held[symbol], after=wanted[symbol])
        for symbol in symbols
        if abs(wanted[symbol] - held[symbol]) > SAME_WEIGHT
    )
    action = _action(held, wanted, changes=bool(changes))
    return Stance(action, _headline(action, held, wanted), held, wanted, changes)


def _rounded(weights: pd.Series) -> dict[str, float]:
    return {str(symbol): 0.0 if abs(w) < SAME_WEIGHT else round(float(w), 6) for symbol, w in weights.items()}


def _is_pending(targets: pd.DataFrame) -> bool:
    """Whether the last decision differs from the one before it, so that it is yet to be filled."""
    before = targets.iloc[-2] if len(targets) > 1 else 0.0 * targets.iloc[-1]
    return bool((targets.iloc[-1] != before).any())


def _action(held: dict[str, float], wanted: dict[str, float], *, changes: bool) -> Action:
    if not changes:
        return "hold" if any(held.values()) else "stay out"
    if not any(held.values()):
        return "enter"
    return "rebalance" if any(wanted.values()) else "exit"


def _headline(action: Action, held: dict[str, float], wanted: dict[str, float]) -> str:
    if action == "stay out":
        return "Stay out: nothing is held and nothing is to be bought."
    if action == "exit":
        return f"Close {_positions(held)} at the next session and hold cash."
    if action == "hold":
        return f"Hold {_positions(held)}; no trade is needed."
    verb = "Enter" if action == "enter" else "Change to"
    return f"{verb} {_positions(wanted)} at the next session."


def _positions(weights: dict[str, float]) -> str:
    """Return the holdings in words: each one while they are few, else how many and how much in all."""
    open_ = {s: w for s, w in weights.items() if w}
    if len(open_) <= 4:
        return ", ".join(f"{s} {signed_percent(w)}" for s, w in open_.items())
    gross = percent(sum(abs(w) for w in open_.values()))
    return f"{len(open_)} positions, {gross} of equity in all ({', '.join(open_)})"
