"""Factors of Kenneth French's data library that come with the arch wheel: no network is needed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from quantlib.errors import SourceError
from quantlib.sources.base import FormatError

FACTORS = ("Mkt-RF", "SMB", "HML")
RISK_FREE = "RF"
_PLACE = Path("data/frenchdata/frenchdata.csv.gz")


def french_factors() -> pd.DataFrame:
    """Return the three factors of Fama and French and the risk-free rate, by month, as fractions.

    As last revised, not as first published: the library rewrites its past with each revision of its prices.

    Returns
    -------
    DataFrame
        Index: months from 1926-07 to 2018-11. Columns: Mkt-RF (market above the risk-free rate), SMB (small less
        large), HML (value less growth) and RF (one-month Treasury bill).

    Raises
    ------
    SourceError
        The package that carries the file is missing, or the file has another form.

    References
    ----------
    Kenneth R. French, Data Library, Fama/French 3 Factors (CRSP, January 2019).
    """
    return _table().copy()


@cache
def _table() -> pd.DataFrame:
    spec = find_spec("arch")
    if spec is None or spec.origin is None:
        raise SourceError("The factors are read from the package arch, which is missing. Run: make setup")
    file = Path(spec.origin).parent / _PLACE
    if not file.is_file():
        raise FormatError(f"Package arch has no file {_PLACE} any more. Install the pinned versions: make setup")
    # Read here and not by arch's own loader, which takes 192607 for nanoseconds since 1970.
    raw = pd.read_csv(file, dtype={"Date": "str"}).set_index("Date")
    if missing := [name for name in (*FACTORS, RISK_FREE) if name not in raw]:
        raise FormatError(f"The factors of package arch have no column {missing[0]!r}, only {', '.join(raw.columns)}.")
    months = pd.PeriodIndex(pd.to_datetime(raw.index, format="%Y%m"), freq="M", name="month")
    return raw.set_axis(months, axis=0)[[*FACTORS, RISK_FREE]].astype("float64") / 100.0
