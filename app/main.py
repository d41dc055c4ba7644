"""The app's entry: `NAV` lists the pages, everything else is in their files."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from app.cache import new_run
from app.layout import failed
from quantlib.errors import QuantError

PAGES = Path(__file__).resolve().parents[1] / "pages"
#: A file of ours: an icon named by its Material name would be fetched from the network.
ICON = Path(__file__).with_name("icon.svg")

#: Page file, title, icon and address of every page, in the order of the menu; the first is the start page.
NAV: dict[str, tuple[str, str]] = {
    "today": ("Today", ":material/today:"),
    "market": ("Market", ":material/monitoring:"),
    "strategy_lab": ("Strategy lab", ":material/science:"),
    "simulator": ("Simulator", ":material/casino:"),
    "data": ("Data", ":material/database:"),
    "validation": ("Validation", ":material/verified:"),
    "models": ("Models", ":material/model_training:"),
    "experiments": ("Experiments", ":material/history:"),
    "report": ("Report", ":material/article:"),
}


def run() -> None:
    """Run the page in the address, inside one frame that turns an error into a designed state."""
    st.set_page_config(page_title="Quant Workbench", page_icon=ICON, layout="wide")
    pages = [
        st.Page(PAGES / f"{name}.py", title=title, icon=icon, url_path=name, default=name == next(iter(NAV)))
        for name, (title, icon) in NAV.items()
    ]
    st.logo(str(ICON), size="large")
    st.html("<style>.stMainBlockContainer{padding-top:2.5rem;padding-bottom:3rem}</style>")
    new_run()
    page = st.navigation(pages)
    try:
        page.run()
    except QuantError as error:
        failed(error)
    except Exception as fault:  # the reader gets a state with a way out, the log the traceback
        logging.getLogger(__name__).exception("page %s failed", page.url_path or "today")
        failed(QuantError(f"The page met a fault of its own ({type(fault).__name__}); its log says more."))


if __name__ == "__main__":
    run()
