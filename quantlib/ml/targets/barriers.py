"""Which of two barriers the close meets first, and whether a strategy's own trade would gain by then."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.indicators import rolling_volatility
from quantlib.ml.table import long_table, wide_table
from quantlib.ml.targets.target import Target, ends, sessions_ahead
from quantlib.types import Panel

VOLATILITY = 21


def triple_barrier(panel: Panel, *, horizon: int = 21, width: float = 1.0) -> pd.DataFrame:
    """Return 1.0 where the upper barrier is met first, 0.0 where the lower, else by the return at the horizon.

    The barriers stand `width` standard deviations of the horizon's return away from the close, by the volatility of
    the last 21 sessions; closes are what meets them. `label_end` is the session they are met at, or the horizon. A
    label is given only where the whole horizon lies in the panel: near its end only those met early are known, which
    would tell more of quick moves than there are.

    Parameters
    ----------
    panel
        Closes are enough.
    horizon
        Sessions until the vertical barrier.
    width
        Above 0.

    Raises
    ------
    DataError
        The horizon is below 1 or the width not above 0.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, chapter 3.
    """
    table = _first_touch(panel, horizon, width)
    reached = table["forward_return"]
    return table.assign(label=(reached > 0).astype(float).where(reached.notna()))


def meta_label(panel: Panel, *, side: pd.DataFrame | str, horizon: int = 21, width: float = 1.0) -> pd.DataFrame:
    """Return 1.0 where a trade on a strategy's own side gains by the first barrier, else 0.0; NaN without a side.

    The side says whether to be long or short; a model of this label says whether to trust it, and how much to bet.
    `forward_return` is that of the trade. Barriers are those of `triple_barrier`. Where there is no side there is
    nothing to be asked: `side` is NaN.

    Parameters
    ----------
    panel
        Closes are enough.
    side
        A strategy's target weights [time x symbol], of which the sign counts, or the name of such an extra.
    horizon, width
        As in `triple_barrier`.

    Raises
    ------
    DataError
        The side lacks the panel's sessions or symbols, or has no side anywhere; and as in `triple_barrier`.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, chapter 3.6.
    """
    if isinstance(side, str):
        side = panel.frame(side)
    if missing := [symbol for symbol in panel.symbols if symbol not in side.columns]:
        raise DataError(f"The side says nothing of {missing[0]!r}. {nearest(missing[0], side.columns)}")
    if len(strange := panel.index.difference(pd.DatetimeIndex(side.index))):
        raise DataError(f"The side has no row for {strange[0]:%Y-%m-%d}; it needs one for every session of the panel.")
    given = side.reindex(index=panel.index, columns=list(panel.symbols))
    sign = (given > 0).astype(float) - (given < 0).astype(float)
    table = _first_touch(panel, horizon, width)
    taken = wide_table(panel, {"side": sign})["side"]
    taken = taken.where(taken != 0)
    if not taken.notna().any():
        raise DataError("The side is 0 everywhere: the strategy never trades, so there is no trade to judge.")
    gained = taken * table["forward_return"]
    known = gained.notna()
    return table.assign(
        label=(gained > 0).astype(float).where(known),
        label_end=table["label_end"].where(known),
        settled=table["settled"].where(known),
        forward_return=gained,
        side=taken,
    )


def _first_touch(panel: Panel, horizon: int, width: float) -> pd.DataFrame:
    """Return the return and the session at the first barrier met."""
    ahead = sessions_ahead(horizon)
    if not width > 0:
        raise DataError(f"width is {width!r}; accepted: a number above 0, in standard deviations.")

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        price = close.to_numpy()
        barrier = width * np.sqrt(ahead) * rolling_volatility(close, VOLATILITY, periods_per_year=1).to_numpy()
        sessions, reached = np.zeros(price.shape, dtype=np.intp), np.full(price.shape, np.nan)
        open_rows = np.arange(len(price))[:, None] + ahead < len(price)
        for k in range(1, ahead + 1):
            change = price[k:] / price[:-k] - 1.0
            here = slice(0, len(change))
            met = (sessions[here] == 0) & open_rows[here] & np.isfinite(barrier[here])
            if k < ahead:
                met &= np.abs(change) >= barrier[here]
            sessions[here][met], reached[here][met] = k, change[met]
        dates = close.index.to_numpy()
        at = np.minimum(np.arange(len(price))[:, None] + sessions, len(price) - 1)
        met_at = np.where(sessions > 0, dates[at], np.datetime64("NaT"))
        change_then = pd.DataFrame(reached, index=close.index, columns=close.columns)
        known_at = pd.DataFrame(met_at, index=close.index, columns=close.columns)
        by_then = ends(close, ahead).where(change_then.notna())
        return {"label": change_then, "label_end": known_at, "settled": by_then, "forward_return": change_then}

    return long_table(panel, columns)


TRIPLE_BARRIER = Target(
    "triple_barrier",
    "Triple barrier",
    "Whether the upper barrier is met before the lower one, or the close is higher at the horizon.",
    "classification",
    triple_barrier,
)
META_LABEL = Target(
    "meta_label",
    "Meta-label",
    "Whether the trade a strategy has on gains by the first barrier met.",
    "classification",
    meta_label,
)
