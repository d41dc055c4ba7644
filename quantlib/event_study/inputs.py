"""The door of the event study: events, series and plan are checked here once and trusted inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError, nearest
from quantlib.event_study.days import event_days, rows_of
from quantlib.event_study.windows import LEAST, Plan
from quantlib.types import FloatArray, Panel

MODELS = ("market", "factors", "mean")


@dataclass(frozen=True, eq=False)
class Series:
    """Log returns [T, N] of the assets studied, and returns [T, K] of what explains them, with the names of both."""

    symbols: tuple[str, ...]
    moves: FloatArray
    names: tuple[str, ...]
    explained_by: FloatArray


@dataclass(frozen=True, eq=False)
class Given:
    """The events as asked for: rows in the panel (-1 outside), which assets each is of [E, N], and their table."""

    rows: NDArray[np.intp]
    masks: NDArray[np.bool_]
    table: pd.DataFrame


def plan_of(
    before: int,
    after: int,
    estimation: int,
    gap: int,
    over: tuple[int, int] | None,
    samples: int,
    placebos: int,
    confidence: float,
) -> Plan:
    """Return the plan of a study, refusing numbers out of range."""
    least = {"before": 0, "after": 0, "estimation": LEAST, "gap": 0, "samples": 0, "placebos": 0}
    for name, value in zip(least, (before, after, estimation, gap, samples, placebos), strict=True):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < least[name]:
            raise DataError(f"{name} is {value!r}; accepted: a whole number of {least[name]} or more.")
    if not 0.0 < confidence < 1.0:
        raise DataError(f"confidence is {confidence!r}; accepted: a fraction between 0 and 1, such as 0.95.")
    first, last = (-before, after) if over is None else over
    if not -before <= first <= last <= after:
        raise DataError(
            f"over is ({first}, {last}); accepted: two days of the window from {-before} to {after}, the first first."
        )
    return Plan(int(before), int(after), int(estimation), int(gap), (int(first), int(last)))


def series_of(panel: Panel, model: str, market: str | None, factors: Sequence[str]) -> Series:
    """Return what is studied and what explains it."""
    if model not in MODELS:
        raise DataError(f"There is no model {model!r}. {nearest(model, MODELS)}")
    if isinstance(factors, str):
        raise DataError(f"factors is the text {factors!r}; give a list of symbols.")
    names = {"market": () if market is None else (market,), "factors": tuple(factors), "mean": ()}[model]
    if model != "mean" and not names:
        raise DataError(f'The model "{model}" needs {model}=, symbols of the panel; or take model="mean".')
    extras = {name for name, values in panel.extra.items() if values.ndim == 1}
    for name in names:
        if name not in panel.symbols and name not in extras:
            known = nearest(name, [*panel.symbols, *extras])
            raise DataError(f"{name!r} is neither a symbol nor a [T] extra of the panel. {known}")
    moves = np.full(panel.close.shape, np.nan)
    moves[1:] = np.diff(np.log(panel.close), axis=0)
    place = {symbol: i for i, symbol in enumerate(panel.symbols)}
    columns = [moves[:, place[name]] if name in place else panel.extra[name] for name in names]
    studied = [i for symbol, i in place.items() if symbol not in names]
    if not studied:
        raise DataError("The panel has no asset to study besides what explains it. Add a symbol.")
    return Series(
        symbols=tuple(panel.symbols[i] for i in studied),
        moves=moves[:, studied],
        names=names,
        explained_by=np.column_stack(columns) if columns else np.empty((len(moves), 0)),
    )


def given_events(
    events: object,
    index: pd.DatetimeIndex,
    symbols: tuple[str, ...],
    doses: pd.Series | Sequence[float] | None,
    calendar: str,
) -> Given:
    """Return the events with their rows, assets and doses."""
    if isinstance(events, pd.DataFrame):
        sessions = event_days(events, index, calendar=calendar)
        table = pd.DataFrame({"session": sessions})
        for name in ("symbol", "title", "kind"):
            if name in events:
                table[name] = events[name].to_numpy()
    else:
        days = pd.DatetimeIndex(np.asarray(events, dtype="datetime64[us]"))
        rows = rows_of(days, index)
        table = pd.DataFrame({"session": days}, index=pd.Index(days.strftime("%Y-%m-%d"), name="id"))
        table.loc[rows >= 0, "session"] = index[rows[rows >= 0]].to_numpy()
    if table.empty:
        raise DataError("There are no events. Give at least one.")
    masks = np.ones((len(table), len(symbols)), dtype=bool)
    if "symbol" in table:
        masks = table["symbol"].to_numpy()[:, None] == np.array(symbols, dtype=object)[None, :]
        if (strange := ~masks.any(axis=1)).any():
            name = str(table["symbol"].to_numpy()[strange][0])
            raise DataError(f"An event is of {name!r}, which is not studied. {nearest(name, symbols)}")
    rows = rows_of(pd.DatetimeIndex(table["session"]), index)
    return Given(rows, masks, table.assign(dose=_doses(doses, table.index)))


def _doses(doses: pd.Series | Sequence[float] | None, ids: pd.Index) -> FloatArray:
    """Return the dose of each event, NaN where it has none."""
    if doses is None:
        return np.full(len(ids), np.nan)
    if isinstance(doses, pd.Series):
        if not doses.index.is_unique:
            raise DataError(f"Doses name the event {doses.index[doses.index.duplicated()][0]!r} twice. Name it once.")
        values = doses.reindex(ids).to_numpy(dtype=np.float64)
        if len(doses) and not doses.index.isin(ids).any():
            raise DataError(f"No dose is of an event given; the first is of {doses.index[0]!r}. Index them by id.")
    else:
        values = np.asarray(doses, dtype=np.float64)
        if values.shape != (len(ids),):
            raise DataError(f"There are {len(values)} doses for {len(ids)} events. Give one each, NaN where unknown.")
    if np.isinf(values).any():
        raise DataError("A dose is infinite. Use NaN where it is not known.")
    return values
