"""Simulator: what could happen next?"""

import streamlit as st

from app.address import heed_names
from app.layout import question
from app.prices import prices
from app.simulator_events import events_page
from app.simulator_strategy import strategy_page
from app.simulator_stress import stress_page
from app.simulator_time import time_machine
from app.simulator_worlds import worlds

PARTS = {
    "Worlds": worlds,
    "Strategy": strategy_page,
    "Scenarios": stress_page,
    "Events": events_page,
    "Time machine": time_machine,
}


def main() -> None:
    """Draw the page."""
    question("What could happen next?")
    found, top = prices(), st.container()
    heed_names("part", "part", PARTS)
    part = st.segmented_control(
        "Part", list(PARTS), default="Worlds", required=True, key="part", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    PARTS[part](found, top)


main()
