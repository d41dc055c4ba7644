"""The event study: abnormal returns around events, their mean, and whether chance would do as much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.errors import DataError
from quantlib.event_study.clusters import (
    FEW,
    cluster_draws,
    clusters_of,
    interval,
    mean_and_error,
    mean_and_t,
    resampled_interval,
    two_sided,
)
from quantlib.event_study.dose import dose_response
from quantlib.event_study.inputs import Given, given_events, plan_of, series_of
from quantlib.event_study.placebo import p_value, placebo_studies, statistic
from quantlib.event_study.result import EventStudy, Model, mean_known
from quantlib.event_study.windows import LEAST, Plan, windows_of
from quantlib.types import FloatArray, Panel

Rows = NDArray[np.intp]
Events = pd.DataFrame | pd.Series | pd.DatetimeIndex | Sequence[pd.Timestamp]


@dataclass(frozen=True, eq=False)
class _Gathered:
    """The windows of the E events that have one, in time: of their N assets, and means over those."""

    abnormal: FloatArray  # [E, D, N]
    standardised: FloatArray  # [E, D, N]
    cars: FloatArray  # [E], means over assets
    scaled: FloatArray  # [E], means over assets of CAR / its spread
    sessions: FloatArray  # [E]
    eligible: Rows  # rows at which some asset has a window
    around: FloatArray  # [T, D], means over all assets around every row


def study(
    panel: Panel,
    events: Events,
    *,
    model: Model = "market",
    market: str | None = None,
    factors: Sequence[str] = (),
    estimation: int = 250,
    gap: int = 20,
    before: int = 5,
    after: int = 10,
    over: tuple[int, int] | None = None,
    doses: pd.Series | Sequence[float] | None = None,
    calendar: str = "XNYS",
    samples: int = 2000,
    placebos: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
) -> EventStudy:
    """Return how the assets of a panel moved around events beyond what a model of each expects.

    The model is fitted on the sessions before each event, so nothing later enters. Assets of an event are averaged
    before anything is tested: what they share on its day then counts once, which is what Kolari and Pynnönen (2010)
    correct for. Events whose windows share a session are one cluster in every error, interval and test.

    Parameters
    ----------
    panel
        Closes of the assets, and of market or factors. Every symbol that is neither is studied.
    events
        A table as `event_days` takes it, with `symbol` where an event is of one asset only; or the sessions
        themselves, a day without one counting as the next.
    model
        "market": the asset on the market, with an intercept. "factors": on several. "mean": its own mean.
    market
        The symbol that is the market.
    factors
        Symbols, or [T] extras of the panel that hold returns.
    estimation, gap
        Sessions the model is fitted on, which end `gap` sessions before the window begins. Where the history has
        less, what there is, if at least 60.
    before, after
        The window: that many sessions before and after the event's.
    over
        First and last day summed to the CAR, such as (0, 1); the whole window if None.
    doses
        How strong each event was, such as surprises in standard deviations: by id, or in the order of the events;
        NaN where not known.
    calendar
        Exchange calendar of the prices, by which moments become sessions.
    samples
        Bootstrap samples of the intervals.
    placebos
        Sets of placebo dates.
    confidence
        Of intervals and of the placebo band.
    seed
        Of both lots.

    Raises
    ------
    DataError
        A number is out of range, a symbol is missing, or no event can be studied; the message counts the reasons.

    References
    ----------
    MacKinlay, A. C. (1997), Event Studies in Economics and Finance. Boehmer, E., Musumeci, J. and Poulsen, A.
    (1991), Event-study methodology under conditions of event-induced variance. Kolari, J. and Pynnönen, S. (2010),
    Event Study Testing with Cross-sectional Correlation of Abnormal Returns.

    Examples
    --------
    >>> found = study(panel, fomc, model="mean", before=1, after=1)  # doctest: +SKIP
    >>> found.car, found.ci_low, found.ci_high, found.p_placebo  # doctest: +SKIP
    """
    plan = plan_of(before, after, estimation, gap, over, samples, placebos, confidence)
    series = series_of(panel, model, market, factors)
    given = given_events(events, panel.index, series.symbols, doses, calendar)
    got, kept, left_out = _gather(series.moves, series.explained_by, given, plan, panel.index)
    rows = given.rows[kept]
    labels = clusters_of(rows, plan.span)
    rng = np.random.default_rng(seed)
    per_event = mean_known(got.abnormal, axis=2)
    paths = np.cumsum(per_event, axis=1)
    ar, ar_error = mean_and_error(per_event, labels)
    path, path_error = mean_and_error(paths, labels)
    draws = cluster_draws(labels, samples, rng)
    ends = resampled_interval(np.column_stack([paths, got.cars]), labels, draws, confidence)

    def mean_of(mask: NDArray[np.bool_]) -> FloatArray:
        if mask.all():
            return got.around
        return _mean_around((series.moves[:, i] for i in np.flatnonzero(mask)), series.explained_by, plan)

    drawn = placebo_studies(mean_of, given.masks[kept], rows, got.eligible, plan, placebos, rng)
    band = interval(drawn.paths, confidence) if placebos else np.full((2, plan.length), np.nan)
    mean, t, groups = (float(v[0]) for v in mean_and_t(got.cars[None], labels[None]))
    scaled_known = np.isfinite(got.scaled)
    _, t_scaled, _ = (float(v[0]) for v in mean_and_t(got.scaled[None], labels[None]))
    real_mean, real_t = (float(v[0]) for v in statistic(got.cars[None], rows[None], plan.span))
    by_t = np.isfinite(real_t) and bool(np.isfinite(drawn.t).any())
    by_event = given.table.iloc[kept].assign(
        assets=np.isfinite(got.abnormal[:, 0]).sum(axis=1),
        car=got.cars,
        standardised=got.scaled,
        cluster=labels,
        sessions=got.sessions.astype(int),
    )
    return EventStudy(
        model=model,
        explained_by=series.names,
        symbols=series.symbols,
        before=before,
        after=after,
        estimation=estimation,
        gap=gap,
        over=plan.over,
        confidence=confidence,
        by_event=by_event,
        left_out=left_out,
        abnormal=got.abnormal,
        by_day=pd.DataFrame(
            {
                "ar": ar,
                "ar_error": ar_error,
                "car": path,
                "error": path_error,
                "ci_low": ends[0, :-1],
                "ci_high": ends[1, :-1],
                "placebo_low": band[0],
                "placebo_high": band[1],
                "volatility": _volatility(got.standardised),
            },
            index=pd.Index(plan.days, name="day"),
        ),
        by_symbol=_by_symbol(got.abnormal, labels, series.symbols, plan, draws, confidence),
        car=mean,
        error=mean / t if np.isfinite(t) and t else float("nan"),
        ci_low=float(ends[0, -1]),
        ci_high=float(ends[1, -1]),
        t=t,
        p_value=two_sided(t, groups),
        t_standardised=t_scaled if scaled_known.any() else float("nan"),
        p_standardised=two_sided(t_scaled, groups),
        p_placebo=p_value(real_t, drawn.t) if by_t else p_value(real_mean, drawn.cars),
        clusters=int(groups),
        placebos=placebos,
        dose=dose_response(per_event, got.cars, by_event["dose"].to_numpy(), labels, plan, draws, confidence),
        notes=_notes(left_out, len(given.rows), got.sessions, int(groups), plan),
    )


def _gather(
    moves: FloatArray, explained_by: FloatArray, given: Given, plan: Plan, index: pd.DatetimeIndex
) -> tuple[_Gathered, Rows, pd.DataFrame]:
    """Return the windows of the events that have one, which those are, and the others with the reason."""
    events, assets = len(given.rows), moves.shape[1]
    at = np.clip(given.rows, 0, len(index) - 1)
    abnormal, standardised = (np.full((events, plan.length, assets), np.nan) for _ in range(2))
    cars, scaled, sessions = (np.full((events, assets), np.nan) for _ in range(3))
    around = _Mean(len(index), plan.length)
    for i in range(assets):
        mine = given.masks[:, i] & (given.rows >= 0)
        windows = windows_of(moves[:, i], explained_by, plan)
        around.add(windows.abnormal)
        abnormal[mine, :, i] = windows.abnormal[at[mine]]
        standardised[mine, :, i] = windows.abnormal[at[mine]] / windows.spread[at[mine]]
        cars[mine, i] = windows.car[at[mine]]
        scaled[mine, i] = windows.car[at[mine]] / windows.car_spread[at[mine]]
        sessions[mine, i] = windows.sessions[at[mine]]
    whole = np.isfinite(cars).any(axis=1)
    reasons = []
    for e in np.flatnonzero(~whole):
        row, fitted = given.rows[e], np.nan_to_num(sessions[e]).max()
        if row < 0:
            reason = "outside the prices"
        elif row + plan.after >= len(index):
            reason = "its window reaches beyond the last session"
        elif fitted < LEAST:
            reason = f"fewer than {LEAST} known sessions before it"
        else:
            reason = "a price in its window is not known"
        reasons.append(reason)
    left_out = given.table.loc[~whole, ["session"]].assign(reason=pd.array(reasons, dtype="str"))
    if not whole.any():
        counts = ", ".join(f"{n:,} {why}" for why, n in left_out["reason"].value_counts().items())
        raise DataError(
            f"None of the {events:,} events can be studied: {counts}. The prices go from {index[0]:%Y-%m-%d} to "
            f"{index[-1]:%Y-%m-%d}; take a longer history, or a shorter window."
        )
    kept = np.flatnonzero(whole)
    kept = kept[np.argsort(given.rows[kept], kind="stable")]
    used = np.where(np.isfinite(cars[kept]), sessions[kept], np.inf).min(axis=1)
    got = _Gathered(
        abnormal=abnormal[kept],
        standardised=standardised[kept],
        cars=mean_known(cars[kept], axis=1),
        scaled=mean_known(scaled[kept], axis=1),
        sessions=used,
        eligible=np.flatnonzero(around.n),
        around=around.value(),
    )
    return got, kept, left_out


class _Mean:
    """A running mean over assets of their windows [T, D]."""

    def __init__(self, rows: int, length: int) -> None:
        self.total, self.n = np.zeros((rows, length)), np.zeros(rows)

    def add(self, abnormal: FloatArray) -> None:
        known = np.isfinite(abnormal[:, 0])
        self.total[known] += abnormal[known]
        self.n += known

    def value(self) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return np.asarray(self.total / self.n[:, None])


def _mean_around(assets: Iterable[FloatArray], explained_by: FloatArray, plan: Plan) -> FloatArray:
    """Return the mean over assets of their abnormal returns around every row [T, D]."""
    mean = _Mean(len(explained_by), plan.length)
    for moves in assets:
        mean.add(windows_of(moves, explained_by, plan).abnormal)
    return mean.value()


def _volatility(standardised: FloatArray) -> FloatArray:
    """Return the standard deviation over events and assets of standardised abnormal returns, by day [D]."""
    flat = np.moveaxis(standardised, 1, 0).reshape(standardised.shape[1], -1)
    known = np.isfinite(flat)
    n = known.sum(axis=1)
    off = np.where(known, flat - mean_known(flat, axis=1)[:, None], 0.0)
    return np.where(n > 1, np.sqrt((off**2).sum(axis=1) / np.maximum(n - 1, 1)), np.nan)


def _by_symbol(
    abnormal: FloatArray, labels: Rows, symbols: tuple[str, ...], plan: Plan, draws: FloatArray, confidence: float
) -> pd.DataFrame:
    """Return the mean CAR of each asset with its clustered error, interval and p-value."""
    cars = abnormal[:, plan.counted].sum(axis=1)
    mean, t, groups = mean_and_t(cars.T, np.tile(labels, (len(symbols), 1)))
    low, high = resampled_interval(cars, labels, draws, confidence)
    return pd.DataFrame(
        {
            "car": mean,
            "error": np.divide(mean, t, out=np.full_like(mean, np.nan), where=np.isfinite(t) & (t != 0)),
            "ci_low": low,
            "ci_high": high,
            "p_value": [two_sided(one, of) for one, of in zip(t, groups, strict=True)],
            "n": np.isfinite(cars).sum(axis=0),
        },
        index=pd.Index(symbols, name="symbol"),
    )


def _notes(left_out: pd.DataFrame, events: int, sessions: FloatArray, clusters: int, plan: Plan) -> tuple[str, ...]:
    notes = []
    if len(left_out):
        counts = "; ".join(f"{n:,}: {why}" for why, n in left_out["reason"].value_counts().items())
        notes.append(f"{len(left_out):,} of {events:,} events are left out ({counts}).")
    if short := int((sessions < plan.estimation).sum()):
        notes.append(
            f"The model of {short:,} events is fitted on fewer than {plan.estimation} sessions, the shortest on "
            f"{int(sessions.min())}."
        )
    if clusters < len(sessions):
        notes.append(
            f"Windows overlap: the {len(sessions):,} events are {clusters:,} independent clusters at most, and errors "
            "count those."
        )
    if clusters < FEW:
        notes.append(f"Fewer than {FEW} clusters allow no interval; only placebo dates tell what chance would do.")
    return tuple(notes)
