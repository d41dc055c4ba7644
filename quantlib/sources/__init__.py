"""Price sources by name. A new vendor is one file with `request` and `parse`, and one entry here."""

from __future__ import annotations

from quantlib.sources import sample, yahoo
from quantlib.sources.base import Source

SOURCES: dict[str, Source] = {
    "sample": Source(
        name="sample",
        title="Sample ending 2022-12-28",
        kinds=("bars", "macro"),
        needs_key=False,
        sample=True,
        request=sample.request,
        parse=sample.parse,
        series=sample.SERIES,
        note="Real prices shipped inside two Python packages; no network. Stocks and ETFs: adjusted closes only, so "
        "close equals adj_close and open, high, low and volume are unknown. The 20 stocks were picked with "
        "hindsight: they survived until 2022. Macro values are as last revised, their release times estimated.",
    ),
    "yahoo": Source(
        name="yahoo",
        title="Yahoo Finance",
        kinds=("bars", "actions"),
        needs_key=False,
        sample=False,
        request=yahoo.request,
        parse=yahoo.parse,
        note="Free and unofficial, for personal use; may refuse or change without notice. Prices are adjusted for "
        "splits, adj_close for dividends too, both as of the day of the request.",
    ),
}
