"""Forms made from a definition's fields: titles, bounds and help come from the model itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quantlib.indicators import INDICATORS


def parameters(model: type[BaseModel], values: Mapping[str, Any], symbols: Sequence[str], key: str) -> dict[str, Any]:
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
    """
    return {name: _widget(field, values[name], symbols, f"{key}-{name}") for name, field in model.model_fields.items()}


def _widget(field: FieldInfo, value: Any, symbols: Sequence[str], key: str) -> Any:
    label, help_text = field.title or key, field.description
    if isinstance(value, bool):
        return st.toggle(label, value=value, help=help_text, key=key)
    if isinstance(value, list | tuple):
        options = sorted({*symbols, *value})
        return st.multiselect(label, options, default=list(value), help=help_text, key=key)
    if isinstance(value, str):
        options = sorted({*symbols, value})
        return st.selectbox(label, options, index=options.index(value), help=help_text, key=key)
    low, high = _bounds(field)
    kind = type(value)
    step = 1 if kind is int else 0.1
    return st.number_input(
        label,
        min_value=None if low is None else kind(low),
        max_value=None if high is None else kind(high),
        value=value,
        step=step,
        help=help_text,
        key=key,
    )


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
            values.append((key, column.number_input(key, value=value, key=f"{name}-{key}", bind="query-params")))
        chosen.append((name, tuple(values)))
    return tuple(chosen)
