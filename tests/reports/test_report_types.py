from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from pydantic import ValidationError

from quantlib.reports import MetricValue, Recommendation, Report, SimulatedOutcome, WeightChange
from quantlib.reports.figures import frozen_figure, short_table, untitled


def _outcome(**changed: Any) -> dict[str, Any]:
    values = {"mean": 0.01, "mean_low": 0.0, "mean_high": 0.02, "p05": -0.05, "p50": 0.01, "p95": 0.06}
    return {"simulator": "gbm", "title": "GBM", "n": 100, "probability_of_loss": 0.4, **values, **changed}


def test_a_report_survives_json_unchanged(report: Report):
    text = report.model_dump_json()
    back = Report.model_validate_json(text)
    assert back == report
    assert back.model_dump_json() == text
    assert "NaN" not in text


def test_a_recommendation_alone_survives_json(report: Report):
    first = report.recommendations[0]
    assert Recommendation.model_validate_json(first.model_dump_json()) == first
    assert len(first.model_dump_json()) < 5_000, "charts are kept by the report, not by each recommendation"


def test_a_report_from_before_grades_reads_and_says_that_they_are_unknown(report: Report):
    old = json.loads(report.model_dump_json())
    for item in old["recommendations"]:
        for outcome in item["simulators"]:
            del outcome["grade"], outcome["grade_sentence"]
    first = Report.model_validate(old).recommendations[0]
    assert first.grade == "unknown"
    assert first.grade_sentence.startswith("Grade unknown: ")
    assert first.expected_value == report.recommendations[0].expected_value
    alone = first.model_copy(update={"simulators": ()})
    assert (alone.grade, alone.grade_sentence) == (first.grade, first.grade_sentence)


def test_the_grade_is_that_of_the_worlds_the_expectation_comes_from(report: Report):
    first = report.recommendations[0]
    assert [outcome.grade for outcome in first.simulators] == ["A", "F"]
    assert first.grade == "A"
    assert first.grade_sentence == "Grade A: not told from history"


def test_the_unknown_is_none():
    assert MetricValue(value=float("nan"), ci_low=np.nan, ci_high=float("inf")) == MetricValue(value=None)
    assert json.loads(MetricValue(value=float("nan")).model_dump_json())["value"] is None


@pytest.mark.parametrize(
    "changed",
    [
        {"p05": 0.2},
        {"p95": 0.0},
        {"mean_low": 0.03},
        {"probability_of_loss": 1.2},
        {"probability_of_loss": -0.1},
        {"n": 0},
        {"mean": float("nan")},
        {"unknown_field": 1},
        {"grade": "G"},
    ],
)
def test_an_impossible_outcome_is_refused(changed):
    SimulatedOutcome(**_outcome())
    with pytest.raises(ValidationError):
        SimulatedOutcome(**_outcome(**changed))


def test_an_unknown_action_and_a_change_in_place_are_refused(report: Report):
    first = report.recommendations[0]
    with pytest.raises(ValidationError, match="action"):
        Recommendation.model_validate({**first.model_dump(), "action": "buy everything"})
    with pytest.raises(ValidationError, match="frozen"):
        first.action = "enter"


def test_a_change_is_after_less_before():
    assert WeightChange(symbol="KO", before=0.25, after=-0.5).change == -0.75


def test_a_frozen_figure_is_plain_rounded_json():
    fig = go.Figure(
        {
            "data": [
                {
                    "type": "scatter",
                    "x": np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]"),
                    "y": np.array([1 / 3, np.nan, 2.0]),
                }
            ],
            "layout": {"template": "workbench_light", "xaxis": {"range": [np.datetime64("2024-01-01"), "2024-02-01"]}},
        }
    )
    frozen = frozen_figure(fig)
    assert frozen["data"][0]["x"] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert frozen["data"][0]["y"] == [0.33333333, None, 2.0]
    assert frozen["layout"]["xaxis"]["range"] == ["2024-01-01", "2024-02-01"]
    assert "template" not in frozen["layout"]
    assert json.loads(json.dumps(frozen, allow_nan=False)) == frozen
    assert frozen_figure(frozen) is frozen


def test_a_title_taken_out_gives_its_room_back(report: Report):
    figure = report.figures["pair-0123456789"]["record"]
    bare = untitled(figure)
    assert "title" not in bare["layout"]
    saved = figure["layout"]["margin"]["t"] - bare["layout"]["margin"]["t"]
    assert bare["layout"]["height"] == figure["layout"]["height"] - saved
    assert "title" in figure["layout"], "the given figure is left as it was"


def test_long_tables_keep_the_last_value_of_each_period(report: Report):
    table, rows = short_table(report.figures["ma_cross-0123456789"]["record"])
    assert rows == "The last drawn value of each quarter."
    assert 20 <= len(table) <= 40
    assert str(table.index[-1])[:10] == "2022-12-28"
    bars, every = short_table(report.figures["ma_cross-0123456789"]["outcomes"])
    assert len(bars) <= 40
    assert every == ""
