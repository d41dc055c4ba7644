"""A vendor's body as JSON or XML, with what is no such thing named as a changed format."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as Xml

from quantlib.sources.base import FormatError, Payload
from quantlib.sources.transport import brief


def strange(title: str, payload: Payload, what: str) -> FormatError:
    """Return the error that says what of the answer cannot be read, with the beginning of the answer."""
    return FormatError(
        f"{title}'s answer for {payload.name} {what} (HTTP {payload.status}, {len(payload.body)} characters): "
        f"{brief(payload.text)!r}. Try again later, or look for a newer version of the workbench."
    )


def read_json(title: str, payload: Payload) -> Any:
    """Return the body read as JSON.

    Raises
    ------
    FormatError
        It is none.
    """
    try:
        return json.loads(payload.text)
    except (ValueError, RecursionError):
        what = "is a web page" if payload.text.lstrip()[:1] == "<" else "is not whole JSON"
        raise strange(title, payload, what) from None


def read_xml(title: str, payload: Payload) -> Xml.Element:
    """Return the root of the body read as XML.

    Raises
    ------
    FormatError
        It is none, or it declares entities, which no vendor here does.
    """
    if "<!DOCTYPE" in payload.text.upper():
        raise strange(title, payload, "is a web page or declares entities")
    try:
        # S314: without a document type there are no entities to expand.
        return Xml.fromstring(payload.text.encode())  # noqa: S314
    except (Xml.ParseError, ValueError, LookupError):
        raise strange(title, payload, "is not whole XML") from None
