"""The address of a page: content packed into it, and what is said of names and numbers in it that are not accepted."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from datetime import date
from typing import Any

import streamlit as st

from app.layout import plain
from quantlib.errors import nearest

#: Signs that a packed text may unfold to; more is no content of ours.
LONGEST = 100_000


def pack(content: Any) -> str:
    """Return content of JSON's types as text that fits into an address."""
    packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def unpack(text: str) -> Any:
    """Return the content in a part of an address.

    Raises
    ------
    ValueError
        It is cut off, or was changed on its way.
    """
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return json.loads(zlib.decompressobj().decompress(packed, LONGEST))
    except (ValueError, zlib.error, binascii.Error, RecursionError) as error:
        raise ValueError(f"{len(text):,} characters that hold nothing") from error


def heed_names(what: str, key: str, accepted: Iterable[str]) -> None:
    """Say which names in the address are not accepted, with the nearest; call it before the widget bound to `key`.

    The widget then shows what is left of them, or its default.

    Parameters
    ----------
    what
        What a name is of, such as "scenario".
    """
    accepted, asked = list(accepted), [name for name in st.query_params.get_all(key) if name]
    unknown = [name for name in asked if name not in accepted]
    sentences = [f"There is no {what} {name!r}. {nearest(name, accepted)}" for name in unknown]
    _say(key, sentences, [name for name in asked if name in accepted])


def heed_number(what: str, key: str, low: float, high: float) -> None:
    """Say that a number in the address is out of range, or none; call it before the widget bound to `key`."""
    asked = st.query_params.get_all(key)
    wrong = [text for text in asked if not _within(text, low, high)]
    sentences = [f"{what} in the address: {text!r}; accepted: {low:g} to {high:g}." for text in wrong]
    _say(key, sentences, [text for text in asked if text not in wrong])


def heed_day(what: str, key: str, first: date, last: date) -> None:
    """Say that a day in the address is out of range, or none; call it before the widget bound to `key`."""
    asked = st.query_params.get_all(key)
    wrong = [text for text in asked if not _from_to(text, first, last)]
    sentences = [f"{what} in the address: {text!r}; accepted: {first:%Y-%m-%d} to {last:%Y-%m-%d}." for text in wrong]
    _say(key, sentences, [text for text in asked if text not in wrong])


def _within(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False


def _from_to(text: str, first: date, last: date) -> bool:
    try:
        return first <= date.fromisoformat(text) <= last
    except ValueError:
        return False


def _say(key: str, sentences: Iterable[str], left: list[str]) -> None:
    """Write sentences; the widget mends the address in the same run, so they stand until it holds something else."""
    mark = f"{key}-heeded"
    if said := " ".join(sentences):
        st.session_state[mark] = (said, left)
    said, mended = st.session_state.get(mark, ("", []))
    if said and mended == left:
        st.warning(plain(said), icon=":material/link_off:")
    else:
        st.session_state.pop(mark, None)
