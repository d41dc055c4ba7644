"""What the date itself says: week, month and year."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.table import wide_table
from quantlib.types import Panel


def calendar(panel: Panel) -> pd.DataFrame:
    """Return calendar features by date, one row a (ts, symbol), NaN where the symbol has no close.

    Cycles come as sine and cosine, so that a Friday is near a Monday and December near January.
    """
    dates = panel.index
    week = 2 * np.pi * dates.day_of_week.to_numpy() / 7
    year = 2 * np.pi * (dates.day_of_year.to_numpy() - 1) / 365.25
    values = {
        "days_to_month_end": (dates.days_in_month - dates.day).to_numpy(dtype=np.float64),
        "week_sin": np.sin(week),
        "week_cos": np.cos(week),
        "year_sin": np.sin(year),
        "year_cos": np.cos(year),
    }
    known = panel.frame().notna()
    here = known.astype(float).where(known)
    return wide_table(panel, {name: here.mul(value, axis=0) for name, value in values.items()})


CALENDAR = FeatureGroup(
    "calendar",
    "Calendar",
    "Day of the week, days left in the month, time of the year.",
    calendar,
    {
        "days_to_month_end": "Calendar days left in the month",
        "week_sin": "Day of the week, sine",
        "week_cos": "Day of the week, cosine",
        "year_sin": "Time of the year, sine",
        "year_cos": "Time of the year, cosine",
    },
    0,
)
