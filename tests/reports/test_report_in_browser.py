"""The report as a reader opens it: a file, offline, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantlib.charts.theme import DARK, LIGHT
from quantlib.reports import Report, render_html

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(report: Report, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_html(report), encoding="utf-8")
    return path.as_uri()


def _title_is(color: str) -> str:
    return f"() => getComputedStyle(document.querySelector('#s1-1 .ytitle')).fill === '{_rgb(color)}'"


def _rgb(color: str) -> str:
    return "rgb({}, {}, {})".format(*(int(color[i : i + 2], 16) for i in (1, 3, 5)))


@pytest.mark.parametrize(("scheme", "palette"), [("light", LIGHT), ("dark", DARK)])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_offline_without_a_complaint(chromium, address, report, scheme, palette, width):
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    faults: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    charts = sum(len(figures) for figures in report.figures.values())
    page.wait_for_function(f"() => document.querySelectorAll('.plot .main-svg').length >= {charts}")
    assert faults == [], "the content policy or a script failed"
    assert requests == [address]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == _rgb(palette.paper)
    line = page.locator("#s1-1 .scatterlayer path.js-line").last
    assert line.evaluate("e => getComputedStyle(e).stroke") == _rgb(palette.ink)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out sideways"
    own = report.figures[report.recommendations[0].strategy_id]["outlook"]["data"]
    drawn = page.evaluate("document.getElementById('s1-1').data.map(trace => trace.x)")
    assert drawn == [trace["x"] for trace in own], "the dates the charts share came back"
    page.close()


def test_charts_follow_the_reader_when_the_scheme_changes(chromium, address):
    page = chromium.new_page(color_scheme="light")
    page.goto(address)
    title = page.locator("#s1-1 .ytitle")
    title.wait_for()
    before = title.evaluate("e => getComputedStyle(e).fill")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(_title_is(DARK.muted))
    assert before == _rgb(LIGHT.muted)
    page.close()


def test_paper_is_light_and_charts_fit_it(chromium, address):
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page.goto(address)
    page.locator("#s1-1 .main-svg").first.wait_for()
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    widths = page.evaluate("[...document.querySelectorAll('.plot')].map(e => e.querySelector('svg').clientWidth)")
    assert max(widths) <= 690
    fill = page.locator("#s1-1 .ytitle").evaluate("e => getComputedStyle(e).fill")
    assert fill == _rgb(LIGHT.muted)
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen", color_scheme="dark")
    page.wait_for_function(_title_is(DARK.muted))
    page.close()
