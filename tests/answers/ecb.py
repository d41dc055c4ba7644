"""Answers in the European Central Bank's form: XML as recorded in shape, JSON after the SDMX standard."""

from __future__ import annotations

import json
from typing import Any

from quantlib.sources.base import Payload

RATES: dict[str, float | None] = {"2024-03-28": 1.0811, "2024-03-29": None, "2024-04-02": 1.0749}


def body(rates: dict[str, float | None] = RATES, currency: str = "USD") -> dict[str, Any]:
    """Return the answer of the data API: rates by their place among the days."""
    meant = {"FREQ": "D", "CURRENCY": currency, "CURRENCY_DENOM": "EUR", "EXR_TYPE": "SP00", "EXR_SUFFIX": "A"}
    days = [{"id": day, "name": day, "start": f"{day}T00:00:00.000+01:00"} for day in rates]
    return {
        "header": {"id": "0001", "test": False, "prepared": "2024-04-02T16:00:00.000+02:00"},
        "dataSets": [
            {
                "action": "Replace",
                "series": {"0:0:0:0:0": {"observations": {str(n): [rate] for n, rate in enumerate(rates.values())}}},
            }
        ],
        "structure": {
            "name": "Exchange Rates",
            "dimensions": {
                "series": [{"id": name, "name": name, "values": [{"id": value}]} for name, value in meant.items()],
                "observation": [{"id": "TIME_PERIOD", "role": "time", "values": days}],
            },
        },
    }


XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
 xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<Cube>
<Cube time="2024-04-02"><Cube currency="USD" rate="1.0749"/><Cube currency="JPY" rate="162.97"/></Cube>
<Cube time="2024-03-28"><Cube currency="USD" rate="1.0811"/><Cube currency="JPY" rate="163.45"/></Cube>
</Cube>
</gesmes:Envelope>
"""
ANSWERS = [
    Payload("ecb", "bars", "EURUSD=X", json.dumps(body())),
    Payload("ecb", "bars", "EURJPY=X", XML),
]
REFUSALS = [
    Payload("ecb", "bars", "EURUSD=X", "No results found.", status=404),
    Payload("ecb", "bars", "EURXYZ=X", XML),
]
