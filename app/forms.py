"""Forms made from a definition's fields: titles, bounds and help come from the model itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quantlib.costs import Costs
from quantlib.indicators import INDICATORS
from quantlib.strategies import Strategy

#: Pixels of a box that holds several symbols: about five beside each other; less where the page is narrower.
LIST_WIDTH = 460
PARAMETER_TITLES = {"n": "Sessions", "k": "Deviations"}
COSTS = {
    "commission_bps": ("Commission (bps)", "Of every amount traded."),
    "half_spread_bps": ("Half spread (bps)", "From the middle to the price one gets; of every amount traded."),
    "borrow_bps_per_year": ("Borrowing (bps a year)", "Of what is held short."),
}


def parameters(
    model: type[BaseModel],
    values: Mapping[str, Any],
    symbols: Sequence[str],
    key: str,
    *,
    bind: Literal["query-params"] | None = None,
) -> dict[str, Any]:
    """Draw one widget a field and return what they hold, not validated yet.

    Parameters
    ----------
    model
        A definition's class; each field has a title, and bounds where it has any.
    values
        What the widgets show at first.
    symbols
        What fields that name symbols offer.
    key
        Start of the widgets' keys, so that two forms on a page stay apart.
    bind
        Whether what they hold stands in the address, under their keys.
    """
    return {
        name: _widget(field, values[name], symbols, f"{key}-{name}", bind) for name, field in model.model_fields.items()
    }


def costs() -> Costs:
    """Draw one box a cost and return what they hold; what is chosen stands in the address."""
    chosen = {
        name: st.number_input(label, 0.0, 1000.0, getattr(Costs(), name), 0.5, help=text, key=name, bind="query-params")
        for name, (label, text) in COSTS.items()
    }
    return Costs(**chosen)


def backtest(
    base: Strategy, symbols: Sequence[str], first: date, newest: date
) -> tuple[dict[str, Any], Costs, date | None, bool]:
    """Draw the form of a backtest and return parameters, costs, first session, and whether it was sent just now.

    Parameters
    ----------
    base
        The definition to start from; the parameters are not validated yet.
    symbols, first, newest
        What there is to choose from.
    """
    with st.form("backtest"):
        st.caption(base.description)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            values = parameters(type(base), base.model_dump(), symbols, base.id)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            paid = costs()
            start = st.date_input("From", None, first, newest, "from", format="YYYY-MM-DD", bind="query-params")
            sent = st.form_submit_button("Run", icon=":material/play_arrow:", type="primary")
    return values, paid, start, sent


def _widget(
    field: FieldInfo, value: Any, symbols: Sequence[str], key: str, bind: Literal["query-params"] | None
) -> Any:
    label, help_text = field.title or key, field.description
    if isinstance(value, bool):
        return st.toggle(label, value=value, help=help_text, key=key, bind=bind)
    if isinstance(value, list | tuple):
        options = sorted({*symbols, *value})
        return st.multiselect(
            label, options, default=list(value), help=help_text, key=key, bind=bind, width=LIST_WIDTH, wrap=True
        )
    if isinstance(value, str):
        # Words to choose from, where the field names them; else it names a symbol.
        words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        options = list(words) or sorted({*symbols, value})
        return st.selectbox(label, options, index=options.index(value), help=help_text, key=key, bind=bind)
    low, high = _bounds(field)
    # A number that may be left empty says in its annotation of which kind it is.
    kind = next(kind for kind in (type(value), *get_args(field.annotation)) if kind in {int, float})
    step = kind(1 if kind is int or value is None else 0.1)
    return st.number_input(
        label,
        min_value=None if low is None else kind(low),
        max_value=None if high is None else kind(high),
        value=value,
        step=step,
        placeholder=_extra(field).get("empty"),
        help=help_text,
        key=key,
        bind=bind,
    )


def _extra(field: FieldInfo) -> dict[str, Any]:
    """Return what a field's schema says beyond the standard, such as what leaving it empty means."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    for rule in field.metadata:
        if isinstance(rule, Ge | Gt):
            low = rule.ge if isinstance(rule, Ge) else rule.gt
        if isinstance(rule, Le | Lt):
            high = rule.le if isinstance(rule, Le) else rule.lt
    return low, high  # type: ignore[return-value]


def indicators() -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    """Draw one box an indicator of the registry and return those chosen with their parameters.

    Keys are the indicators' names; what is chosen stands in the address.
    """
    chosen = []
    for name, card in INDICATORS.items():
        text = f"{card.variant} Source: {card.reference}."
        if not st.checkbox(card.title, key=name, help=text, bind="query-params"):
            continue
        params = {key: value for key, value in card.params.items() if value is not None}
        values = []
        for column, (key, value) in zip(st.columns(len(params)), params.items(), strict=True):
            label = PARAMETER_TITLES.get(key, key)
            values.append((key, column.number_input(label, value=value, key=f"{name}-{key}", bind="query-params")))
        chosen.append((name, tuple(values)))
    return tuple(chosen)
