"""Factors a scenario can name, and how each is seen in a panel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from quantlib.costs import BPS
from quantlib.errors import DataError, nearest
from quantlib.types import FloatArray

Unit = Literal["change", "bps", "times"]


@dataclass(frozen=True)
class Factor:
    """Something that moves many prices at once.

    Parameters
    ----------
    title
        What it is, in words.
    unit
        How its shocks are written: `change`, a simple return; `bps`, basis points of yield; `times`, a multiple.
    symbols
        Symbols that show it, best first, each with its loading: the log return of the symbol for a log move of
        one of the factor; for yields the log return for a yield that rises by one, which is minus the duration.
        Durations, and the share of high yield's move that better credits make, are round numbers of our own.
    """

    title: str
    unit: Unit
    symbols: Mapping[str, float]


FACTORS: dict[str, Factor] = {
    "equities": Factor(
        "US shares, the S&P 500",
        "change",
        {"SPY": 1.0, "VOO": 1.0, "IVV": 1.0, "^GSPC": 1.0, "VTI": 1.0, "ITOT": 1.0},
    ),
    "technology": Factor("Technology shares, the Nasdaq", "change", {"^IXIC": 1.0, "QQQ": 1.0, "XLK": 1.0, "VGT": 1.0}),
    "rates_10y": Factor(
        "Yield of ten-year US government bonds",
        "bps",
        {"IEF": -7.5, "TLT": -16.5, "GOVT": -6.0, "BND": -6.0, "AGG": -6.0},
    ),
    "credit": Factor("High yield corporate bonds", "change", {"HYG": 1.0, "JNK": 1.0, "LQD": 0.6}),
    "oil": Factor("Crude oil", "change", {"USO": 1.0, "CL=F": 1.0, "BNO": 1.0, "BZ=F": 1.0}),
    "gold": Factor("Gold", "change", {"GLD": 1.0, "IAU": 1.0, "GC=F": 1.0}),
    "usd": Factor("US dollar against other currencies", "change", {"UUP": 1.0, "DX-Y.NYB": 1.0, "EURUSD=X": -1.0}),
    "volatility": Factor("Implied volatility of US shares, the VIX", "times", {"^VIX": 1.0}),
    "crypto": Factor("Bitcoin", "change", {"BTC-USD": 1.0, "IBIT": 1.0}),
}
"""By the name scenarios use."""
NO_STOCKS = ("-USD", "=X", "=F")
"""Endings of symbols that are no shares: crypto, currencies, futures."""


@dataclass(frozen=True)
class Sight:
    """How a factor is seen: the weighted sum of the log returns of some symbols is `loading` times its log move.

    Parameters
    ----------
    factor
        Its name.
    weights
        By symbol; 1 for the one that shows it, 1 / N each for an average of N.
    loading
        As in `Factor.symbols`.
    words
        What shows it, for the reader.
    """

    factor: str
    weights: Mapping[str, float] = field(repr=False)
    loading: float
    words: str

    @property
    def symbol(self) -> str:
        """The one symbol that shows the factor; empty where it is an average."""
        return next(iter(self.weights)) if len(self.weights) == 1 else ""

    def row(self, symbols: Sequence[str]) -> FloatArray:
        """Return the weights in the order of the symbols [N]."""
        return np.array([self.weights.get(symbol, 0.0) for symbol in symbols])


def factor_of(name: str) -> Factor:
    """Return the factor of a name.

    Raises
    ------
    DataError
        There is no such factor.

    Examples
    --------
    >>> factor_of("rates_10y").unit
    'bps'
    """
    if name not in FACTORS:
        raise DataError(f"There is no factor {name!r}. {nearest(name, FACTORS, limit=len(FACTORS))}")
    return FACTORS[name]


def log_move(unit: Unit, value: float) -> float:
    """Return a shock as a log move: log(1 + change), log(times), or the yield's change as a fraction.

    Examples
    --------
    >>> log_move("bps", 200.0)
    0.02
    """
    if unit == "bps":
        return value * BPS
    return math.log1p(value) if unit == "change" else math.log(value)


def see(name: str, symbols: Sequence[str], *, seen_by: Mapping[str, str] | None = None) -> Sight | None:
    """Return how a factor is seen in a panel of these symbols, or None where nothing shows it.

    Equities fall back on the average log return of all symbols that are shares, as far as symbols tell: those that
    show no other factor and are no crypto, currency or future.

    Parameters
    ----------
    name
        The factor.
    symbols
        Symbols with enough history.
    seen_by
        The symbol to take, by factor, where it is not to be the first of the factor's own list. One that is not in
        that list moves one for one.

    Raises
    ------
    DataError
        There is no such factor, or the symbol asked for is not among these.
    """
    factor = factor_of(name)
    for given in seen_by or {}:
        factor_of(given)
    chosen = (seen_by or {}).get(name)
    if chosen is not None:
        if chosen not in symbols:
            raise DataError(f"{chosen!r} is to show {name}, but has no history here. {nearest(chosen, symbols)}")
        if factor.unit == "bps" and chosen not in factor.symbols:
            raise DataError(f"The duration of {chosen} is not known. {nearest(chosen, factor.symbols)}")
        return Sight(name, {chosen: 1.0}, factor.symbols.get(chosen, 1.0), f"{chosen} shows {name}")
    for symbol, loading in factor.symbols.items():
        if symbol in symbols:
            duration = f" with a duration of {-loading:g} years" if factor.unit == "bps" else ""
            return Sight(name, {symbol: 1.0}, loading, f"{symbol} shows {name}{duration}")
    others = {symbol for other, one in FACTORS.items() if other != "technology" for symbol in one.symbols}
    stocks = [symbol for symbol in symbols if symbol not in others and not symbol.endswith(NO_STOCKS)]
    if name == "equities" and stocks:
        words = f"the average of the panel's own {len(stocks)} shares stands for {name}"
        return Sight(name, dict.fromkeys(stocks, 1.0 / len(stocks)), 1.0, words)
    return None


def unseen(name: str) -> str:
    """Return the sentence about a factor that no symbol shows: what to load."""
    factor = factor_of(name)
    first, *more = factor.symbols
    also = f" (or {', '.join(more)})" if more else ""
    return f"No symbol with enough history shows {name} ({factor.title}); its shock is left out. Load {first}{also}."
