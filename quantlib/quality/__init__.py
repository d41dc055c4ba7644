"""The quality of bars: checks that take frames and give findings; no database, no network, no clock.

Examples
--------
>>> found = inspect(histories(bars))  # doctest: +SKIP
>>> found.groupby("check_name").size()  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.quality.agreement import TOLERANCE, adjusted_close, side_by_side, vendor_disagreement
from quantlib.quality.calendars import calendar_of, expected_last, sessions
from quantlib.quality.check import Check, Hit
from quantlib.quality.dates import extra_sessions, missing_sessions, shifted_dates
from quantlib.quality.history import History, histories
from quantlib.quality.levels import hundredfold, outlier, phantom_split
from quantlib.quality.order import swapped_days
from quantlib.quality.repeats import doubled_session, idle_volume, stuck_prices, unknown_values

__all__ = [
    "CHECKS",
    "FINDING_COLUMNS",
    "TOLERANCE",
    "Check",
    "History",
    "Hit",
    "calendar_of",
    "expected_last",
    "histories",
    "inspect",
    "sessions",
    "side_by_side",
]

FINDING_COLUMNS = ("symbol", "source", "ts", "check_name", "grade", "reason", "before", "after")

CHECKS: dict[str, Check] = {
    "missing_sessions": Check(
        name="missing_sessions",
        title="Missing sessions",
        finds="Sessions of the exchange calendar without a bar, and series that have stopped.",
        grade="late",
        needs=("calendar",),
        find=missing_sessions,
    ),
    "extra_sessions": Check(
        name="extra_sessions",
        title="Bars on closed days",
        finds="Bars on days on which the exchange had no session.",
        grade="suspect",
        needs=("calendar",),
        find=extra_sessions,
    ),
    "shifted_dates": Check(
        name="shifted_dates",
        title="Dates off by a day",
        finds="Stretches of bars dated a day early or late, as an error of time zone or summer time leaves them.",
        grade="suspect",
        needs=("calendar",),
        find=shifted_dates,
    ),
    "swapped_days": Check(
        name="swapped_days",
        title="Exchanged days",
        finds="Two neighbouring bars that fit far better the other way round; proposes the exchange.",
        grade="suspect",
        needs=("open, high, low",),
        find=swapped_days,
    ),
    "hundredfold": Check(
        name="hundredfold",
        title="Powers of ten",
        finds="Prices 10, 100 or 1,000 times too high or low for a few sessions; proposes the division.",
        grade="suspect",
        needs=(),
        find=hundredfold,
    ),
    "phantom_split": Check(
        name="phantom_split",
        title="Splits nobody announced",
        finds="Prices that jump by a simple ratio and stay, without news in the volume or a split in the actions.",
        grade="suspect",
        needs=(),
        find=phantom_split,
    ),
    "outlier": Check(
        name="outlier",
        title="Moves taken back",
        finds="Moves of more than 12 typical ones, against the market, undone the session after.",
        grade="suspect",
        needs=(),
        find=outlier,
    ),
    "stuck_prices": Check(
        name="stuck_prices",
        title="Stuck prices",
        finds="Three or more sessions in a row that repeat the price before, without any range.",
        grade="suspect",
        needs=(),
        find=stuck_prices,
    ),
    "doubled_session": Check(
        name="doubled_session",
        title="Doubled sessions",
        finds="Whole bars with volume that are those of the session before.",
        grade="suspect",
        needs=("open, high, low", "volume"),
        find=doubled_session,
    ),
    "idle_volume": Check(
        name="idle_volume",
        title="Moves without volume",
        finds="Sessions with no volume on which the price moved, where volume is otherwise known.",
        grade="suspect",
        needs=("volume",),
        find=idle_volume,
    ),
    "unknown_values": Check(
        name="unknown_values",
        title="Unknown values",
        finds="Bars without a value that most bars of the series have.",
        grade="late",
        needs=(),
        find=unknown_values,
    ),
    "adjusted_close": Check(
        name="adjusted_close",
        title="Close against adjusted close",
        finds="Sessions on which the two move apart by what can be no dividend, or not the one in the actions.",
        grade="disagree",
        needs=("adj_close",),
        find=adjusted_close,
    ),
    "vendor_disagreement": Check(
        name="vendor_disagreement",
        title="Sources that disagree",
        finds="Returns that differ by more than 0.2 % from those of another source.",
        grade="disagree",
        needs=("other source",),
        find=vendor_disagreement,
    ),
}


def inspect(
    series: Sequence[History],
    checks: Iterable[str] | None = None,
    *,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Return what the checks find in some histories, one row a finding, by symbol, source, date and check.

    Parameters
    ----------
    series
        From `histories`.
    checks
        Keys of `CHECKS`; all of them if None.
    on_progress
        Called with histories done, in all, and the symbol being looked at.

    Returns
    -------
    DataFrame
        `symbol`, `source`, `ts`, `check_name`, `grade`, `reason`; `before` and `after` are dicts of columns where a
        repair is proposed, else None.

    Raises
    ------
    DataError
        There is no such check.
    """
    names = list(CHECKS) if checks is None else list(checks)
    if wrong := [name for name in names if name not in CHECKS]:
        raise DataError(f"There is no check {wrong[0]!r}. {nearest(wrong[0], CHECKS)}")
    rows = []
    for done, one in enumerate(series):
        if on_progress is not None:
            on_progress(done, len(series), one.symbol)
        for name in names:
            rows += [
                (one.symbol, one.source, hit.ts, name, CHECKS[name].grade, hit.reason, hit.before, hit.after)
                for hit in CHECKS[name].find(one)
            ]
    if on_progress is not None:
        on_progress(len(series), len(series), "")
    found = pd.DataFrame(rows, columns=list(FINDING_COLUMNS)).astype(
        dict.fromkeys(("symbol", "source", "check_name", "grade", "reason"), "str")
        | {"ts": "datetime64[us]", "before": object, "after": object}
    )
    return found.sort_values(["symbol", "source", "ts", "check_name"], ignore_index=True)
