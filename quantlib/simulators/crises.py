"""Named crises: when they were, which of them a calibration saw, and their days laid onto today's prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.simulators.learning import last_known
from quantlib.types import DateLike, FloatArray, Panel, as_date, check_span

MONTH = 21


class Crisis(NamedTuple):
    """A stretch of history in which prices broke.

    Parameters
    ----------
    title
        What it is called.
    start
        Session of the last close before it; its first return is that of the next session.
    end
        Its last session.
    us_stocks
        Change of the S&P 500 from close of `start` to close of `end`, without dividends, as a fraction.
    text
        What happened, in a sentence.
    """

    title: str
    start: pd.Timestamp
    end: pd.Timestamp
    us_stocks: float
    text: str


def _crisis(title: str, start: str, end: str, us_stocks: float, text: str) -> Crisis:
    return Crisis(title, as_date(start), as_date(end), us_stocks, text)


CRISES: dict[str, Crisis] = {
    "black-monday-1987": _crisis(
        "Black Monday 1987",
        "1987-10-13",
        "1987-10-26",
        -0.276,
        "US stocks lost a fifth on 19 October, their worst day, as portfolio insurance sold into the fall.",
    ),
    "kuwait-1990": _crisis(
        "Kuwait 1990",
        "1990-07-16",
        "1990-10-11",
        -0.199,
        "Iraq invaded Kuwait on 2 August; oil doubled and a recession began.",
    ),
    "bonds-1994": _crisis(
        "Bond sell-off 1994",
        "1994-02-02",
        "1994-04-04",
        -0.089,
        "The Federal Reserve raised its rate on 4 February, for the first time in five years; bonds fell worldwide.",
    ),
    "asia-1997": _crisis(
        "Asian crisis 1997",
        "1997-10-07",
        "1997-10-27",
        -0.108,
        "Currency crises reached Hong Kong; US stocks lost 7 % on 27 October, when trading was halted twice.",
    ),
    "ltcm-1998": _crisis(
        "Russia and LTCM 1998",
        "1998-07-17",
        "1998-10-08",
        -0.192,
        "Russia defaulted on 17 August; the hedge fund LTCM was rescued on 23 September as spreads widened everywhere.",
    ),
    "dotcom-2000": _crisis(
        "Dot-com bust 2000-02",
        "2000-03-24",
        "2002-10-09",
        -0.491,
        "Technology stocks gave back the bubble over two and a half years.",
    ),
    "september-2001": _crisis(
        "September 2001",
        "2001-09-10",
        "2001-09-21",
        -0.116,
        "After the attacks of 11 September US stock exchanges stayed shut until the 17th, and reopened to five days of "
        "selling.",
    ),
    "quants-2007": _crisis(
        "Quant unwind 2007",
        "2007-07-19",
        "2007-08-15",
        -0.094,
        "Subprime losses forced market-neutral funds to unwind the same positions, most of all from 6 to 9 August.",
    ),
    "financial-2008": _crisis(
        "Financial crisis 2007-09",
        "2007-10-09",
        "2009-03-09",
        -0.568,
        "Losses on US mortgages broke banks and then credit; the whole fall from peak to trough.",
    ),
    "lehman-2008": _crisis(
        "Lehman 2008",
        "2008-09-12",
        "2008-11-20",
        -0.399,
        "Lehman Brothers failed on 15 September; ten weeks in which nearly every asset fell together.",
    ),
    "greece-2010": _crisis(
        "Greece 2010",
        "2010-04-23",
        "2010-07-02",
        -0.160,
        "Greece asked for help on 23 April, and doubt spread to other states and banks of the euro.",
    ),
    "flash-crash-2010": _crisis(
        "Flash crash 2010",
        "2010-05-05",
        "2010-05-07",
        -0.047,
        "On 6 May US stocks lost some 9 % and regained most of it within the hour; daily closes show a third of it.",
    ),
    "downgrade-2011": _crisis(
        "US downgrade and euro 2011",
        "2011-07-22",
        "2011-10-03",
        -0.183,
        "The US lost its highest rating on 5 August, and Italy came under doubt; stocks lost 7 % on 8 August.",
    ),
    "taper-2013": _crisis(
        "Taper tantrum 2013",
        "2013-05-21",
        "2013-06-24",
        -0.058,
        "Word that bond purchases would slow lifted yields; bonds, gold and emerging markets fell together.",
    ),
    "oil-2014": _crisis(
        "Oil bust 2014-16",
        "2014-06-20",
        "2016-02-11",
        -0.068,
        "Crude oil lost three quarters of its price and took energy stocks and their credit along.",
    ),
    "china-2015": _crisis(
        "August 2015",
        "2015-08-17",
        "2015-08-25",
        -0.112,
        "China let its currency slip on 11 August; on the 24th US stocks and funds opened far below their worth.",
    ),
    "brexit-2016": _crisis(
        "Brexit vote 2016",
        "2016-06-23",
        "2016-06-27",
        -0.053,
        "Britain voted to leave the European Union; sterling lost 8 % in a day and banks a fifth in two.",
    ),
    "volatility-2018": _crisis(
        "February 2018",
        "2018-01-26",
        "2018-02-08",
        -0.102,
        "The volatility index doubled on 5 February and wiped out funds that were short of it.",
    ),
    "autumn-2018": _crisis(
        "Fourth quarter 2018",
        "2018-09-20",
        "2018-12-24",
        -0.198,
        "Stocks slid on rising rates and trade disputes, to the worst December since 1931.",
    ),
    "covid-2020": _crisis(
        "March 2020",
        "2020-02-19",
        "2020-03-23",
        -0.339,
        "The pandemic closed economies: the fastest fall of a third on record, with 12 % on 16 March alone.",
    ),
    "rates-2022": _crisis(
        "Rates 2022",
        "2022-01-03",
        "2022-10-12",
        -0.254,
        "Inflation brought the steepest rise of rates in forty years; stocks and bonds fell together.",
    ),
    "terra-2022": _crisis(
        "Terra 2022",
        "2022-05-04",
        "2022-05-12",
        -0.086,
        "The stablecoin TerraUSD lost its peg, and cryptocurrencies fell with it.",
    ),
    "ftx-2022": _crisis(
        "FTX 2022",
        "2022-11-04",
        "2022-11-21",
        0.047,
        "The crypto exchange FTX failed on 11 November; coins fell while stocks rose.",
    ),
    "banks-2023": _crisis(
        "US regional banks 2023",
        "2023-03-06",
        "2023-03-13",
        -0.048,
        "Silicon Valley Bank failed on 10 March; bank stocks fell and short yields had their largest drop since 1987.",
    ),
    "yen-2024": _crisis(
        "Yen carry 2024",
        "2024-07-31",
        "2024-08-05",
        -0.061,
        "A rate rise in Japan unwound positions financed in yen; Japanese stocks lost 12 % on 5 August.",
    ),
    "tariffs-2025": _crisis(
        "Tariffs 2025",
        "2025-04-02",
        "2025-04-08",
        -0.121,
        "The US announced tariffs on nearly all imports on 2 April, after the close; stocks lost a tenth in two days.",
    ),
}
"""By name, in the order of their starts."""


def covered(start: DateLike, end: DateLike) -> pd.DataFrame:
    """Return which crises a calibration from `start` to `end` saw, as a row each.

    Parameters
    ----------
    start, end
        First and last session of the window, as `Calibration.start` and `Calibration.end`.

    Returns
    -------
    DataFrame
        By name: `title`, `start`, `end`, `seen` ("whole", "partly" or "never") and `share`, the fraction of the
        crisis's weekdays, those with its returns, that lie in the window.

    Examples
    --------
    >>> covered("2009-01-02", "2022-12-28").loc[["lehman-2008", "financial-2008", "covid-2020"], "seen"].to_list()
    ['never', 'partly', 'whole']
    """
    check_span(start, end)
    first, last = as_date(start), as_date(end)
    rows = {}
    for name, crisis in CRISES.items():
        # The first close of a window gives no return; a crisis's start is the close before its first.
        days = pd.bdate_range(crisis.start, crisis.end, inclusive="right")
        share = float(((days > first) & (days <= last)).mean())
        seen = "never" if share == 0.0 else "whole" if share == 1.0 else "partly"
        rows[name] = {"title": crisis.title, "start": crisis.start, "end": crisis.end, "seen": seen, "share": share}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("crisis")


def stamp(start: DateLike, end: DateLike) -> str:
    """Return in a sentence or two which crises a calibration from `start` to `end` never or only partly saw."""
    table = covered(start, end)
    never, partly = (", ".join(table.loc[table["seen"] == seen, "title"]) for seen in ("never", "partly"))
    saw = int((table["seen"] == "whole").sum())
    sentences = [f"Saw {saw} of {len(table)} named crises as a whole."]
    if partly:
        sentences.append(f"Saw a part of: {partly}.")
    if never:
        sentences.append(f"Never saw: {never}.")
    return " ".join(sentences)


def replay_crisis(panel: Panel, crisis: str) -> Panel:
    """Return the days of a crisis laid onto today's prices: one world, from the panel's own returns of that time.

    Every symbol starts at its last known close and repeats what it did from the close before the crisis. Open, high
    and low keep their distance to the close, where they are known; volume keeps its ratio to the 21 sessions before
    the crisis, taken to the last 21 of the panel. A symbol that did not trade through the whole crisis is unknown
    (NaN) throughout, and the world's `source` names it.

    Parameters
    ----------
    panel
        History that reaches back to before the crisis.
    crisis
        A key of `CRISES`.

    Returns
    -------
    Panel
        The sessions after the panel's last one, as many as the crisis had on which all its symbols have a close.

    Raises
    ------
    DataError
        There is no such crisis, or no symbol has prices throughout it.

    Examples
    --------
    >>> world = replay_crisis(panel, "lehman-2008")  # doctest: +SKIP
    >>> world.close[-1] / panel.close[-1] - 1  # doctest: +SKIP
    """
    symbols = traded_through(panel, crisis)
    start, end = CRISES[crisis].start, CRISES[crisis].end
    if not symbols:
        table = covered(panel.index[0], panel.index[-1]) if len(panel) else covered(end, end)
        seen = table.index[table["seen"] == "whole"]
        raise DataError(
            f"No symbol has prices throughout {crisis}, from {start:%Y-%m-%d} to {end:%Y-%m-%d}. "
            + (f"The panel spans {', '.join(seen)}. " if len(seen) else "The panel spans no crisis as a whole. ")
            + f"Load history from before {start:%Y-%m-%d}, or choose a crisis that it spans."
        )
    traded = panel.select(symbols)
    before = traded.until(start)
    days = traded.window(start + pd.Timedelta(days=1), end).complete()
    if not len(days):
        raise DataError(
            f"On no day of {crisis} has every one of {', '.join(symbols)} a close. Take symbols of one market."
        )
    scale = last_known(traded) / last_known(before)
    with np.errstate(divide="ignore", invalid="ignore"):  # where nothing was traded, volume stays unknown
        busy = traded.tail(MONTH).volume.mean(axis=0) / before.tail(MONTH).volume.mean(axis=0)
    busy[~np.isfinite(busy)] = np.nan
    at = [panel.symbols.index(symbol) for symbol in symbols]

    def laid(values: FloatArray, factor: FloatArray) -> FloatArray:
        out = np.full((len(days), len(panel.symbols)), np.nan)
        out[:, at] = values * factor
        return out

    missing = [symbol for symbol in panel.symbols if symbol not in symbols]
    return Panel(
        index=traded.sessions_ahead(len(days)),
        symbols=panel.symbols,
        open=laid(days.open, scale),
        high=laid(days.high, scale),
        low=laid(days.low, scale),
        close=laid(days.close, scale),
        volume=laid(days.volume, busy),
        source=f"replayed: {crisis}" + (f"; unknown: {', '.join(missing)}" if missing else ""),
    )


def traded_through(panel: Panel, crisis: str) -> tuple[str, ...]:
    """Return the symbols that a crisis can be replayed for.

    They have a close in the week up to its start, in the week up to its end, and the panel does not stop before.

    Raises
    ------
    DataError
        There is no such crisis.
    """
    if crisis not in CRISES:
        raise DataError(f"There is no crisis {crisis!r}. {nearest(crisis, CRISES)}")
    start, end = CRISES[crisis].start, CRISES[crisis].end
    if not len(panel) or panel.index[-1] < end:
        return ()
    week = pd.Timedelta(days=6)
    began = np.isfinite(panel.window(start - week, start).close).any(axis=0)
    later = max(start + pd.Timedelta(days=1), end - week)
    ended = np.isfinite(panel.window(later, end).close).any(axis=0)
    return tuple(panel.symbols[i] for i in np.flatnonzero(began & ended))
