"""What a target is: a label for each row, and the session at whose close it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from quantlib.errors import DataError

Kind = Literal["classification", "regression"]


@dataclass(frozen=True)
class Target:
    """A target as the trainer, the forms and the model card see it.

    Parameters
    ----------
    name
        Its key in `TARGETS`.
    title
        Its name for people.
    description
        What a label is, in a sentence.
    kind
        "classification": labels are 1.0 and 0.0, models give the probability of 1; "regression": numbers.
    build
        Takes a panel, `horizon` and its own parameters by name; returns a table indexed (ts, symbol):

        - `label`: NaN where it is not known by the panel's end;
        - `label_end`: the session at whose close it is known, NaT beside an unknown label;
        - `settled`, for targets known sooner here than there: the session at whose close any such label is known;
        - `forward_return`: the simple return to that close (of the trade, where there is a side);
        - `naive`, for targets that last from one day to the next: what they stand at now;
        - `side`, for targets about trades: 1 or -1, NaN where there is none and so nothing to be asked.
    """

    name: str
    title: str
    description: str
    kind: Kind
    build: Callable[..., pd.DataFrame]


def sessions_ahead(horizon: object, *, least: int = 1) -> int:
    """Return a horizon in sessions, refusing what is not a whole number of at least `least`."""
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < least:
        raise DataError(f"horizon is {horizon!r}; accepted: a whole number of sessions, {least} or more.")
    return horizon


def ends(close: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return the session `horizon` rows later [time x symbol], NaT where there is none yet."""
    dates = pd.Series(close.index, index=close.index).shift(-horizon)
    return pd.DataFrame(dict.fromkeys(close.columns, dates))
