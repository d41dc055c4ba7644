"""What pages say about the prices they stand on: none yet, of which grade, up to when, and whether they are stale."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.cache import keep
from app.layout import empty, stamped, strip
from quantlib.reports.types import Report
from quantlib.workflows.freshness import source_grade
from quantlib.workflows.market import Prices, stored_prices

#: Weekdays without a bar from which prices count as stale: one may be a holiday.
STALE = 2


def prices() -> Prices:
    """Return what prices there are; where there are none, say what to do first and end the page."""
    found = keep(stored_prices)
    if found is None:
        empty("There are no prices yet.", "Run `make run`, or `workbench ingest`, and reload this page.")
    return found


def price_strip(found: Prices, as_of: pd.Timestamp | None = None) -> None:
    """Draw the strip under a page's question, and below it since when prices are stale and how to refresh them."""
    grade = keep(source_grade, found.source)
    strip({"as of": f"{as_of or found.newest:%Y-%m-%d}", "prices": found.title}, sample=found.sample, grade=grade)
    say_if_stale(found)


def report_strip(made: Report) -> None:
    """Draw the strip of a report, and below it what speaks against the choice of symbols and against the prices."""
    source = made.provenance
    label = {"as of": f"{made.as_of}", "universe": source.universe, "prices": source.data_label}
    strip(label, sample=source.is_sample, grade=made.data_grade)
    stamped(made.data_hindsight)
    if made.data_doubts:
        words = " ".join(made.data_doubts).replace("$", "\\$")
        st.warning(f"**Prices graded {made.data_grade}.** {words}", icon=":material/flag:")


def say_if_stale(found: Prices, made: Report | None = None) -> None:
    """Say since when prices are missing, or a report is behind them, and how to refresh; nothing where all is fresh."""
    if made is not None and made.provenance.source == found.source and found.newest.date() > made.as_of:
        newer = f"**Prices run to {found.newest:%Y-%m-%d}**, later than these recommendations."
        st.warning(f"{newer} Run `workbench pipeline` and reload.", icon=":material/schedule:")
    if found.missed >= STALE:
        since = f"**No bar since {found.newest:%A, %Y-%m-%d}**: {found.missed} weekdays are missing."
        st.warning(f"{since} Run `workbench ingest --source {found.source}` and reload.", icon=":material/schedule:")
