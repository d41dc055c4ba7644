"""Forms made from a definition's fields: titles, bounds and help come from the model itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quantlib.costs import Costs
from quantlib.indicators import INDICATORS

#: Pixels of a box that holds several symbols: about five beside each other; less where the page is narrower.
LIST_WIDTH = 460
PARAMETER_TITLES = {"n": "Sessions", "k": "Deviations"}
COSTS = {
    "commission_bps": ("Commission (bps)", "Of every amount traded."),
    "half_spread_bps": ("Half spread (bps)", "From the middle to the price one gets; of every amount traded."),
    "impact_bps": (
        "Impact (bps)",
        "Of an order as large as all that is traded in a day; smaller ones pay by the root.",
    ),
    "borrow_bps_per_year": ("Borrowing (bps a year)", "Of what is held short."),
}
#: What choices are called where their own word says too little.
WORDS = {
    "fixed": "as weighted",
    "dollar_neutral": "equal money",
    "ols": "least squares (OLS)",
    "tls": "total least squares",
    "kalman": "Kalman filter",
    "beta": "beta of returns",
    "volatility": "equal risk",
    "pca": "curvature (PCA)",
    "dv01": "equal DV01",
    "revert": "back to the mean",
    "follow": "away from the mean",
    "both": "long and short",
    "long": "long only",
    "short": "short only",
    "entry": "at entry only",
    "close": "on the close",
    "intrabar": "within the bar",
    "pessimistic": "stop first",
    "optimistic": "target first",
    "reset": "after a reset",
    "next": "at the next change",
}


def parameters(
    model: type[BaseModel],
    values: Mapping[str, Any],
    symbols: Sequence[str],
    key: str,
    *,
    bind: Literal["query-params"] | None = None,
    fields: Iterable[str] | None = None,
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
    fields
        Those to draw, in this order; None draws all.
    """
    return {
        name: _widget(model.model_fields[name], values[name], symbols, f"{key}-{name}", bind)
        for name in (model.model_fields if fields is None else fields)
    }


def costs(usual: str) -> Costs | None:
    """Draw whether costs are the usual ones, else one box a cost; return them, None for the usual.

    What is chosen stands in the address, and a cost in the address is a choice.

    Parameters
    ----------
    usual
        What the usual costs are, in words.
    """
    st.session_state.setdefault("own_costs", any(name in st.query_params for name in COSTS))
    if not st.toggle("Costs of my own", key="own_costs", bind="query-params", help="The same for all symbols."):
        st.caption(f"Usual for what is traded: {usual}; impact on top.")
        return None
    chosen = {
        name: st.number_input(label, 0.0, 1000.0, getattr(Costs(), name), 0.5, help=text, key=name, bind="query-params")
        for name, (label, text) in COSTS.items()
    }
    return Costs(**chosen)


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
        return st.selectbox(
            label, options, options.index(value), called if words else str, help=help_text, key=key, bind=bind
        )
    low, high = _bounds(field)
    # A number that may be left empty says in its annotation of which kind it is.
    kind = float if float in _kinds(field.annotation) else int
    step = kind(1 if kind is int else 0.01 if value is not None and abs(value) < 0.2 else 0.1)
    return st.number_input(
        label,
        min_value=None if low is None else kind(low),
        max_value=None if high is None else kind(high),
        value=value,
        step=step,
        format=None if kind is int else "%g",
        placeholder=_extra(field).get("empty"),
        help=help_text,
        key=key,
        bind=bind,
    )


def called(word: str) -> str:
    """Return what a choice is called."""
    return WORDS.get(word, word)


def _extra(field: FieldInfo) -> dict[str, Any]:
    """Return what a field's schema says beyond the standard, such as what leaving it empty means."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the plain types of an annotation, and the rules that come with them."""
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    inner = (part.metadata for part in _kinds(field.annotation) if isinstance(part, FieldInfo))
    for rule in (*field.metadata, *chain.from_iterable(inner)):
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
