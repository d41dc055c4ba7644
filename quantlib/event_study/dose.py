"""How an event's effect grows with how strong it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.event_study.clusters import FEW, by_cluster, interval, regression, two_sided
from quantlib.event_study.result import DoseResponse
from quantlib.event_study.windows import Plan
from quantlib.types import FloatArray

Rows = NDArray[np.intp]


def dose_response(
    per_event: FloatArray,
    cars: FloatArray,
    doses: FloatArray,
    labels: Rows,
    plan: Plan,
    draws: FloatArray,
    confidence: float,
) -> DoseResponse | None:
    """Return CAR on dose over the events whose dose is known; None for fewer clusters than `FEW`, or equal doses."""
    known = np.isfinite(doses)
    groups = len(np.unique(labels[known]))
    if groups < FEW or np.ptp(doses[known]) == 0:
        return None
    x = np.column_stack([np.ones(known.sum()), doses[known]])
    y = np.column_stack([cars, per_event])[known]
    fitted, errors = regression(y, x, labels[known])
    slope, error = float(fitted[1, 0]), float(errors[1, 0])
    left = float(((y[:, 0] - x @ fitted[:, 0]) ** 2).sum())
    spread = float(((y[:, 0] - y[:, 0].mean()) ** 2).sum())
    low, high = _slope_interval(y[:, 0], doses[known], labels[known], draws, confidence)
    daily = {"slope": fitted[1, 1:], "error": errors[1, 1:]}
    return DoseResponse(
        slope=slope,
        error=error,
        ci_low=low,
        ci_high=high,
        intercept=float(fitted[0, 0]),
        p_value=two_sided(slope / error, groups) if error > 0 else float("nan"),
        r_squared=1.0 - left / spread if spread > 0 else float("nan"),
        n=int(known.sum()),
        clusters=groups,
        daily=pd.DataFrame(daily, index=pd.Index(plan.days, name="day")),
    )


def _slope_interval(
    y: FloatArray, x: FloatArray, labels: Rows, draws: FloatArray, confidence: float
) -> tuple[float, float]:
    """Return the percentile interval of the slope over bootstrap samples of whole clusters."""
    if not len(draws):
        return float("nan"), float("nan")
    sums = by_cluster(np.column_stack([np.ones_like(x), x, y, x * x, x * y]), labels)
    n, sx, sy, sxx, sxy = (draws[:, : len(sums)] @ sums).T
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    low, high = interval(np.where(np.isfinite(slopes), slopes, np.nan), confidence)
    return float(low), float(high)
