"""Experiments: what have I tried, and how did it do?"""

from functools import partial

import streamlit as st

from app.address import heed_names
from app.experiments_compare import compare, curves, parameters, went_in
from app.experiments_ledger import amounts, choose, read_ledger, say_if_stale, trials
from app.experiments_runs import logged
from app.layout import empty, provenance, question, strip, tabs
from quantlib.charts.numbers import count
from quantlib.sources import SOURCES
from quantlib.workflows.provenance import code_version


def main() -> None:
    """Draw the page."""
    question("What have I tried, and how did it do?", "Every trial, from wherever, is written down and counted once.")
    found, when = read_ledger()
    everything = found.table
    if everything.empty:
        empty("Nothing has been tried yet.", "Run `make run`, or a backtest in the strategy lab, and come back.")
    sources = set(everything["source"].unique()) - {""}
    counted = sum(one.trials for one in found.ideas.values())
    strip(
        {
            "trials": count(counted),
            "ideas": count(len(found.ideas)),
            "latest": f"{everything['asked'].max():%Y-%m-%d %H:%M} UTC",
        },
        sample=all(name in SOURCES and SOURCES[name].sample for name in sources),
    )
    say_if_stale(when, counted)
    chosen = choose(found)
    amounts(found, chosen.idea)
    if chosen.table.empty:
        st.info("**No trial fits all of this.** Widen the filters, or empty the search.", icon=":material/search_off:")
    else:
        trials(chosen, len(everything))
    names = compare(chosen.table, everything)
    sections = {
        "Growth": partial(curves, when, chosen, names, everything),
        "Parameters": partial(parameters, when, chosen),
        "What went in": partial(went_in, names, everything),
        "Runs in MLflow": partial(logged, chosen.text),
    }
    heed_names("tab", "tab", sections)
    tabs(sections)
    provenance({"ledger": "strategies.trials", "code": code_version()})


main()
