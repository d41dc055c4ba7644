"""Clusters and placebo dates: what belongs together, and that the null has the same."""

from __future__ import annotations

import numpy as np
import pytest

from quantlib.event_study.clusters import clusters_of, mean_and_t, two_sided
from quantlib.event_study.placebo import MARGIN, p_value, placebo_rows


def test_windows_that_share_a_session_are_one_cluster() -> None:
    rows = np.array([10, 10, 13, 17, 100, 104, 109])
    assert clusters_of(rows, 4).tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert clusters_of(np.stack([rows, rows]), 3).tolist() == [[0, 0, 0, 1, 2, 3, 4]] * 2


def test_unknown_values_are_left_out_of_means() -> None:
    values = np.array([[0.01, np.nan, 0.03, -0.01], [0.01, 0.02, 0.03, -0.01]])
    labels = np.array([[0, 0, 1, 2], [0, 0, 1, 2]])
    mean, t, groups = mean_and_t(values, labels)
    known = np.array([0.01, 0.03, -0.01])
    assert mean[0] == pytest.approx(known.mean())
    assert t[0] == pytest.approx(known.mean() / (known.std(ddof=1) / np.sqrt(3)))
    assert groups.tolist() == [3, 3]
    off = values[1] - values[1].mean()
    sums = np.array([off[:2].sum(), off[2], off[3]])
    assert t[1] == pytest.approx(values[1].mean() / np.sqrt((sums**2).sum() * 3 / 2 / 16))
    assert np.isnan(mean_and_t(values[:, :1], labels[:, :1])[1]).all()
    assert np.isnan(two_sided(float("nan"), 5))


def test_placebo_dates_keep_the_number_and_shape_of_clusters() -> None:
    eligible = np.arange(300, 3000)
    events = np.array([800, 800, 803, 850, 1000, 1400, 1403])
    rows, order = placebo_rows(events, eligible, 5, draws=3000, rng=np.random.default_rng(5))
    assert rows.shape == order.shape == (3000, 7)
    assert (np.diff(rows, axis=1) >= 0).all()
    assert (np.sort(order, axis=1) == np.arange(7)).all()
    # Back in the order of the events: those of a cluster keep their distance, clusters keep away from each other.
    of_event = np.empty_like(rows)
    np.put_along_axis(of_event, order, rows, axis=1)
    assert (of_event[:, 1] == of_event[:, 0]).all()
    assert (of_event[:, 2] - of_event[:, 0] == 3).all()
    assert (of_event[:, 6] - of_event[:, 5] == 3).all()
    assert (clusters_of(rows, 5)[:, -1] == 3).all()
    low, high = 800 - MARGIN, 1403 + MARGIN
    assert (rows.min(), rows.max()) == (low, high)
    # No part of the history is preferred, nor is any cluster first more often than another.
    middle = (low + high) / 2
    assert abs((of_event[:, 3] < middle).mean() - 0.5) < 4 * np.sqrt(0.25 / 3000)
    first = np.bincount(order[:, 0], minlength=7)[[0, 3, 4, 5]] / 3000
    assert np.abs(first - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 3000)


def test_events_that_come_by_the_clock_are_not_put_back_on_their_days() -> None:
    events = np.arange(500, 1500, 20)
    rows, _ = placebo_rows(events, np.arange(300, 2000), 5, draws=1000, rng=np.random.default_rng(5))
    assert np.isin(rows, events).mean(axis=1).max() < 0.5


def test_where_there_is_no_room_events_stay_and_a_hole_is_never_drawn() -> None:
    packed = np.arange(300, 400, 10)
    rows, _ = placebo_rows(packed, np.arange(300, 391), 9, draws=50, rng=np.random.default_rng(0))
    assert (rows == packed).all()
    eligible = np.concatenate([np.arange(300, 500), np.arange(600, 900)])
    rows, _ = placebo_rows(np.array([310, 450, 700]), eligible, 5, draws=300, rng=np.random.default_rng(0))
    assert np.isin(rows, eligible).all()


def test_the_p_value_counts_the_real_one_among_the_drawn() -> None:
    drawn = np.linspace(-1, 1, 199)
    assert p_value(5.0, drawn) == pytest.approx(2 / 200)
    assert p_value(-5.0, drawn) == pytest.approx(2 / 200)
    assert p_value(0.0, drawn) == 1.0
    assert p_value(0.96, drawn) == pytest.approx(2 * ((drawn >= 0.96).sum() + 1) / 200)
    assert np.isnan(p_value(float("nan"), drawn))
    assert np.isnan(p_value(1.0, drawn[:0]))
