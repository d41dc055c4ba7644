"""Answers in Yahoo's form, written here: a chart, a page of earnings dates, refusals."""

from __future__ import annotations

import json
from typing import Any

from quantlib.sources.base import Payload

# Three sessions in New York: Friday before, Monday and Tuesday after the clocks went forward on 2022-03-13.
_FRIDAY, _MONDAY, _TUESDAY = 1646922600 + 86400, 1647264600, 1647264600 + 86400

CHART: dict[str, Any] = {
    "meta": {
        "currency": "USD",
        "symbol": "ABC",
        "instrumentType": "EQUITY",
        "gmtoffset": -14400,
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": _TUESDAY + 23402,
        "currentTradingPeriod": {"regular": {"start": _TUESDAY, "end": _TUESDAY + 23400}},
        "dataGranularity": "1d",
    },
    "timestamp": [_FRIDAY, _MONDAY, _TUESDAY],
    "events": {
        "dividends": {str(_MONDAY): {"amount": 0.5, "date": _MONDAY}},
        "splits": {str(_TUESDAY): {"date": _TUESDAY, "numerator": 3, "denominator": 2, "splitRatio": "3:2"}},
    },
    "indicators": {
        "quote": [
            {
                "open": [10.0, 11.0, 12.0],
                "high": [10.5, 11.5, 12.5],
                "low": [9.5, 10.5, 11.5],
                "close": [10.25, 11.25, 12.25],
                "volume": [1000, 2000, 3000],
            }
        ],
        "adjclose": [{"adjclose": [9.75, 11.25, 12.25]}],
    },
}

EARNINGS = """<!DOCTYPE html>
<html><head><title>Company Earnings Calendar</title></head><body><h1>Earnings</h1>
<table class="bd"><thead><tr><th>Symbol</th><th>Company</th><th>Earnings Date</th><th>EPS Estimate</th>
<th>Reported EPS</th><th>Surprise (%)</th></tr></thead><tbody>
<tr><td>ABC</td><td>A, B &amp; C</td><td>January 29, 2026 at 4 PM EST</td><td>2.97</td><td>-</td><td>-</td></tr>
<tr><td>ABC</td><td>A, B &amp; C</td><td>October 30, 2025 at 4:30 PM EDT</td>
<td>1.77</td><td>1.85</td><td>+4.52</td></tr>
<tr><td>ABC</td><td>A, B &amp; C</td><td>July 31, 2025 at 8 AM EDT</td><td>1.43</td><td>-1.57</td><td>+9.48</td></tr>
<tr><td>ABC</td><td>A, B &amp; C</td><td>May 1, 2025 at 12 AM EDT</td><td>-</td><td>1.65</td><td>-</td></tr>
</tbody></table></body></html>
"""

ANSWERS = [
    Payload("yahoo", "bars", "ABC", json.dumps({"chart": {"result": [CHART], "error": None}})),
    Payload("yahoo", "earnings", "ABC", EARNINGS),
]
REFUSALS = [
    Payload(
        "yahoo",
        "bars",
        "APPL",
        '{"chart": {"result": null, "error": {"code": "Not Found", "description": "No data found"}}}',
        status=404,
    ),
]
