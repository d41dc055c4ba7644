"""An event put into worlds: the response that was measured, and nothing before its day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.simulators import SIMULATORS
from quantlib.workflows.event_ahead import event_ahead
from quantlib.workflows.event_study import study_events
from quantlib.workflows.events import load_events
from quantlib.workflows.grading import grade_of
from quantlib.workflows.research import shared_panel
from quantlib.workflows.session import Session


def test_the_measured_response_comes_on_its_day_and_not_before(lab: Session) -> None:
    load_events(lab)
    done = study_events(lab, ["KO"], kind="fomc", before=1, after=2, placebos=20, samples=100)
    found = event_ahead(lab, done, "KO", "gbm", day=5, n=400, horizon=21)
    assert found.paths.shape == found.without.shape == (400, 22)
    assert len(found.dates) == 22
    assert (found.paths[:, 0] == found.history.iloc[-1]).all()
    np.testing.assert_array_equal(found.paths[:, :5], found.without[:, :5])
    assert not np.array_equal(found.paths[:, 5], found.without[:, 5])
    assert found.grade == grade_of(lab, SIMULATORS["gbm"](), shared_panel(lab, ["KO"]))
    (mark,) = [shape for shape in found.figure.layout.shapes if shape.line.dash == "dot"]
    assert pd.Timestamp(mark.x0) == found.dates[5]
    response = sum(done.study.impulse()["response"])
    mean, error = found.difference
    assert mean == pytest.approx(np.expm1(response), abs=4 * error)


def test_a_day_beyond_the_horizon_and_an_unknown_world_are_refused(lab: Session) -> None:
    load_events(lab)
    done = study_events(lab, ["KO"], kind="fomc", before=1, after=2, placebos=20, samples=100)
    with pytest.raises(DataError, match="An event is on day 30; the horizon is 21 sessions"):
        event_ahead(lab, done, "KO", "gbm", day=30)
    with pytest.raises(DataError, match="There is no simulator 'gmb'"):
        event_ahead(lab, done, "KO", "gmb")
