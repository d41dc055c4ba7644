"""Derived series: computed for what is stored, and stored with the version of the code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from quantlib.derived import DERIVED
from quantlib.store import WriteCount, coverage, read_panel
from quantlib.store.derived import write_derived
from quantlib.types import Panel
from quantlib.workflows.provenance import code_version
from quantlib.workflows.session import Session

CODE = ("derived", "indicators", "metrics", "store/adjust.py", "store/canonical.py", "store/panels.py", "types.py")
"""What a derived value depends on: another version of these is another series, kept beside the old one."""


@dataclass(frozen=True)
class DeriveResult:
    """What computing the derived series did.

    Parameters
    ----------
    count
        Values that were new, changed and unchanged.
    symbols
        Number of instruments.
    """

    count: WriteCount
    symbols: int

    @property
    def headline(self) -> str:
        """It in a sentence."""
        new, changed, unchanged = self.count
        return (
            f"{len(DERIVED)} derived series of {self.symbols} symbols: {new:,} new, {changed:,} changed, "
            f"{unchanged:,} unchanged values."
        )


def derive(
    session: Session,
    symbols: Sequence[str] | None = None,
    *,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> DeriveResult:
    """Return what was stored, having computed every series of `DERIVED` from the canonical bars of each symbol.

    Only values that differ from the stored ones are written, symbol by symbol, so it can be stopped and started
    again. Values of other versions of the code stay.

    Parameters
    ----------
    symbols
        Which; all that have bars if None.
    on_progress
        Called with symbols done, symbols in all, and the one being computed.

    Raises
    ------
    DataError
        A symbol has no bars.

    Examples
    --------
    >>> derive(session, ["KO"]).headline  # doctest: +SKIP
    '4 derived series of 1 symbols: 32,979 new, 0 changed, 0 unchanged values.'
    """
    wanted = sorted(set(coverage(session.store)["symbol"])) if symbols is None else list(dict.fromkeys(symbols))
    report = on_progress or (lambda done, total, label: None)
    version, total = code_version(*CODE), WriteCount()
    for done, symbol in enumerate(wanted):
        report(done, len(wanted), symbol)
        values = _values(read_panel(session.store, [symbol]).complete())
        total = total.plus(write_derived(session.store, values, symbols=[symbol], code_version=version))
    report(len(wanted), len(wanted), "")
    return DeriveResult(total, len(wanted))


def _values(panel: Panel) -> pd.DataFrame:
    """Return all series of one symbol as rows, what is unknown left out."""
    columns = pd.DataFrame({name: entry.function(panel) for name, entry in DERIVED.items()}, index=panel.index)
    rows = columns.rename_axis("ts").reset_index().melt("ts", var_name="name").dropna(subset="value")
    return rows.assign(symbol=panel.symbols[0], source=panel.source)[["name", "symbol", "ts", "value", "source"]]
