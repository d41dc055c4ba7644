"""A scenario of one's own on the simulator page: typed, judged, taken in, kept over a reload, and run."""

from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest

from app import cache
from app.simulator_own_draft import Draft, as_link, begin, from_link
from quantlib.scenarios import read_scenarios, to_yaml


def own(app, **more: str) -> AppTest:
    return app("simulator", part="Scenarios", stress__tab="Your own", **more)


def field(page: AppTest, label: str):
    return next(one for one in (*page.text_input, *page.number_input, *page.selectbox) if one.label == label)


def test_a_scenario_of_ones_own_is_typed_judged_and_survives_a_reload(app, tmp_path):
    page = own(app, own__pattern="Equities -20 %")
    assert not page.exception
    assert not page.error
    field(page, "Title").set_value("My").run()
    assert "no scenario yet" in page.error[0].value
    assert any("at least 3 characters; got 'My'" in text.value for text in page.markdown), "beside the field"
    assert page.button(key="own-take").disabled
    field(page, "Title").set_value("A fall of my own").run()
    field(page, "Sessions").set_value(7).run()
    field(page, "Volatility").set_value(1.5).run()
    field(page, "Path").set_value("crash_then_recover").run()
    field(page, "Made good").set_value(0.4).run()
    assert not page.error
    draft = page.query_params["draft"]
    page.button(key="own-take").click().run()
    assert "A fall of my own is among the scenarios" in page.success[0].value

    codes = page.query_params["own"]
    (code,) = [codes] if isinstance(codes, str) else codes
    scenario = from_link(code)
    assert (scenario.sessions, scenario.law.volatility, scenario.path, scenario.recovers) == (
        7,
        1.5,
        "crash_then_recover",
        0.4,
    )
    (tmp_path / f"{scenario.id}.yaml").write_text(to_yaml(scenario), encoding="utf-8")
    assert read_scenarios(tmp_path) == {"a-fall-of-my-own": scenario}

    again = own(app, own__pattern="Equities -20 %", own=code, draft=from_draft(draft))
    assert field(again, "Title").value == "A fall of my own"
    assert field(again, "Made good").value == 0.4
    again.button(key="own-drop-A fall of my own").click().run()
    assert "own" not in again.query_params
    assert not again.exception


def from_draft(code: str | list[str]) -> str:
    return code if isinstance(code, str) else code[0]


def test_the_file_of_a_scenario_of_ones_own_is_read_and_run_beside_the_ready_ones(app, tmp_path):
    folder = cache.session().settings.data / "scenarios"
    for path in folder.glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ready = read_scenarios(folder)["equities-minus-20"]
    draft = Draft(ready.title, begin(ready), ())
    (tmp_path / f"{draft.fields['id']}.yaml").write_text(draft.document, encoding="utf-8")
    mine = read_scenarios(tmp_path)["my-equities-20"]
    assert mine == draft.scenario
    page = app("simulator", part="Scenarios", own=as_link(mine), scenario=mine.title)
    assert page.selectbox(key="scenario").value == mine.title
    page.multiselect(key="stressed").set_value(["Exxon against Chevron"])
    page.button(key="stress-run").click().run()
    assert not page.exception
    assert not page.error
    heat = json.loads(page.get("plotly_chart")[0].proto.spec)["data"][0]
    ends = dict(zip(heat["y"], heat["text"], strict=True))
    assert ends[mine.title] == ends[ready.title], "the same moves"


def test_text_and_form_hold_the_same_scenario(app):
    page = own(app, own__pattern="Equities -20 %", own__view="YAML")
    area = page.text_area(key="own-text")
    area.set_value(area.value.replace("sessions:", "session:")).run()
    assert any("The text, sessions" in text.value and "is missing" in text.value for text in page.markdown)
    wrong = page.text_area(key="own-text").value
    page.segmented_control(key="own-view").set_value("Form").run()
    assert "What you typed is kept" in "".join(info.value for info in page.info)
    page.segmented_control(key="own-view").set_value("YAML").run()
    assert page.text_area(key="own-text").value == wrong
    page.text_area(key="own-text").set_value(
        wrong.replace("session:", "sessions:").replace("title: My", "title: Our")
    ).run()
    assert not page.error
    page.segmented_control(key="own-view").set_value("Form").run()
    assert field(page, "Title").value == "Our Equities -20 %"
    field(page, "Sessions").set_value(3).run()
    page.segmented_control(key="own-view").set_value("YAML").run()
    assert "sessions: 3" in page.text_area(key="own-text").value
