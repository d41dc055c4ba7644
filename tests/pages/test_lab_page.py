"""The Strategy lab as it is used: build, look, run, open a trade, keep, compare, pass on."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from app import cache
from app.lab_draft import Draft, as_link, from_link
from app.lab_views import half_lives
from quantlib.costs import Costs
from quantlib.store import StrategyRecord
from quantlib.store.definitions import save_version
from quantlib.strategies import READY, Group
from quantlib.workflows.definitions import definition_versions
from quantlib.workflows.lab import definition_name, trials, try_strategy

pytestmark = pytest.mark.slow

OILS = READY["Exxon against Chevron"]
KEEN = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.7})
RULE = Group(
    kind="outright", legs=("KO",),
    timing={
        "kind": "rules",
        "long": "rsi(close, 2) < 5 and close > sma(close, 200)",
        "exit_long": "rsi(close, 2) > 70",
    },
)  # fmt: skip


def labelled(page: AppTest, label: str) -> Any:
    """Return the first number box with a label."""
    return next(box for box in page.number_input if box.label == label)


def words(page: AppTest) -> str:
    """Return all that is written on a page."""
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.info, page.warning, page.error, page.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def open_link(app: Any, strategy: Any, **query: str) -> AppTest:
    return app("strategy_lab", d=as_link(strategy, "From a friend"), **query)


def calm(page: AppTest) -> AppTest:
    """Return a page that shows no fault."""
    assert not page.exception
    assert [error.value for error in page.error] == []
    return page


@pytest.fixture(scope="module")
def keen(app):
    """Return a pair that has been tried."""
    app("today")  # opens the session
    return try_strategy(cache.session(), KEEN, definition_name(KEEN))


def test_what_was_not_tried_yet_shows_its_spread_and_waits_for_the_button(app):
    page = calm(app("strategy_lab", definition="Exxon against Chevron"))
    assert not page.subheader  # no verdict
    assert page.info[-1].value.startswith("Press **Run**")
    assert "Half of a gap in the spread closed within" in words(page)
    windows = page.dataframe[0].value
    assert windows["n"].iloc[0] == windows["n"].iloc[1:].sum()
    page.button(key="run").click().run()
    calm(page)
    assert "edge" in page.subheader[0].value or "profit" in page.subheader[0].value
    assert [metric.label for metric in page.metric][:4] == [
        "Sharpe ratio", "Annual growth", "Maximum drawdown", "Turnover",
    ]  # fmt: skip
    again = calm(app("strategy_lab", definition="Exxon against Chevron"))  # another visit finds it
    assert again.subheader[0].value == page.subheader[0].value


def test_a_change_makes_the_record_stale_until_it_is_run(app, keen):
    page = calm(open_link(app, KEEN, view="Form"))
    assert page.subheader  # tried already
    assert not page.warning
    labelled(page, "Entry z").set_value(1.5).run()
    calm(page)
    assert "Since then: entry z 1.7 → 1.5." in page.warning[0].value
    assert page.subheader
    labelled(page, "Exit z").set_value(0.3).run()
    assert "Since then: entry z 1.7 → 1.5; exit z 0.5 → 0.3." in page.warning[0].value
    labelled(page, "Entry z").set_value(1.7).run()
    labelled(page, "Exit z").set_value(0.5).run()
    assert not page.warning  # it is the former one again
    page.toggle(key="own_costs").set_value(True).run()
    page.number_input(key="commission_bps").set_value(9.0).run()
    assert "Since then: the costs are others." in page.warning[0].value
    page.button(key="run").click().run()
    assert not calm(page).warning
    dear = try_strategy(cache.session(), KEEN, "Again", Costs(commission_bps=9.0))
    sharpe = f"{dear.run.metrics.loc['sharpe_ratio', 'value']:.2f}"
    assert next(metric.value for metric in page.metric if metric.label == "Sharpe ratio") == sharpe
    assert sharpe != f"{keen.run.metrics.loc['sharpe_ratio', 'value']:.2f}"


def test_what_was_run_is_chosen_by_its_own_name(app):
    page = calm(app("strategy_lab", definition="Coke against Pepsi with drift", view="Form"))
    labelled(page, "Entry z").set_value(2.3).run()
    page.button(key="run").click().run()
    calm(page)
    assert page.selectbox(key="definition").value == "Pair KO/PEP kalman 2.3/0.5 over 126"
    assert page.subheader
    assert "d" not in page.query_params


def test_a_fault_is_said_at_once_and_cannot_be_run(app, keen):
    page = calm(open_link(app, KEEN, view="Form"))
    labelled(page, "Exit z").set_value(3.0).run()
    assert not page.exception
    assert page.error[0].value == (
        "**This is no definition yet.** Group\\: timing.exit (3) must be below entry (1.7), else a trade would end "
        "where it starts"
    )
    assert page.button(key="run").disabled
    assert "what is typed is no definition yet" in page.warning[0].value  # and the record stays, marked
    assert page.subheader
    labelled(page, "Exit z").set_value(1.0).run()
    calm(page)
    assert not page.button(key="run").disabled


def test_a_condition_that_names_what_there_is_not_is_refused_as_it_is_typed(app):
    page = calm(open_link(app, RULE, view="Form"))
    text = next(area for area in page.text_area if area.label == "Buy when")
    text.set_value("clse > sma(close, 50)").run()
    assert not page.exception
    assert "timing.long cannot be read. There is no 'clse' here. Did you mean close?" in page.error[0].value
    lines = page.code[0].value.splitlines()
    assert lines[-1].index("^") == lines[-2].index("clse")
    assert page.button(key="run").disabled
    page.run()
    assert page.error  # it stays
    next(area for area in page.text_area if area.label == "Buy when").set_value("close > sma(close, 50)").run()
    calm(page)


def test_form_and_document_are_the_same_definition(app):
    page = calm(app("strategy_lab", definition="Exxon against Chevron", view="YAML"))
    area = page.text_area[0]
    assert "name: Exxon against Chevron" in area.value
    assert "why: One oil price" in area.value
    assert "entry: 2.0" in area.value
    area.set_value(area.value.replace("entry: 2.0", "entry: 2.6")).run()
    calm(page)
    assert "entry z 2 → 2.6" in words(page)
    page.button_group(key="view").set_value("Form").run()
    calm(page)
    assert labelled(page, "Entry z").value == 2.6
    labelled(page, "Entry z").set_value(2.7).run()
    page.button_group(key="view").set_value("YAML").run()
    assert "entry: 2.7" in calm(page).text_area[0].value


def test_a_fault_in_a_document_names_line_and_place_and_loses_nothing(app):
    page = calm(app("strategy_lab", definition="Exxon against Chevron", view="YAML"))
    good = page.text_area[0].value
    bad = good.replace("entry: 2.0", "entri: 2.0")
    line = bad.splitlines().index("    entri: 2.0") + 1
    page.text_area[0].set_value(bad).run()
    assert page.error[0].value == (
        f"**This is no definition yet.** Line {line}\\: parameters.timing.entri is not a parameter. Did you mean "
        "entry? (got 2.0)"
    )
    page.button_group(key="view").set_value("Form").run()
    assert not page.exception
    assert "What you typed is kept" in page.info[0].value
    page.button_group(key="view").set_value("YAML").run()
    assert page.text_area[0].value == bad
    page.text_area[0].set_value(good).run()
    calm(page)


def test_a_link_opens_the_same_draft_in_another_visit(app):
    page = calm(app("strategy_lab", definition="Exxon against Chevron", view="Form"))
    assert "d" not in page.query_params
    labelled(page, "Spread stop").set_value(5.5).run()
    code = page.query_params["d"]
    wanted = OILS.model_copy(update={"stops": OILS.stops.model_copy(update={"spread_z": 5.5})})
    assert from_link(code)[1] == wanted
    other = calm(app("strategy_lab", d=code, view="Form"))
    assert labelled(other, "Spread stop").value == 5.5
    assert other.session_state["lab-draft"].strategy == wanted
    assert other.session_state["lab-draft"].title == definition_name(wanted)


def test_what_share_gives_opens_with_its_costs_and_span(app):
    page = calm(app("strategy_lab", definition="Exxon against Chevron", view="Share", commission_bps="7.5"))
    link = page.code[0].value
    query = dict(parse_qsl(link.partition("?")[2]))
    assert (query["own_costs"], query["commission_bps"]) == ("true", "7.5")
    assert query["definition"] == "Exxon against Chevron"
    other = calm(app("strategy_lab", **{**query, "view": "Form"}))
    assert other.session_state["lab-draft"].strategy == OILS
    assert other.number_input(key="commission_bps").value == 7.5
    assert "Share" in page.button_group(key="view").value


def test_what_is_shared_of_a_name_of_ones_own_opens_under_a_name_that_everyone_has(app):
    page = calm(open_link(app, KEEN, definition="New: Momentum rotation", view="Share"))
    query = dict(parse_qsl(page.code[0].value.partition("?")[2]))
    assert query["definition"] == "New: Momentum rotation"
    draft = Draft("Keen oils", KEEN)
    assert draft.anywhere == "New: Group"
    other = calm(app("strategy_lab", definition=draft.anywhere, d=query["d"]))
    assert other.selectbox(key="definition").value == "New: Group"
    assert other.session_state["lab-draft"].strategy == KEEN


def test_a_name_that_is_not_there_is_said_with_the_nearest(app):
    page = app("strategy_lab", definition="Exxon against Chevrn")
    assert "There is no definition 'Exxon against Chevrn' here" in page.info[0].value
    assert "Did you mean Exxon against Chevron?" in page.info[0].value


def test_an_address_that_a_late_message_overwrote_is_mended(app):
    page = calm(app("strategy_lab", definition="Exxon against Chevron", view="Form"))
    page.query_params["view"] = "Versions"
    page.query_params["definition"] = "Coke against Pepsi with drift"
    page.run()
    assert page.button_group(key="view").value == "Form"
    assert (page.query_params["view"], page.query_params["definition"]) == ("Form", "Exxon against Chevron")


@pytest.mark.parametrize("code", ["nonsense", "eNpLKs", as_link(OILS, "Cut")[:-9]])
def test_a_broken_link_is_said_and_the_page_goes_on(app, code):
    page = app("strategy_lab", d=code)
    assert not page.exception
    assert "This link does not work." in page.error[0].value
    assert page.selectbox(key="definition").value == "Large-cap trend"
    assert page.subheader


def test_symbols_without_prices_are_named_with_the_way_to_load_them(app):
    page = calm(open_link(app, Group(legs=("KO", "TSLQ")), view="Form"))
    assert "TSLQ has no stored prices" in page.warning[0].value
    assert "workbench ingest --symbol TSLQ" in page.warning[0].value
    assert page.button(key="run").disabled


def test_a_trade_is_opened_by_the_address_and_says_why_it_was_taken(app):
    app("today")
    trial = try_strategy(cache.session(), RULE, definition_name(RULE))
    row = trial.run.result.group_trades.iloc[-2]
    page = calm(open_link(app, RULE, tab="Trades", trade=f"{row['entered']:%Y-%m-%d} {row['side']}"))
    text = words(page)
    assert f"entered long on {row['entered']:%Y-%m-%d}" in text
    assert "**Entered long on the close of" in text
    tree = next(m.value for m in page.markdown if ":material/check: " in m.value and "rsi" in m.value)
    assert tree.count(":material/check: ") == 3  # the whole, and both of its parts
    assert "sma(close, 200)" in tree
    assert "Left on the close of" in text
    fills = next(d.value for d in page.dataframe if {"decided", "price"} <= set(d.value))
    assert list(fills["ts"]) == [row["entered"], row["left"]]


def test_every_part_of_the_sheet_is_drawn(app, keen):
    tabs = [tab.label for tab in open_link(app, KEEN).tabs]
    assert len(tabs) == 11
    for tab in tabs:
        page = calm(open_link(app, KEEN, tab=tab))
        assert not page.info, tab
        drawn = page.get("plotly_chart")
        assert len(drawn) >= (1 if tab in {"Metrics", "Factors", "Checks"} else 2), tab
        if tab == "Drawdown":
            assert set(page.dataframe[0].proto.column_order) <= set(page.dataframe[0].value)
            assert len(page.dataframe[0].proto.column_order) == 7


def test_saving_makes_versions_that_are_compared_in_words_and_curves(app, keen):
    page = calm(open_link(app, KEEN, view="Versions"))
    page.text_input[0].set_value("Keen pair")
    page.text_input(key="save-note").set_value("first")
    next(button for button in page.button if button.label == "Save").click().run()
    calm(page)
    assert page.success[0].value == "Saved as **Keen pair**, version 1."
    assert page.selectbox(key="definition").value == "Keen pair"
    page.button_group(key="view").set_value("Form").run()
    labelled(page, "Entry z").set_value(1.9).run()
    page.button_group(key="view").set_value("Versions").run()
    assert page.text_input[0].value == "Keen pair"
    next(button for button in page.button if button.label == "Save").click().run()
    calm(page)
    assert page.success[0].value == "Saved as **Keen pair**, version 2."
    kept = definition_versions(cache.session(), "Keen pair")
    assert [(one.version, one.params["timing"]["entry"]) for one in kept] == [(1, 1.7), (2, 1.9)]
    versions = next(d.value for d in page.dataframe if "changes" in d.value)
    assert list(versions["changes"]) == ["entry z 1.7 → 1.9", ""]
    page.button(key="compare").click().run()
    calm(page)
    assert "**From version 1 to 2:** entry z 1.7 → 1.9." in words(page)
    metrics = next(d.value for d in page.dataframe if "Version 2" in d.value)
    assert (metrics["Version 1"] != metrics["Version 2"]).any()
    next(box for box in page.selectbox if box.label == "with version").set_value(1).run()
    page.button(key="open-version").click().run()
    calm(page)
    assert page.session_state["lab-draft"].strategy == KEEN


def test_a_version_that_is_no_longer_accepted_is_said_and_the_page_goes_on(app):
    app("today")
    store = cache.session().store
    save_version(store, "Aged", StrategyRecord("gone-0", "gone", "Gone", {}))
    save_version(store, "Aged", StrategyRecord(KEEN.id, "group", "Keen", KEEN.model_dump(mode="json")))
    page = calm(open_link(app, KEEN, view="Versions"))
    page.selectbox(key="versions-of").set_value("Aged").run()
    page.button(key="compare").click().run()
    assert not page.exception
    assert "These versions cannot be compared." in page.error[0].value


def test_opening_an_address_in_other_terms_runs_nothing(app, keen):
    name = definition_name(KEEN)
    made = trials(cache.session(), "sample").backtests
    page = calm(app("strategy_lab", definition=name, **{"from": "2019-01-02"}))
    assert not page.subheader
    assert calm(app("strategy_lab", definition=name)).subheader  # as it was tried it is shown
    assert trials(cache.session(), "sample").backtests == made


def test_a_name_that_cannot_be_saved_under_is_refused_with_the_reason(app, keen):
    page = calm(open_link(app, KEEN, view="Versions"))
    page.text_input[0].set_value("Coke against Pepsi")
    next(button for button in page.button if button.label == "Save").click().run()
    assert not page.exception
    assert "is the name of a ready definition" in page.error[0].value


def test_a_new_definition_opens_with_its_form_and_only_runs_when_asked(app):
    page = calm(app("strategy_lab", definition="New: Group"))
    assert page.button_group(key="view").value in ("Form", ["Form"])
    assert labelled(page, "Entry z").value == 2.0
    assert not page.subheader


def test_a_half_life_without_end_is_written_so():
    import pandas as pd

    rows = [(397.4, 240.0, 1154.0), (58.0, 27.0, float("inf")), (float("nan"),) * 3, (float("inf"),) * 3]
    windows = pd.DataFrame(rows, columns=["half_life", "half_life_low", "half_life_high"])
    assert half_lives(windows) == ["397 (240 … 1,154)", "58 (27 … ∞)", "–", "∞ (∞ … ∞)"]
