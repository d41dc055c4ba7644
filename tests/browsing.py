"""What the browser tests look for: that a page has run and drawn, and that nothing on it is a fault."""

from __future__ import annotations

from typing import Any

PATIENCE = 30_000  # milliseconds for a page's first run on a busy machine
SIZES = {"wide": (1400, 1000), "narrow": (420, 900)}

# A chart counts as drawn where its traces are, and cover more than a speck of the screen.
DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
    const boxes = [...plot.querySelectorAll('.trace, .boxlayer path, .heatmaplayer image')].map(e => e.getBBox());
    return {
        traces: boxes.length,
        width: Math.max(0, ...boxes.map(b => b.width)),
        height: Math.max(0, ...boxes.map(b => b.height)),
        plot: plot.getBoundingClientRect().width,
        alt: (plot.closest('[data-testid=stPlotlyChart]') || plot).getAttribute('aria-label'),
    };
})"""
SETTLED = """() => !document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton], [data-stale=true]')
    && document.querySelector('[data-testid=stMain] h1')"""


def settle(page: Any) -> None:
    """Wait until the page has run and drawn."""
    page.wait_for_selector("[data-testid=stMain] h1", timeout=PATIENCE)
    page.wait_for_function(SETTLED, timeout=PATIENCE)
    page.wait_for_timeout(400)
    page.wait_for_function(SETTLED, timeout=PATIENCE)


def check_charts(page: Any, least: int) -> None:
    """Check that at least so many charts are there and that each is drawn."""
    enough = f"() => document.querySelectorAll('.js-plotly-plot .main-svg').length >= {least}"
    page.wait_for_function(enough, timeout=PATIENCE)
    charts = page.evaluate(DRAWN)
    assert len(charts) >= least
    for chart in charts:
        assert chart["traces"] >= 1
        assert chart["width"] > chart["plot"] / 5, f"hardly anything is drawn: {chart}"
        assert chart["height"] > 20, f"hardly anything is drawn: {chart}"


def check_no_fault(page: Any) -> None:
    """Check that no page element is an exception or an error."""
    for kind in ("stException", "stAlertContentError"):
        assert page.locator(f"[data-testid={kind}]").all_inner_texts() == []
