"""The builder: a definition as a form, its legs as a table, only with the fields that its kind and timing have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pandas as pd
import streamlit as st
from pydantic import BaseModel

from app.forms import called, parameters
from app.lab_draft import Draft
from quantlib.risk import Stops
from quantlib.strategies import STRATEGIES, Group
from quantlib.strategies.legs import KINDS, LEGS, METHODS, USUAL_WEIGHTS, Hedge, Kind, VolatilityTarget
from quantlib.strategies.timing import TIMINGS, Band, Hold, Rank, Rules

_FORMS: dict[str, type[BaseModel]] = {"band": Band, "rules": Rules, "rank": Rank, "hold": Hold}
#: Fields that hold a condition or a number in the condition grammar.
_CONDITIONS = ("long", "short", "exit_long", "exit_short", "by", "filter")
_EXAMPLES = {
    "long": "z < -2",
    "short": "z > 2",
    "exit_long": "z > -0.5",
    "exit_short": "z < 0.5",
    "by": "close / lag(close, 126) - 1",
    "filter": "close > sma(close, 200)",
}
_OUTRIGHT = {
    "long": "close > sma(close, 200)",
    "short": "rsi(close, 14) > 80",
    "exit_long": "close < sma(close, 200)",
    "exit_short": "rsi(close, 14) < 50",
}
_LEG_COLUMNS = ("symbol", "weight", "duration")
_AFTER = "after n sessions"


def definition_form(draft: Draft, symbols: Sequence[str]) -> dict[str, Any]:
    """Draw the fields of the draft and return what they hold, not validated yet."""
    model, key = STRATEGIES[draft.family], f"{draft.family}-{draft.turn}"
    if model is Group:
        return _group(draft.params, symbols, key)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        return parameters(model, draft.params, symbols, key)


def _group(before: Mapping[str, Any], symbols: Sequence[str], key: str) -> dict[str, Any]:
    kind: Kind = st.segmented_control(
        "Kind", KINDS, default=before["kind"], required=True, key=f"{key}-kind", help="What the legs are to each other."
    )
    key, values = f"{key}-{kind}", dict(before) if before["kind"] == kind else _usual(kind, before, symbols)
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        timing = _timing_kind(kind, values["timing"]["kind"], key)
    timed = _timing(kind, timing, values["timing"], key)
    hedge = _hedge(kind, timing, values["hedge"], key)
    with place:
        legs = _legs(kind, values["legs"], symbols, key, lasting=hedge["method"] == "dv01")
    fields = ["capital"] if timing in {"rank", "hold"} else ["direction", "min_hold", "capital"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sized = parameters(Group, values, symbols, key, fields=fields)
    target = _volatility(values["volatility_target"], key)
    stops = _stops(kind, timing, values["stops"], key)
    own = {**values, "kind": kind, "direction": "both", "min_hold": 0, **sized}
    return {**own, "legs": legs, "hedge": hedge, "timing": timed, "volatility_target": target, "stops": stops}


def _usual(kind: Kind, before: Mapping[str, Any], symbols: Sequence[str]) -> dict[str, Any]:
    """Return what is usual for a kind, with as many of the symbols that were chosen as it takes."""
    at_least, at_most = LEGS[kind]
    chosen = list(dict.fromkeys(leg["symbol"] for leg in before["legs"]))[:at_most]
    chosen += [symbol for symbol in symbols if symbol not in chosen][: max(at_least - len(chosen), 0)]
    weights = USUAL_WEIGHTS.get(kind, (1.0,) * len(chosen))
    legs = [{"symbol": s, "weight": w, "duration": None} for s, w in zip(chosen, weights, strict=False)]
    usual = Group(kind=kind, legs=tuple(legs) if len(legs) >= at_least else ("A", "B", "C")[:at_least])
    kept = {name: before[name] for name in ("capital", "volatility_target")}
    return {**usual.model_dump(), **kept}


def _legs(
    kind: Kind, values: Sequence[Any], symbols: Sequence[str], key: str, *, lasting: bool
) -> list[dict[str, Any]]:
    """Draw the legs as a table, with durations where the ratio needs them, and return those that name a symbol."""
    key, start = f"{key}-legs", f"{key}-legs-start"
    if key not in st.session_state:  # its edits are gone or there were none, so it starts from what the draft has
        st.session_state[start] = pd.DataFrame(list(values), columns=list(_LEG_COLUMNS)).astype(
            {"symbol": "str", "weight": "float64", "duration": "float64"}
        )
    at_least, at_most = LEGS[kind]
    options = sorted({*symbols, *st.session_state[start]["symbol"].dropna()})
    st.markdown("**Legs**", help="Above zero is bought while the group is long, below zero sold.")
    edited = st.data_editor(
        st.session_state[start],
        key=key,
        num_rows="fixed" if at_least == at_most else "dynamic",
        hide_index=True,
        width=560,
        placeholder="",
        column_order=_LEG_COLUMNS if lasting or st.session_state[start]["duration"].notna().any() else _LEG_COLUMNS[:2],
        column_config={
            "symbol": st.column_config.SelectboxColumn("Symbol", options=options, required=True, width="medium"),
            "weight": st.column_config.NumberColumn("Weight", default=1.0, required=True, format="%g"),
            "duration": st.column_config.NumberColumn("Duration (years)", help="For DV01 ratios.", format="%g"),
        },
    )
    return legs_of(edited)


def legs_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the table of legs that name a symbol; a weight that is not given is left to the kind."""
    rows = table[table["symbol"].notna() & (table["symbol"] != "")]
    legs = [{name: row[name] if pd.notna(row[name]) else None for name in _LEG_COLUMNS} for _, row in rows.iterrows()]
    return [{name: value for name, value in leg.items() if name != "weight" or value is not None} for leg in legs]


def _timing_kind(kind: Kind, before: str, key: str) -> str:
    offered = TIMINGS[kind]
    titles = {"band": "Band around the mean", "rules": "Rules", "rank": "Ranking", "hold": "Always held"}
    return str(
        st.selectbox(
            "Timing",
            offered,
            index=offered.index(before) if before in offered else 0,
            format_func=lambda name: titles[name],
            key=f"{key}-timing",
            help=" ".join((_FORMS[before].__doc__ or "").split("\n")[0].split()),
        )
    )


def _timing(kind: Kind, timing: str, before: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Draw the fields of one kind of timing."""
    model = _FORMS[timing]
    fields = [name for name in model.model_fields if name != "kind"]
    values = {name: before.get(name) if before["kind"] == timing else _default(model, name) for name in fields}
    told = {name: value for name, value in values.items() if name in _CONDITIONS}
    plain = [name for name in fields if name not in _CONDITIONS]
    out: dict[str, Any] = {"kind": timing}
    examples = _EXAMPLES | (_OUTRIGHT if kind == "outright" else {})
    for name, value in told.items():
        text = st.text_area(
            model.model_fields[name].title or name,
            value or "",
            height=68,
            placeholder=f"such as {examples[name]}",
            key=f"{key}-{timing}-{name}",
        )
        out[name] = text.strip() or None
    if plain:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            out |= parameters(model, values, (), f"{key}-{timing}", fields=plain)
    return {name: out[name] for name in ("kind", *fields)}


def _default(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].get_default()


def _hedge(kind: Kind, timing: str, before: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Draw how the legs are set against each other; nothing where there is one leg."""
    if kind == "outright":
        return Hedge(method="fixed").model_dump()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        offered = METHODS[kind]
        method = st.selectbox(
            "Hedge ratio",
            offered,
            index=offered.index(before["method"]) if before["method"] in offered else 0,
            format_func=called,
            key=f"{key}-method",
            help="How much of each leg: as given, or found in prices.",
        )
        fields = ["lookback"] if method not in {"fixed", "dollar_neutral", "dv01"} else []
        fields += ["rehedge"] if timing not in {"rank", "hold"} else []
        fields += ["drift"] if method == "kalman" else []
        held = parameters(Hedge, before, (), f"{key}-hedge", fields=fields)
    return {**Hedge().model_dump(), "lookback": before["lookback"], **held, "method": method}


def _volatility(before: Mapping[str, Any] | None, key: str) -> dict[str, Any] | None:
    """Draw the volatility target, or that there is none."""
    text = "As much of the group as would have had this volatility of late."
    if not st.toggle("Size follows volatility", value=before is not None, key=f"{key}-targeted", help=text):
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        return parameters(VolatilityTarget, before or VolatilityTarget().model_dump(), (), f"{key}-volatility")


def _stops(kind: Kind, timing: str, before: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Draw the stops; what is left empty is none."""
    st.markdown("**Stops**", help="All legs go at once. What is left empty is no stop.")
    fields = ["loss", "profit", "trailing", "time", "volatility"]
    fields += ["spread_z"] if timing in {"band", "rules"} else []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        held = parameters(Stops, before, (), f"{key}-stops", fields=fields)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if kind == "outright":
            held |= parameters(Stops, before, (), f"{key}-stops", fields=("watch", "same_bar"))
        words = (*get_args(get_args(Stops.model_fields["reentry"].annotation)[0]), _AFTER)
        now = before["reentry"]
        again = st.selectbox(
            "Enter again",
            words,
            index=words.index(now if isinstance(now, str) else _AFTER),
            format_func=called,
            key=f"{key}-reentry",
            help="After a stop. A reset is that the decision has been flat or has turned around.",
        )
        if again == _AFTER:
            start = now if isinstance(now, int) else 5
            again = st.number_input("Sessions to wait", 1, 10_000, start, key=f"{key}-reentry-sessions")
    return {**Stops().model_dump(), **held, "reentry": again}
