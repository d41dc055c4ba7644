"""Answers in FRED's form: XML as recorded in shape, JSON and vintages after its documentation."""

from __future__ import annotations

import json
from typing import Any

from quantlib.sources.base import Payload

FIRST, LAST = "1776-07-04", "9999-12-31"
# Two quarters: the first revised once and then confirmed, the second published once.
VINTAGES = [
    ("2023-10-26", "2023-12-20", "2023-07-01", "27623.5"),
    ("2023-12-21", "2024-01-24", "2023-07-01", "27610.1"),
    ("2024-01-25", LAST, "2023-07-01", "27610.1"),
    ("2024-01-25", LAST, "2023-10-01", "27938.8"),
    ("2024-01-25", LAST, "2024-01-01", "."),
]


def page(rows: list[tuple[str, str, str, str]], start: str = FIRST, end: str = LAST, **head: Any) -> dict[str, Any]:
    """Return an answer with rows of realtime_start, realtime_end, date and value."""
    names = ("realtime_start", "realtime_end", "date", "value")
    return {
        "realtime_start": start,
        "realtime_end": end,
        "observation_start": FIRST,
        "observation_end": LAST,
        "units": "lin",
        "output_type": 1,
        "file_type": "json",
        "order_by": "observation_date",
        "sort_order": "asc",
        "count": len(rows),
        "offset": 0,
        "limit": 100_000,
        "observations": [dict(zip(names, row, strict=True)) for row in rows],
    } | head


XML = """<?xml version="1.0" encoding="utf-8" ?>
<observations realtime_start="2024-01-08" realtime_end="2024-01-08" observation_start="2023-12-29"
 observation_end="9999-12-31" units="lin" output_type="1" file_type="xml" order_by="observation_date"
 sort_order="asc" count="4" offset="0" limit="100000">
<observation realtime_start="2024-01-08" realtime_end="2024-01-08" date="2023-12-29" value="3.88"/>
<observation realtime_start="2024-01-08" realtime_end="2024-01-08" date="2024-01-01" value="."/>
<observation realtime_start="2024-01-08" realtime_end="2024-01-08" date="2024-01-02" value="3.95"/>
<observation realtime_start="2024-01-08" realtime_end="2024-01-08" date="2024-01-03" value="3.91"/>
</observations>
"""
BAD_KEY = "Bad Request.  The value for variable api_key is not registered."
UNKNOWN = "Bad Request.  The series does not exist."
TOO_MANY = (
    "Bad Request.  There are 5000 vintage dates in the specified real-time period: 1776-07-04 to 9999-12-31.  "
    "This exceeds the maximum number of vintage dates allowed (2000)."
)


def refusal(said: str, code: int = 400) -> Payload:
    """Return an answer that is an error."""
    return Payload("fred", "macro", "GDP", json.dumps({"error_code": code, "error_message": said}), status=code)


ANSWERS = [
    Payload("fred", "macro", "GDP", json.dumps(page(VINTAGES))),
    Payload("fred", "macro", "DGS10", XML),
    Payload(
        "fred",
        "macro",
        "GDP",
        json.dumps([page(VINTAGES[:3], count=5), page(VINTAGES[3:], count=5, offset=3)]),
    ),
]
REFUSALS = [
    refusal(BAD_KEY),
    refusal(UNKNOWN),
    refusal(TOO_MANY),
    refusal("Too Many Requests.  Exceeded Rate Limit", 429),
    Payload("fred", "macro", "GDP", f'<?xml version="1.0" ?><error code="400" message="{BAD_KEY}"/>', status=400),
]
