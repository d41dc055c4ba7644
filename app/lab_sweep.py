"""The sweep: two parameters over ranges, run as a job that goes on without the page, found again and drawn as a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import streamlit as st
from pydantic import BaseModel

from app.cache import keep, session
from app.job_watch import expect, said, watch
from app.lab_draft import Draft
from app.layout import chart, plain, table
from quantlib.charts import sweep_heatmap
from quantlib.charts.numbers import count
from quantlib.charts.sensitivity import value_label
from quantlib.costs import Costs
from quantlib.errors import QuantError
from quantlib.metrics import METRICS
from quantlib.strategies import Strategy
from quantlib.types import DateLike, as_date
from quantlib.workflows.sweeping import METRICS as SWEPT
from quantlib.workflows.sweeping import StoredSweep, start_sweep, sweeps
from quantlib.workflows.trading_costs import costs_in_words

#: Fields that are numbers but no choice.
_FIXED = ("schema_version",)


def numeric_fields(model: BaseModel, path: str = "", words: str = "") -> Iterator[tuple[str, str, float]]:
    """Yield the numbers of a definition that can be varied: dotted name, title and value."""
    for name, field in type(model).model_fields.items():
        value, title = getattr(model, name), field.title or name
        here, label = f"{path}{name}", f"{words}{title}"
        if isinstance(value, BaseModel):
            yield from numeric_fields(value, f"{here}.", words)
        elif isinstance(value, tuple):
            for i, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from numeric_fields(item, f"{here}.{i}.", f"{getattr(item, 'symbol', i)}: ")
        elif isinstance(value, int | float) and not isinstance(value, bool) and name not in _FIXED:
            yield here, label, value


def grid_values(low: float, high: float, steps: int, *, whole: bool) -> list[Any]:
    """Return evenly spaced values from low to high, whole and without repeats where the parameter is."""
    values = np.linspace(low, high, steps)
    if whole:
        return [int(v) for v in dict.fromkeys(np.round(values).astype(int).tolist())]
    return list(dict.fromkeys(float(f"{v:.6g}") for v in values))


def sweep(draft: Draft, paid: Costs | None, start: DateLike | None, source: str) -> None:
    """Draw the form of a sweep, how far the last one is, and what those of this definition on these prices found."""
    if (strategy := draft.strategy) is None:
        st.info("There is no definition yet; mend what is typed first.", icon=":material/info:")
        return
    offered = {name: (title, value) for name, title, value in numeric_fields(strategy)}
    if len(offered) < 2:
        st.info(f"{strategy.title} has fewer than two numbers to vary here.", icon=":material/info:")
        return
    _form(draft.title, strategy, offered, paid, start)
    watch("sweep", "combinations")
    _found(strategy, offered, source)


def _form(
    title: str, strategy: Strategy, offered: dict[str, tuple[str, float]], paid: Costs | None, start: DateLike | None
) -> None:
    st.caption("Every combination is run, and counts: the best of many looks good by luck alone.")
    grid: dict[str, list[Any]] = {}
    preferred = [name for name in offered if name.rpartition(".")[2] in {"entry", "exit", "lookback", "fast", "slow"}]
    names = [*preferred, *(name for name in offered if name not in preferred)]
    times = Counter(label for label, _ in offered.values())

    def called(name: str) -> str:
        label = offered[name][0]
        return label if times[label] == 1 else f"{label} ({name})"

    for axis, label in enumerate(("Down", "Across")):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.selectbox(
                label, names, index=axis, format_func=called,
                key=f"sweep-{axis}-{strategy.family}", width=320,
            )  # fmt: skip
            value = offered[name][1]
            whole = isinstance(value, int)
            key = f"sweep-{axis}-{name}-{value}"
            kind = int if whole else float
            half, more = kind(value / 2), kind(float(f"{value * 1.5:.6g}")) or kind(1)
            low = st.number_input("From", value=half, key=f"{key}-low", width=130, format=None if whole else "%g")
            high = st.number_input("To", value=more, key=f"{key}-high", width=130, format=None if whole else "%g")
            steps = st.number_input("Values", 2, 30, 5, key=f"{key}-steps", width=110)
        grid[name] = grid_values(float(low), float(high), int(steps), whole=whole)
    sets = int(np.prod([len(values) for values in grid.values()]))
    same = len(grid) < 2
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(f"Try {count(sets)} combinations", type="primary", icon=":material/grid_on:", disabled=same,
                     key="sweep-start"):  # fmt: skip
            try:
                since = None if start is None else as_date(start).date()
                queued = start_sweep(session(), strategy, grid, name=title, start=since, costs=paid,
                                     reason="asked for in the Strategy lab")  # fmt: skip
                expect("sweep", queued.id)
            except QuantError as error:
                st.error(str(error), icon=":material/error:")
        st.caption(
            "Choose two different parameters." if same
            else "A worker does it; leave the page and come back. With the costs and the first session set below."
        )  # fmt: skip


def _found(strategy: Strategy, offered: dict[str, tuple[str, float]], source: str) -> None:
    """Draw the map of a sweep of this definition; the newest one first."""
    if message := said("sweep"):
        st.info(message, icon=":material/info:")
    made: dict[str, StoredSweep] = {one.id: one for one in keep(sweeps, strategy, source)}
    if not made:
        st.caption("No sweep of this definition is stored yet.")
        return
    labels = {key: called(one, offered) for key, one in made.items()}
    newest = next(iter(made))
    if st.session_state.get("sweep-newest") != newest:  # one more has been made, or those of another definition
        st.session_state["sweep-newest"] = st.session_state["sweep-shown"] = newest
    times = Counter(labels.values())
    labels = {key: label if times[label] == 1 else f"{label} ({key[-4:]})" for key, label in labels.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Sweep", list(made), format_func=labels.__getitem__, key="sweep-shown", width=640)
        metric = st.selectbox("Metric", SWEPT, index=SWEPT.index("sharpe_ratio"), key="sweep-metric", width=300,
                              bind="query-params", format_func=lambda key: METRICS[key].title)  # fmt: skip
    result = made[chosen].result
    refused = f", {count(len(result.invalid))} refused" if len(result.invalid) else ""
    st.markdown(
        f"**{count(result.n_tried)} combinations tried{refused}.** Each is a trial: the best of them looks good by "
        "luck alone, and a plateau is worth more than a peak."
    )
    st.caption(f"Run over {_span(made[chosen])}; trading cost {costs_in_words(made[chosen].costs)}.")
    if len(result.parameters) < 2:  # made elsewhere: the form here takes two
        st.dataframe(result.table, hide_index=True, key="sweep-table")
        return
    y, x, *_ = result.parameters
    now = (offered[y][1], offered[x][1]) if {x, y} <= set(offered) else None
    try:
        map_of = result.pivot(x, y, metric)
        shown = now if now is not None and now[0] in map_of.index and now[1] in map_of.columns else None
        named = map_of.rename_axis(index=offered.get(y, (y,))[0], columns=offered.get(x, (x,))[0])
        chart(sweep_heatmap(named, METRICS[metric].title, chosen=shown), "sweep-map")
    except QuantError as error:  # known for none of them, or of values that no table has for a side
        st.info(plain(str(error)), icon=":material/info:")
        st.dataframe(result.table, hide_index=True, key="sweep-table")
    if len(result.invalid):
        with st.expander("What was refused, and why"):
            table(result.invalid, {str(name): str(name) for name in result.invalid}, "sweep-refused", hide_index=True)


def called(one: StoredSweep, offered: dict[str, tuple[str, float]]) -> str:
    """Return what varies in a sweep and over which values, its span, and what it paid."""
    grid = one.result.grid
    ranges = {name: grid.values[name] for name in one.result.parameters}
    over = " × ".join(f"{offered.get(name, (name,))[0]} {_values(values)}" for name, values in ranges.items())
    return f"{over}; {_span(one)}; {costs_in_words(one.costs)}"


def _values(values: tuple[Any, ...]) -> str:
    """Return the first and the last of numbers, and all of anything else."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{min(values):g}–{max(values):g}"
    return ", ".join(value_label(value) for value in values)


def _span(one: StoredSweep) -> str:
    since = f"sessions from {one.start:%Y-%m-%d}" if one.start else "all sessions"
    return f"{since} up to {one.as_of:%Y-%m-%d}"
