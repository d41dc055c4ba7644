"""How real simulated worlds are: the grade beside their numbers, and the card behind it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.cache import keep
from app.layout import chart, plain
from quantlib.charts.realism import acf_comparison, realism_intervals
from quantlib.errors import QuantError
from quantlib.simulators.crises import stamp
from quantlib.simulators.realism_card import RealismGrade
from quantlib.workflows.examining import realism_of
from quantlib.workflows.grading import CARD_WORLDS
from quantlib.workflows.worlds import Outlook

COLORS = {"A": "green", "B": "green", "C": "orange", "D": "orange", "E": "red", "F": "red"}
HELP = (
    "How far these worlds can be told from the history they learned from: A by no measure, and one letter less for "
    "every facet (tails, clusters of volatility, drawdowns, …) that gives them away, at worst F."
)
#: Columns that stand in every table of simulated numbers.
GRADE: dict[str, Any] = {"grade": st.column_config.TextColumn("Realism", help=HELP)}
WHY: dict[str, Any] = {"why": st.column_config.TextColumn("Told from history by", width="large")}


def graded(grade: RealismGrade) -> None:
    """Write how real the worlds are that the numbers above were made from, and why."""
    badge = f":{COLORS.get(grade.letter, 'gray')}-badge[Realism grade {grade.letter}]"
    st.markdown(f"{badge} :small[{plain(grade.reasons)}]", help=HELP)


def realism(outlook: Outlook) -> None:
    """Draw how far these worlds can be told from history, and which crises they never learned from."""
    simulator, symbols = outlook.asked.simulators[0], outlook.fit.symbols
    st.caption(stamp(outlook.fit.start, outlook.fit.end))
    try:
        with st.spinner(f"Comparing {CARD_WORLDS} worlds of {simulator.title} with history…", show_time=True):
            card = keep(realism_of, symbols, simulator)
    except QuantError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    symbol = symbols[0] if len(symbols) == 1 else st.selectbox("Symbol", symbols, key="card-symbol")
    grade = card.grades[symbol]
    chart(realism_intervals(card.measures(symbol), simulator=card.title, symbol=symbol, grade=grade), "realism")
    waves = card.acf.loc[[symbol]].droplevel("symbol")
    chart(acf_comparison(waves, simulator=card.title, symbol=symbol), "realism-acf")
