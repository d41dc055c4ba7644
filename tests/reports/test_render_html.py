from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lxml import etree, html

from quantlib.charts.numbers import UNKNOWN, bps, percent, ratio, signed_percent, span
from quantlib.reports import Report, render_html

HOSTILE = '<img src="https://example.com/x" onerror="alert(1)">\'"&</script><script>alert(2)</script>'
VOID = {"meta", "br", "img", "link", "input", "hr"}


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render_html(report)


@pytest.fixture(scope="module")
def tree(page: str) -> html.HtmlElement:
    return html.document_fromstring(page)


def _text(node: html.HtmlElement) -> str:
    """Return the words under a node, one space between those of different elements."""
    return re.sub(r"\s+", " ", " ".join(node.itertext())).strip()


class _Balance(HTMLParser):
    """Collects tags that are closed out of order or never."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"doubled attribute in {tag} at {self.getpos()}")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")


def test_every_tag_is_closed_where_it_was_opened(page: str):
    balance = _Balance()
    balance.feed(page)
    balance.close()
    assert balance.faults == []
    assert balance.open == []


def test_ids_are_unique_and_inner_links_lead_somewhere(tree):
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in tree.xpath("//a/@href")} <= set(ids)


def test_the_same_report_gives_the_same_bytes(report: Report, page: str):
    assert render_html(report) == page
    assert render_html(Report.model_validate_json(report.model_dump_json())) == page


def test_another_process_with_another_hash_seed_gives_the_same_bytes(report: Report, page: str, tmp_path: Path):
    stored = tmp_path / "report.json"
    stored.write_text(report.model_dump_json())
    code = (
        "import hashlib, pathlib, sys; from quantlib.reports import Report, render_html; "
        "text = pathlib.Path(sys.argv[1]).read_text(); "
        "print(hashlib.sha256(render_html(Report.model_validate_json(text)).encode()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(stored)],
        env={**os.environ, "PYTHONHASHSEED": "123", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == hashlib.sha256(page.encode()).hexdigest()


def test_a_browser_would_fetch_nothing(tree, page: str):
    assert tree.xpath("//@src | //link | //base | //iframe | //object | //embed | //form") == []
    assert all(href.startswith("#") for href in tree.xpath("//@href"))
    styles = "".join(tree.xpath("//style/text()")) + "".join(tree.xpath("//@style"))
    assert "url(" not in styles
    assert "@import" not in styles
    own_words = page.replace(max(tree.xpath("//script/text()"), key=len), "")
    assert "://" not in own_words
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:")


def test_plotly_is_there_once(tree):
    scripts = [text for text in tree.xpath("//script/text()") if len(text) > 1_000_000]
    assert len(scripts) == 1


def test_the_head_says_when_from_what_and_that_it_is_no_advice(tree):
    head = _text(tree.xpath("//header")[0])
    assert "As of the close of 2022-12-28" in head
    assert "sample ending 2022-12-28" in head
    assert "Sample data." in head
    assert "20 US large caps" in head
    assert "not investment advice" in head
    assert "3 strategies: 1 to stay out, 1 to hold, 1 to rebalance" in head


def test_live_data_is_not_called_a_sample(report: Report):
    live = report.provenance.model_copy(update={"is_sample": False, "source": "yahoo", "data_label": "yahoo, daily"})
    tree = html.document_fromstring(render_html(report.model_copy(update={"provenance": live})))
    assert "ample" not in _text(tree.xpath("//header")[0])


def test_every_number_is_written_as_the_formats_write_it(report: Report, tree):
    for i, rec in enumerate(report.recommendations, start=1):
        section = _text(tree.get_element_by_id(f"s{i}"))
        row = _text(tree.xpath("//div[@class='summary']//tbody/tr")[i - 1])
        sharpe = rec.metrics["sharpe_ratio"]
        for words in (section, row):
            assert signed_percent(rec.expected_value) in words
            assert span(rec.ev_low, rec.ev_high) in words
            assert percent(rec.probability_of_loss) in words
            assert bps(rec.cost) in words
            assert ratio(sharpe.value) in words
            assert span(sharpe.ci_low, sharpe.ci_high, "ratio") in words
        assert span(rec.outcome_low, rec.outcome_high) in section
        for outcome in rec.simulators:
            assert f"{signed_percent(outcome.mean)} {span(outcome.mean_low, outcome.mean_high)}" in section
            assert signed_percent(outcome.p95) in section
        for change in rec.changes:
            assert f"{change.symbol} {percent(change.before)} {percent(change.after)}" in section
        assert rec.headline in section
        assert all(reason in section for reason in rec.reasons)
        assert rec.invalidation in section
        assert rec.verdict is not None
        assert all(check.sentence in section for check in rec.verdict.checks)


def test_the_grade_of_the_worlds_stands_beside_their_numbers(report: Report, tree):
    for i, rec in enumerate(report.recommendations, start=1):
        row = _text(tree.xpath("//div[@class='summary']//tbody/tr")[i - 1])
        assert f"{percent(rec.probability_of_loss)} worlds graded A" in row
        section = _text(tree.get_element_by_id(f"s{i}"))
        assert "worlds, graded A" in section
        assert "How real, A to F A F" in section
        assert all(f"{outcome.title}: {outcome.grade_sentence}." in section for outcome in rec.simulators)


def test_the_unknown_is_a_dash_and_nothing_reads_nan(tree):
    words = " ".join(_text(part) for part in tree.xpath("//body/*[not(self::script)]"))
    assert "Turnover (one-way, a year) – –" in words
    for word in ("nan", "None", "inf ", "-0.0 ", "NaT"):
        assert word not in words


def test_every_chart_has_a_title_an_alt_text_and_its_table(report: Report, tree):
    plots = tree.xpath("//figure/div[@class='plot']")
    assert len(plots) == sum(len(figures) for figures in report.figures.values())
    for figure in tree.xpath("//figure"):
        label = figure.xpath("./div/@aria-label")[0]
        title = _text(figure.xpath("./figcaption/strong")[0])
        assert len(title) > 10
        assert title.rstrip(".") in label
        assert len(figure.xpath(".//tbody/tr")) >= 2


def test_charts_share_their_dates_and_get_them_back(report: Report, tree, page: str):
    data = json.loads(tree.get_element_by_id("report-data").text)
    axes, drawn = data["axes"], data["figures"]
    assert len({json.dumps(axis) for axis in axes}) == len(axes)
    lines = 0
    for i, rec in enumerate(report.recommendations, start=1):
        section = tree.get_element_by_id(f"s{i}")
        for figure in report.figures[rec.strategy_id].values():
            (name,) = section.xpath(".//figure/div[@aria-label=$alt]/@id", alt=figure["layout"]["meta"]["alt"])
            for trace, own in zip(drawn[name]["data"], figure["data"], strict=True):
                assert {**trace, "x": axes[trace["x"]] if isinstance(own["x"], list) else own["x"]} == own
                lines += 1
    assert lines > 2 * len(axes)


def test_how_fragile_it_is_stands_beside_its_charts(report: Report, tree):
    section = tree.get_element_by_id("s2")
    words = _text(section)
    assert all(sentence in words for sentence in report.recommendations[1].fragility)
    places = [words.index(title) for title in ("How much hangs on execution", "Sharpe ratio 0.50 at the next session")]
    assert places == sorted(places)
    bare = report.model_copy(
        update={"recommendations": tuple(r.model_copy(update={"fragility": ()}) for r in report.recommendations)}
    )
    assert "How much hangs on execution" not in render_html(bare)


def test_provenance_is_enough_to_make_it_again(report: Report, tree):
    foot = _text(tree.xpath("//footer")[0])
    source = report.provenance
    wanted = [source.code_version, str(source.seed), source.costs, *source.snapshots.values(), *source.simulators]
    wanted += [rec.strategy_id for rec in report.recommendations]
    assert [item for item in wanted if item not in foot] == []


def test_hostile_text_stays_text(report: Report):
    first = report.recommendations[0]
    bad = first.model_copy(
        update={
            "name": HOSTILE,
            "headline": HOSTILE,
            "reasons": (HOSTILE,),
            "invalidation": HOSTILE,
            "data_note": HOSTILE,
            "parameters": {HOSTILE: HOSTILE},
            "weights_now": {HOSTILE: 1.0},
            "changes": (first.changes or (report.recommendations[2].changes))[:1],
        }
    )
    figure = report.figures[first.strategy_id]["outlook"]
    figure = {
        **figure,
        "layout": {**figure["layout"], "meta": dict.fromkeys(("title", "subtitle", "alt", "note"), HOSTILE)},
    }
    source = report.provenance.model_copy(update={"universe": HOSTILE, "snapshots": {HOSTILE: HOSTILE}})
    page = render_html(
        Report(
            title=HOSTILE,
            as_of=report.as_of,
            recommendations=(bad,),
            figures={first.strategy_id: {"outlook": figure}},
            provenance=source,
            disclaimers=(HOSTILE,),
        )
    )
    tree = html.document_fromstring(page)
    assert tree.xpath("//img | //@onerror") == []
    assert len(tree.xpath("//script")) == 3
    assert tree.xpath("//h1")[0].text == HOSTILE
    assert tree.xpath("//figure/div/@aria-label") == [HOSTILE]
    balance = _Balance()
    balance.feed(page)
    assert balance.faults == []


def test_chart_data_cannot_leave_its_script(report: Report):
    first = report.recommendations[0]
    figure = report.figures[first.strategy_id]["outlook"]
    trace = {**figure["data"][0], "name": "</script><script>alert(3)</script>"}
    odd = {"data": [trace, *figure["data"][1:]], "layout": figure["layout"]}
    page = render_html(report.model_copy(update={"figures": {first.strategy_id: {"outlook": odd}}}))
    assert len(html.document_fromstring(page).xpath("//script")) == 3


def test_a_report_without_recommendations_still_says_so(report: Report):
    empty = report.model_copy(update={"recommendations": (), "figures": {}})
    tree = html.document_fromstring(render_html(empty))
    assert "No strategy has a recommendation for this date." in _text(tree.xpath("//header")[0])
    assert tree.xpath("//section") == []


def test_a_recommendation_with_nothing_optional_still_renders(report: Report):
    bare = report.recommendations[0].model_copy(
        update={"metrics": {}, "verdict": None, "signal": None, "simulators": (), "parameters": {}, "data_note": ""}
    )
    tree = html.document_fromstring(render_html(report.model_copy(update={"recommendations": (bare,), "figures": {}})))
    assert bare.headline in _text(tree.get_element_by_id("s1"))


def test_a_strategy_that_is_run_in_no_worlds_says_so_and_leaves_the_others_as_they_are(report: Report, tree):
    unknown = dict.fromkeys(("expected_value", "ev_low", "ev_high", "outcome_low", "outcome_high"))
    without = report.recommendations[0].model_copy(
        update={**unknown, "probability_of_loss": None, "simulators": (), "strategy_id": "other", "name": "Elsewhere"}
    )
    both = report.model_copy(update={"recommendations": (without, *report.recommendations)})
    made = html.document_fromstring(render_html(Report.model_validate_json(both.model_dump_json())))
    rows, before = (one.xpath("//div[@class='summary']//tbody/tr") for one in (made, tree))
    assert [_text(cell) for cell in rows[0].xpath("td")[1:4]] == [UNKNOWN, "none", UNKNOWN]
    assert "no simulated worlds" in _text(made.get_element_by_id("s1"))
    outlooks = [[_text(cell) for cell in row.xpath("td")[1:4]] for row in rows[1:]]
    assert outlooks == [[_text(cell) for cell in row.xpath("td")[1:4]] for row in before]


def test_charts_of_unknown_places_come_after_the_known_ones(report: Report):
    first = report.recommendations[0]
    own = report.figures[first.strategy_id]
    mixed = {"extra": own["signal"], "outlook": own["outlook"]}
    page = render_html(report.model_copy(update={"recommendations": (first,), "figures": {first.strategy_id: mixed}}))
    labels = html.document_fromstring(page).xpath("//figure/div/@aria-label")
    assert labels == [mixed["outlook"]["layout"]["meta"]["alt"], mixed["extra"]["layout"]["meta"]["alt"]]


def test_many_holdings_are_counted_in_a_line_and_listed_in_full(report: Report):
    weights = {f"S{i:02d}": 0.05 for i in range(12)}
    wide = report.recommendations[0].model_copy(update={"weights_now": weights})
    tree = html.document_fromstring(render_html(report.model_copy(update={"recommendations": (wide,)})))
    section = _text(tree.get_element_by_id("s1"))
    assert "12 positions, 60.0 % in all" in section
    assert all(f"{symbol} 5.0 %" in section for symbol in weights)


def test_the_source_is_parseable_as_a_document(page: str):
    assert page.startswith('<!doctype html>\n<html lang="en">')
    parser = etree.HTMLParser(recover=True, huge_tree=True)
    assert etree.fromstring(page, parser) is not None
