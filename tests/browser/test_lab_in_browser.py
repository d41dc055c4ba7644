"""The Strategy lab as its user walks through it: run, open a trade, change, keep, pass on, sweep, come back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import PATIENCE, SIZES, check_charts, check_no_fault, settle
from prepared import ROOT, Home

pytestmark = pytest.mark.browser

LAB = "strategy_lab?definition=Exxon+against+Chevron"


@pytest.fixture
def worker(home: Home) -> Iterator[None]:
    """Run a worker beside the app, as `make run` does."""
    command, environment = home.command("from quantlib.cli import main; main()", "worker")
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    process.terminate()
    process.wait(timeout=30)


def number(page: Any, label: str) -> Any:
    return page.get_by_test_id("stNumberInput").filter(has_text=label).locator("input").first


def write(page: Any, label: str, value: str) -> None:
    """Type a number and leave its box."""
    number(page, label).fill(value)
    number(page, label).press("Enter")
    settle(page)


def view(page: Any, name: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_role("radio", name=name, exact=True).click()
    settle(page)


def see(page: Any, text: str | re.Pattern[str]) -> None:
    page.get_by_test_id("stMain").get_by_text(text).first.wait_for(timeout=PATIENCE)


def test_a_pair_is_run_opened_changed_kept_passed_on_and_swept(watched, address, worker, screenshots):
    with watched(*SIZES["wide"], "light") as (page, watch):
        page.goto(f"{address}/{LAB}")
        settle(page)
        see(page, "Half of a gap in the spread closed within")
        page.get_by_test_id("stButton").get_by_role("button", name="Run").click()
        see(page, "checks passed")
        settle(page)
        check_charts(page, 2)

        page.get_by_role("tab", name="Trades").click()
        see(page, re.compile(r"\d+ trades, \d+ % of them won"))
        settle(page)
        table = page.get_by_test_id("stDataFrame").first
        table.scroll_into_view_if_needed()
        box = table.bounding_box()
        page.mouse.click(box["x"] + 15, box["y"] + 35 * 2 + 18)  # the second row's tick box
        see(page, "Why it was taken")
        see(page, "Profit by leg")
        page.wait_for_url(re.compile("trade="), timeout=PATIENCE)
        opened = page.get_by_test_id("stSelectbox").filter(has_text="Open a trade").locator("input")
        opened.click()
        [chosen] = page.get_by_role("option", selected=True).all_inner_texts()
        assert page.get_by_role("option").all_inner_texts().index(chosen) == 1
        opened.press("Escape")
        page.screenshot(path=screenshots / "lab-trade.png")

        view(page, "Form")
        write(page, "Entry z", "1.8")
        see(page, "entry z 2 → 1.8")
        see(page, "The record below is of the former definition")
        view(page, "Versions")
        page.get_by_label("Name", exact=True).fill("Keen oils")
        page.get_by_role("button", name="Save").click()
        see(page, "Saved as Keen oils, version 1.")
        settle(page)
        check_no_fault(page)

        view(page, "Form")
        write(page, "Exit z", "0.25")
        page.wait_for_url(re.compile(r"view=Form&.*d="), timeout=PATIENCE)
        with watched(*SIZES["narrow"], "dark") as (other, _):  # another visit, on a phone
            other.goto(page.url)
            settle(other)
            other.screenshot(path=screenshots / "lab-link.png", full_page=True)
            assert number(other, "Exit z").input_value() == "0.25"
            assert number(other, "Entry z").input_value() == "1.8"
            assert other.evaluate("document.documentElement.scrollWidth") <= SIZES["narrow"][0]
            check_no_fault(other)

        view(page, "Sweep")
        for values in page.get_by_label("Values", exact=True).all():
            values.fill("3")
            values.press("Enter")
            settle(page)
        page.get_by_role("button", name="Try 9 combinations").click()
        settle(page)
        page.reload()
        see(page, "9 combinations tried")
        settle(page)
        check_charts(page, 1)
        page.reload()
        see(page, "9 combinations tried")
        page.screenshot(path=screenshots / "lab-sweep.png")
        check_no_fault(page)
        assert watch.faults == []
        assert watch.beyond_loopback == []
