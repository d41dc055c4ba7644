"""What an event study found, and what of it a simulator can take up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.event_study.clusters import mean_and_t
from quantlib.types import FloatArray

Model = Literal["market", "factors", "mean"]


@dataclass(frozen=True, eq=False)
class DoseResponse:
    """CAR = intercept + slope x dose over the events whose dose is known, with clustered errors.

    Parameters
    ----------
    slope, error, ci_low, ci_high
        Log return for each unit of the dose, its standard error and its interval; NaN below eight clusters.
    intercept
        CAR of an event without surprise.
    p_value
        Of no slope, two-sided, by Student's law with one degree less than clusters.
    r_squared
        Share of the CARs' variance that the dose explains.
    n, clusters
        Events with a dose, and clusters of overlapping windows they make.
    daily
        By day: slope and error of that day's abnormal return.
    """

    slope: float
    error: float
    ci_low: float
    ci_high: float
    intercept: float
    p_value: float
    r_squared: float
    n: int
    clusters: int
    daily: pd.DataFrame


@dataclass(frozen=True, eq=False)
class EventStudy:
    """Abnormal log returns around E events of N assets, and how sure one can be of their mean.

    Parameters
    ----------
    model
        What was taken off: the market's or factors' part, or the mean.
    explained_by
        Symbols of the market or the factors; empty for the mean.
    symbols
        The assets studied.
    before, after, estimation, gap
        The plan, in sessions; the window is `before` … `after` around the event.
    over
        First and last day summed to an event's CAR.
    confidence
        Of all intervals.
    by_event
        By id, in time: session, assets (how many count), car (mean over its assets), standardised (the mean of
        their CARs over the standard deviations of their prediction), cluster, dose, sessions (fewest the model was
        fitted on), and title and kind where the events have them.
    left_out
        By id: session and reason of each event that is not in the study.
    abnormal
        Abnormal log returns [E, D, N]; NaN where an asset has no whole window.
    by_day
        By day from the event: ar (mean abnormal return), ar_error, car (mean, cumulated from the window's begin),
        error, ci_low, ci_high (clustered bootstrap), placebo_low, placebo_high (where placebo dates end up),
        volatility (standard deviation of standardised abnormal returns: 1 is a day like any other).
    by_symbol
        car, error, ci_low, ci_high, p_value and n by asset.
    car, error, ci_low, ci_high
        Mean CAR over the days counted, its clustered standard error, and its clustered bootstrap interval.
    t, p_value
        The mean over its error, and the p-value by Student's law.
    t_standardised, p_standardised
        The same of standardised CARs, in which calm events weigh as much as wild ones (Boehmer and others 1991).
    p_placebo
        P-value by placebo dates.
    clusters, placebos
        Clusters of events with overlapping windows, and how many sets of placebo dates were drawn.
    dose
        How the CAR grows with the surprise; None where too few doses are known.
    notes
        What to know about it, one sentence each.
    """

    model: Model
    explained_by: tuple[str, ...]
    symbols: tuple[str, ...]
    before: int
    after: int
    estimation: int
    gap: int
    over: tuple[int, int]
    confidence: float
    by_event: pd.DataFrame
    left_out: pd.DataFrame
    abnormal: FloatArray
    by_day: pd.DataFrame
    by_symbol: pd.DataFrame
    car: float
    error: float
    ci_low: float
    ci_high: float
    t: float
    p_value: float
    t_standardised: float
    p_standardised: float
    p_placebo: float
    clusters: int
    placebos: int
    dose: DoseResponse | None
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Events in the study."""
        return len(self.by_event)

    def abnormal_frame(self) -> pd.DataFrame:
        """Return the mean abnormal return over assets by event and day [event x day]."""
        days = pd.Index(range(-self.before, self.after + 1), name="day")
        return pd.DataFrame(mean_known(self.abnormal, axis=2), index=self.by_event.index, columns=days)

    def impulse(self, *, per: Literal["event", "dose"] = "event", by_symbol: bool = False) -> dict[str, Any]:
        """Return the response from the event's day on, as fields of the simulator `Impulse`.

        Parameters
        ----------
        per
            "event": the mean response to an event. "dose": to one unit of the dose.
        by_symbol
            Whether each asset has its own response; only per event.

        Returns
        -------
        dict
            response, error (log returns by day), volatility (multiples by day), and symbols if by asset.

        Raises
        ------
        DataError
            Too few doses are known, or a response per dose is wanted by asset.

        Examples
        --------
        >>> Impulse(inner=GBM(), days=(5,), doses=(2.0,), **found.impulse(per="dose"))  # doctest: +SKIP
        """
        volatility = tuple(float(v) if np.isfinite(v) else 1.0 for v in self.by_day["volatility"].loc[0:])
        if per == "dose":
            if self.dose is None or by_symbol:
                why = "by asset; it is known for their mean only" if by_symbol else "because too few doses are known"
                raise DataError(f"There is no response per dose {why}. Take the response per event.")
            daily = self.dose.daily.loc[0:]
            found, error = daily["slope"].to_numpy(), daily["error"].to_numpy()
        elif by_symbol:
            part = self.abnormal[:, self.before :].reshape(self.n, -1).T
            flat, t, _ = mean_and_t(part, np.tile(self.by_event["cluster"], (len(part), 1)))
            spread = np.divide(flat, t, out=np.full_like(flat, np.nan), where=np.isfinite(t) & (t != 0))
            shape = self.abnormal.shape[1] - self.before, len(self.symbols)
            found, error = flat.reshape(shape), spread.reshape(shape)
        else:
            found, error = (self.by_day[name].loc[0:].to_numpy() for name in ("ar", "ar_error"))
        fields: dict[str, Any] = {
            "response": tuple(map(tuple, found.tolist())) if by_symbol else tuple(found.tolist()),
            "volatility": volatility,
        }
        if np.isfinite(error).all():
            fields["error"] = tuple(map(tuple, error.tolist())) if by_symbol else tuple(error.tolist())
        return fields | ({"symbols": self.symbols} if by_symbol else {})


def mean_known(values: FloatArray, axis: int) -> FloatArray:
    """Return the mean of the known values along an axis, NaN where there are none."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=axis) / known.sum(axis=axis))
