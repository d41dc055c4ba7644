"""The market: what is stored of the universe, how it moves, and one instrument at a time, arranged to be looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import candlestick, indicator_pane, price_line, sparkline, stack
from quantlib.indicators import INDICATORS, Indicator, compute, rolling_volatility, sma
from quantlib.settings import utc_now
from quantlib.sources import SOURCES
from quantlib.store import coverage
from quantlib.types import Instrument, Panel
from quantlib.universe import ALL
from quantlib.workflows.research import choose_source, load_panel
from quantlib.workflows.session import Session

Lines = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]

MONTH, YEAR, TREND, QUARTER = 21, 252, 200, 63
#: Share of a span's sessions whose open, high and low must be known to draw it as candles.
CANDLES_KNOWN = 0.95
#: Where the field draws its lines: name of an indicator, then thresholds by name.
LEVELS = {"rsi": {"overbought": 70.0, "oversold": 30.0}, "zscore": {"+2": 2.0, "-2": -2.0}}


@dataclass(frozen=True)
class Prices:
    """What prices there are of the source in force.

    Parameters
    ----------
    source, title, sample, note
        Which source, its name for people, whether it is a sample, and what to know about its prices.
    symbols
        Every symbol with prices, sorted.
    first, newest
        The first and the newest session.
    """

    source: str
    title: str
    sample: bool
    note: str
    symbols: tuple[str, ...]
    first: pd.Timestamp
    newest: pd.Timestamp

    @property
    def missed(self) -> int:
        """Weekdays between the newest session and today, neither counted; a sample misses none, for it has ended."""
        if self.sample:
            return 0
        today = np.datetime64(utc_now().date(), "D")
        after = np.datetime64(self.newest.date(), "D") + np.timedelta64(1, "D")
        return max(int(np.busday_count(after, today)), 0)


def stored_prices(session: Session) -> Prices | None:
    """Return what prices there are, or None where there are none yet."""
    bars = coverage(session.store)
    if bars.empty:
        return None
    source = SOURCES[choose_source(session)]
    own = bars[bars["source"] == source.name]
    symbols = tuple(sorted(own["symbol"]))
    return Prices(source.name, source.title, source.sample, source.note, symbols, own["first"].min(), own["last"].max())


def universe_lists(session: Session) -> pd.DataFrame:
    """Return the lists of which something is stored, everything first.

    Returns
    -------
    DataFrame
        By name: title, symbols (tuple of those with prices), of (how many the list names), note (when and on what
        ground it was drawn up, and whether its members' past is that of those chosen later).
    """
    prices = stored_prices(session)
    here = set() if prices is None else set(prices.symbols)
    known = session.universe

    def biased(symbols: tuple[str, ...]) -> str:
        return "" if prices is None else known.selection_bias(symbols, prices.first)

    everything = tuple(sorted(here))
    rows = {ALL: ("Everything stored", everything, len({*known.symbols(), *here}), biased(everything))}
    for name, entry in known.lists.items():
        stored = tuple(symbol for symbol in entry.symbols if symbol in here)
        note = f"Drawn up {entry.drawn_up}. {' '.join(entry.basis.split())} {biased(stored)}"
        rows[name] = (entry.title, stored, len(entry.symbols), note.strip())
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["title", "symbols", "of", "note"])
    return table[table["symbols"].map(bool)]


def market_table(session: Session, symbols: tuple[str, ...]) -> pd.DataFrame:
    """Return one row a symbol: its facts, last close, changes over time, volatility and a sparkline.

    Returns
    -------
    DataFrame
        symbol, name, kind, sector, last, session, day, month, year (simple returns over 1, 21 and 252 of its own
        sessions, NaN where there are fewer), volatility (annualised, last 63 sessions), year_line.
    """
    panel = load_panel(session, symbols)
    facts = {i.symbol: i for i in session.universe.instruments}
    return pd.DataFrame([_market_row(panel.select([s]), facts.get(s, Instrument(symbol=s))) for s in symbols])


def _market_row(panel: Panel, facts: Instrument) -> dict[str, object]:
    own = panel.complete()
    close = own.frame("close")
    line = close.iloc[:, 0].to_numpy()

    def change(sessions: int) -> float:
        return float(line[-1] / line[-1 - sessions] - 1.0) if len(line) > sessions else float("nan")

    return {
        "symbol": facts.symbol,
        "name": facts.name,
        "kind": facts.kind,
        "sector": facts.sector,
        "last": float(line[-1]),
        "session": own.index[-1],
        "day": change(1),
        "month": change(MONTH),
        "year": change(YEAR),
        "volatility": float(_volatility(close.tail(QUARTER + 1), own.periods_per_year).to_numpy()[-1, 0]),
        "year_line": sparkline(line[-YEAR:]),
    }


def market_pulse(session: Session, symbols: tuple[str, ...]) -> pd.DataFrame:
    """Return how the symbols move as a whole, through the last year.

    Every number of a symbol is made on its own sessions. A day counts when at least half of the symbols that trade
    at the end have one, so a weekend of crypto alone does not speak for a market of stocks.

    Returns
    -------
    DataFrame
        Up to 252 sessions; month (median simple return over 21 sessions), above (share of symbols above their
        200-session average), volatility (median, annualised over 63 sessions), count (symbols with a close).
    """
    panel = load_panel(session, symbols)
    parts: dict[str, list[pd.Series]] = {"month": [], "above": [], "volatility": [], "count": []}
    # What is asked at the year's first session looks back by the longest window; twice that covers gaps.
    panel = panel.tail(2 * (YEAR + TREND))
    for symbol in panel.symbols:
        own = panel.select([symbol]).complete()
        close = own.frame("close")
        mean = sma(close, TREND)
        parts["month"].append(close[symbol].pct_change(MONTH))
        parts["above"].append((close > mean).where(mean.notna()).astype(float)[symbol])
        parts["volatility"].append(_volatility(close, own.periods_per_year)[symbol])
        parts["count"].append(close[symbol].notna().astype(float))
    wide = {name: pd.concat(columns, axis=1, sort=True) for name, columns in parts.items()}
    count = wide.pop("count").sum(axis=1)
    whole = count >= count.tail(MONTH).max() / 2
    table = pd.DataFrame(
        {
            "month": wide["month"].median(axis=1),
            "above": wide["above"].mean(axis=1),
            "volatility": wide["volatility"].median(axis=1),
            "count": count,
        }
    )
    recent: pd.DataFrame = table.loc[whole].tail(YEAR)
    return recent


def _volatility(close: pd.DataFrame, periods_per_year: int) -> pd.DataFrame:
    return rolling_volatility(close, QUARTER, periods_per_year)


@dataclass(frozen=True)
class InstrumentView:
    """One instrument as a chart.

    Parameters
    ----------
    figure
        Price with its overlays, and below it one pane an indicator.
    notes
        What could not be drawn and why, one sentence each.
    snapshot_id
        The prices' content hash.
    """

    figure: go.Figure
    notes: tuple[str, ...]
    snapshot_id: str


def instrument_view(
    session: Session, symbol: str, years: int | None = None, lines: Lines = (), log: bool = False
) -> InstrumentView:
    """Return one instrument drawn: candles where they are known, else its closes, with indicators.

    Indicators are computed on the whole history and then cut, so the first one drawn is warm.

    Parameters
    ----------
    years
        How much of the past is drawn; None draws all.
    lines
        Indicators by name with parameters that differ from the default.
    log
        Whether the price axis is logarithmic.

    Raises
    ------
    DataError
        The symbol is unknown, or a parameter is out of bounds.
    """
    whole = load_panel(session, [symbol]).complete()
    start = None if years is None else whole.index[-1] - pd.DateOffset(years=years)
    shown = whole.window(start)
    unit = session.universe.instrument(symbol).currency if symbol in session.universe.symbols() else "USD"
    known = np.isfinite(shown.open) & np.isfinite(shown.high) & np.isfinite(shown.low)
    candles, notes = bool(known.mean() >= CANDLES_KNOWN), []
    if not known.any():
        notes.append(f"Only closes of {symbol} are known, so it is drawn as a line and not as candles.")
    elif not candles:
        days = shown.index[known[:, 0]]
        notes.append(
            f"Open, high and low of {symbol} are known from {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d} only, so this "
            "span is drawn as a line and not as candles."
        )
    overlays: dict[str, pd.Series] = {}
    panes = []
    for name, params in lines:
        card, given = INDICATORS[name], dict(params)
        if missing := [f for f in card.inputs if shown.frame(f).isna().to_numpy().all()]:
            notes.append(f"{card.title} needs {_listed(missing)}, not known of {symbol}.")
            continue
        drawn = {key: frame.loc[shown.index[0] :, symbol] for key, frame in compute(name, whole, **given).items()}
        title = _title(card, given)
        if all(line.isna().all() for line in drawn.values()):
            need = card.warmup(**{**card.params, **given})
            notes.append(f"{title} needs {need:,} sessions before its first value; {symbol} has {len(whole):,}.")
        elif card.overlay:
            overlays |= {title if key == name else f"{title}: {key}": line for key, line in drawn.items()}
        else:
            panes.append(_pane(card, title, drawn, unit))
    draw = candlestick if candles else price_line
    figure = draw(shown, symbol, overlays, unit="$" if unit == "USD" else unit, log=log)
    return InstrumentView(stack([figure, *panes]), tuple(notes), shown.snapshot_id)


def _title(card: Indicator, given: dict[str, float]) -> str:
    values = [f"{value:g}" for value in {**card.params, **given}.values() if value is not None]
    return f"{card.title} ({', '.join(values)})"


def _pane(card: Indicator, title: str, drawn: dict[str, pd.Series], currency: str) -> go.Figure:
    factor, unit = {
        "percent": (100.0, "%"),
        "price": (1.0, currency),
        "index": (1.0, "0 to 100"),
        "deviations": (1.0, "deviations"),
    }[card.unit]
    return indicator_pane(
        {key: line * factor for key, line in drawn.items()}, title, LEVELS.get(card.name), unit=unit, height=150
    )


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
