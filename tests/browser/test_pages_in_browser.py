"""The app as its user sees it: every page drawn, wide and narrow, light and dark, and nothing asked of the network."""

from __future__ import annotations

import re

import pytest
from browsing import PATIENCE, SIZES, check_charts, check_no_fault, settle

from app.main import NAV

pytestmark = pytest.mark.browser

# Pages whose default state has charts, and how many at least.
CHARTS = {
    "today": 1,
    "market": 1,
    "strategy_lab": 1,
    "simulator": 2,
    "validation": 0,
    "models": 1,
    "data": 0,
    "experiments": 1,
    "report": 0,
}

START = next(iter(NAV))  # stands at the root: its own name is no address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_drawn(watched, address, screenshots, size, scheme):
    width, height = SIZES[size]
    with watched(width, height, scheme) as (page, watch):
        for name in NAV:
            page.goto(f"{address}/{'' if name == START else name}")
            settle(page)
            check_charts(page, CHARTS[name])
            check_no_fault(page)
            assert page.locator("[data-testid=stMain] h1").inner_text().endswith("?")
            sideways = page.evaluate("document.documentElement.scrollWidth")
            assert sideways <= width, f"{name} sticks out sideways"
            tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            page.set_viewport_size({"width": width, "height": max(height, tall)})
            page.wait_for_timeout(500)
            page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png")
            page.set_viewport_size({"width": width, "height": height})
        assert watch.faults == []
        assert watch.requests, "requests are seen at all"
        assert watch.beyond_loopback == []


def test_a_request_beyond_loopback_would_be_seen(watched, address):
    with watched(*SIZES["wide"], "light") as (page, watch):
        page.route("**/192.0.2.1/**", lambda route: route.abort())
        page.goto(address)
        page.evaluate("fetch('http://192.0.2.1/font.woff2').catch(() => 0)")
        assert watch.beyond_loopback == ["http://192.0.2.1/font.woff2"]


def test_the_menu_leads_to_every_page_and_its_address(watched, address):
    with watched(*SIZES["wide"], "light") as (page, watch):
        page.goto(address)
        settle(page)
        for name, (title, _) in reversed(NAV.items()):
            page.locator("[data-testid=stSidebarNav]").get_by_role("link", name=title).click()
            page.wait_for_url(re.compile(rf"/{'' if name == START else name}(\?.*)?$"), timeout=PATIENCE)
            settle(page)
            check_no_fault(page)
        assert watch.beyond_loopback == []


def test_a_click_on_a_row_draws_that_instrument_and_the_address_brings_it_back(watched, address):
    with watched(*SIZES["wide"], "light") as (page, watch):
        page.goto(f"{address}/market?list=largest-us-stocks")
        settle(page)
        check_charts(page, 1)
        box = page.get_by_test_id("stDataFrame").first.bounding_box()
        page.mouse.click(box["x"] + 15, box["y"] + 35 * 3 + 18)  # the third row's tick box
        page.wait_for_url(re.compile("symbol=LLY"), timeout=PATIENCE)
        page.get_by_text("LLY rose").wait_for(timeout=PATIENCE)
        page.reload()
        page.get_by_text("LLY rose").wait_for(timeout=PATIENCE)
        check_charts(page, 1)
        assert watch.faults == []


def test_the_tabs_of_the_data_page_are_drawn(watched, address, screenshots):
    # By tab, a text of it that only its own content has.
    tabs = {
        "Gaps": "Share of the exchange's sessions stored",
        "Vendors compared": "more than one vendor",
        "Turned away": "Nothing has been turned away",
        "Repairs": "repair",
        "Jobs": "No worker is running",
        "Schedule": "schedule",
        "Vendors": "never shown or stored",
    }
    with watched(*SIZES["narrow"], "dark") as (page, watch):
        for name, text in tabs.items():
            page.goto(f"{address}/data?tab={name.replace(' ', '+')}")
            settle(page)
            page.get_by_test_id("stMain").get_by_text(text).first.wait_for(timeout=PATIENCE)
            check_charts(page, int(name == "Gaps"))
            check_no_fault(page)
            page.screenshot(path=screenshots / f"data-{name.lower().replace(' ', '-')}-narrow-dark.png")
        assert watch.faults == []
        assert watch.beyond_loopback == []


def test_a_strategy_runs_with_visible_progress(watched, address):
    with watched(*SIZES["wide"], "light") as (page, watch):
        page.goto(f"{address}/simulator?look=Strategy&run-worlds=400")
        settle(page)
        page.get_by_role("button", name="Run").click()
        page.get_by_test_id("stProgress").wait_for(timeout=PATIENCE)
        page.get_by_test_id("stMetric").first.wait_for(timeout=2 * PATIENCE)
        settle(page)
        check_charts(page, 2)
        check_no_fault(page)
        assert watch.faults == []
        assert watch.beyond_loopback == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_exported_report_draws_its_charts_from_a_file_alone(watched, home, screenshots, scheme):
    (report,) = (home.folder / "reports").glob("*.html")
    with watched(*SIZES["wide"], scheme) as (page, watch):
        page.goto(report.as_uri())
        check_charts(page, 3)
        page.screenshot(path=screenshots / f"exported-{scheme}.png")
        assert watch.faults == []
        assert watch.requests == [report.as_uri()]
