"""The null of an event study: as many events, overlapping as the real ones do, on sessions drawn by lot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantlib.event_study.clusters import FEW, clusters_of, mean_and_t
from quantlib.event_study.windows import Plan
from quantlib.types import FloatArray

Rows = NDArray[np.intp]

MARGIN = 250
"""Sessions before the first event and after the last from which placebo dates may be drawn as well."""


@dataclass(frozen=True, eq=False)
class Placebos:
    """What B studies of random sessions find.

    Parameters
    ----------
    paths
        Mean CAR by day [B, D].
    cars
        Mean CAR over the days counted [B].
    t
        Its clustered t statistic [B]; NaN where the dates make too few clusters.
    """

    paths: FloatArray
    cars: FloatArray
    t: FloatArray


def placebo_rows(events: Rows, eligible: Rows, span: int, *, draws: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return rows drawn by lot [B, E], ascending, and which event stands at each [B, E].

    Events whose windows share sessions stay together as they are; such clusters come in random order and at random
    places, so far apart that they share none with each other. So a draw has as many events and as many clusters of
    the same shape, and events that come by the clock, such as releases, are not put back on their own days. Sessions
    of real events are not left out: the null is that those are as any other.

    Parameters
    ----------
    events
        Rows of the real events [E], ascending.
    eligible
        Rows at which an event could be studied, ascending; all of `events` are among them. Drawn from are those from
        `MARGIN` before the first event to `MARGIN` after the last.
    span
        Sessions within which two events share part of their windows.
    draws
        B.
    rng
        Where the lots come from.
    """
    low, high = np.searchsorted(eligible, events[[0, -1]])
    field = eligible[max(low - MARGIN, 0) : high + MARGIN + 1]
    labels = clusters_of(events, span)
    places = np.searchsorted(field, events)
    begins = np.flatnonzero(np.diff(labels, prepend=-1))
    ends = np.append(begins[1:], len(events)) - 1
    # What a cluster takes: its own length, and as much as keeps the next one's windows apart.
    takes = places[ends] - places[begins] + span + 1
    free = max(len(field) + span - int(takes.sum()), 0)
    order = rng.permuted(np.tile(np.arange(len(begins)), (draws, 1)), axis=1)
    starts = np.sort(rng.integers(free + 1, size=order.shape), axis=1)
    starts += np.cumsum(takes[order], axis=1) - takes[order]
    start_of = np.empty_like(starts)
    np.put_along_axis(start_of, order, starts, axis=1)
    drawn = start_of[:, labels] + (places - places[begins][labels])
    drawn = np.minimum(drawn, len(field) - 1)  # a hole in the history can leave a little less room
    ascending = np.argsort(drawn, axis=1, kind="stable")
    return field[np.take_along_axis(drawn, ascending, axis=1)], ascending


def statistic(cars: FloatArray, rows: Rows, span: int) -> tuple[FloatArray, FloatArray]:
    """Return mean CAR and what is compared with the placebos' [B], of CARs [B, E] at ascending rows [B, E].

    That is the clustered t statistic, so that volatile times do not look like effects; the mean itself where the
    events make fewer than `FEW` clusters, of which no variance can be told.
    """
    mean, t, groups = mean_and_t(cars, clusters_of(rows, span))
    return mean, np.where(groups >= FEW, t, np.nan)


def placebo_studies(
    mean_of: Callable[[NDArray[np.bool_]], FloatArray],
    masks: NDArray[np.bool_],
    events: Rows,
    eligible: Rows,
    plan: Plan,
    draws: int,
    rng: np.random.Generator,
) -> Placebos:
    """Return the studies of placebo dates; an event takes its assets along to where it is put.

    Parameters
    ----------
    mean_of
        Gives for the assets of an event [N] their mean abnormal returns around every row [T, D], NaN where none of
        them has a window.
    masks
        Which assets each event is of [E, N].
    events, eligible, draws, rng
        As in `placebo_rows`.
    plan
        Which sessions belong to an event.
    """
    rows, order = placebo_rows(events, eligible, plan.span, draws=draws, rng=rng)
    kinds, kind_of = np.unique(masks, axis=0, return_inverse=True)
    cars = np.full(rows.shape, np.nan)
    sums, counts = np.zeros((draws, plan.length)), np.zeros(draws)
    for kind, mask in enumerate(kinds):
        mean = mean_of(mask)
        here = (kind_of.ravel()[order] == kind) & np.isfinite(mean[:, 0])[rows]
        cars[here] = mean[:, plan.counted].sum(axis=1)[rows[here]]
        path = np.cumsum(mean, axis=1)
        for day in range(plan.length):
            sums[:, day] += np.where(here, path[:, day][rows], 0.0).sum(axis=1)
        counts += here.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        paths = sums / counts[:, None]
    means, t = statistic(cars, rows, plan.span)
    return Placebos(paths, means, t)


def p_value(real: float, drawn: FloatArray) -> float:
    """Return the two-sided p-value of a statistic among those drawn, the real one counted among them; NaN of none."""
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(real) or not len(drawn):
        return float("nan")
    tail = min((drawn <= real).sum(), (drawn >= real).sum())
    return float(min(1.0, 2.0 * (tail + 1) / (len(drawn) + 1)))
