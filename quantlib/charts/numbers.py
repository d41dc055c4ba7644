"""How a number is written, the same in the app, the notebooks and the report.

The unknown is a dash, a value that rounds to zero carries no sign, and thousands are separated. The minus is
the plain hyphen: it survives copying into a spreadsheet, and `st.metric` reads the direction of a change from it.
"""

from __future__ import annotations

import math
from typing import Any, Literal, SupportsFloat

Unit = Literal["percent", "ratio", "count", "bps", "money"]

UNKNOWN = "–"
_CURRENCIES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


def known(x: Any, times: float = 1.0) -> float | None:
    """Return the value as a float, multiplied if asked, or None where it is missing, no number or not finite."""
    try:
        value = float(x) * times
    except (TypeError, ValueError):  # None and pandas' NA land here too
        return None
    return value if math.isfinite(value) else None


def _fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        return text.removeprefix("-")
    return f"+{text}" if signed and value > 0 else text


def percent(x: SupportsFloat | None, decimals: int = 1) -> str:
    """Return a fraction as a percentage: 0.041 is "4.1 %"."""
    value = known(x, 100)
    return UNKNOWN if value is None else f"{_fixed(value, decimals)} %"


def signed_percent(x: SupportsFloat | None, decimals: int = 1) -> str:
    """Return a fraction as a percentage with its sign: 0.041 is "+4.1 %", nothing is "0.0 %"."""
    value = known(x, 100)
    return UNKNOWN if value is None else f"{_fixed(value, decimals, signed=True)} %"


def bps(x: SupportsFloat | None, decimals: int = 1) -> str:
    """Return a fraction in basis points: 0.00035 is "3.5 bps"."""
    value = known(x, 1e4)
    return UNKNOWN if value is None else f"{_fixed(value, decimals)} bps"


def money(x: SupportsFloat | None, currency: str = "USD", decimals: int = 0, *, signed: bool = False) -> str:
    """Return an amount with its currency: 1234567 is "$1,234,567", and "CHF 1,234,567" for a code without a sign."""
    value = known(x)
    if value is None:
        return UNKNOWN
    text = _fixed(value, decimals, signed=signed)
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    return f"{sign}{_CURRENCIES.get(currency, f'{currency} ')}{digits}"


def ratio(x: SupportsFloat | None, decimals: int = 2) -> str:
    """Return a pure number: 1.234 is "1.23"."""
    value = known(x)
    return UNKNOWN if value is None else _fixed(value, decimals)


def count(x: SupportsFloat | None) -> str:
    """Return a whole number with thousands separated: 8313 is "8,313"."""
    value = known(x)
    return UNKNOWN if value is None else _fixed(value, 0)


def number(x: SupportsFloat | None, unit: Unit = "ratio") -> str:
    """Return a value in its unit, as the function of that name writes it."""
    return {"percent": percent, "ratio": ratio, "count": count, "bps": bps, "money": money}[unit](x)


def _scaled(x: SupportsFloat | None, unit: Unit, *, signed: bool = False) -> str:
    """Return a value in its unit without the unit's name, as it stands inside a pair of brackets."""
    factor, decimals = _SCALES[unit]
    value = known(x, factor)
    return UNKNOWN if value is None else _fixed(value, decimals, signed=signed)


_SCALES: dict[Unit, tuple[float, int]] = {
    "percent": (100.0, 1),
    "ratio": (1.0, 2),
    "count": (1.0, 0),
    "bps": (1e4, 1),
    "money": (1.0, 0),
}
_SUFFIX: dict[Unit, str] = {"percent": " %", "ratio": "", "count": "", "bps": " bps", "money": ""}


def interval(
    value: SupportsFloat | None,
    low: SupportsFloat | None,
    high: SupportsFloat | None,
    unit: Unit = "percent",
    *,
    signed: bool = False,
) -> str:
    """Return an estimate with its interval: "4.1 % (1.0 … 7.3)"; the estimate alone where the ends are unknown.

    Parameters
    ----------
    value, low, high
        The estimate and the two ends, in natural units (a fraction for percent and bps).
    unit
        How all three are written.
    signed
        Whether the estimate shows a plus.
    """
    if known(value) is None:
        return UNKNOWN
    sign = "$" if unit == "money" else ""
    text = _scaled(value, unit, signed=signed)
    head = money(value, signed=signed) if sign else f"{text}{_SUFFIX[unit]}"
    if known(low) is None or known(high) is None:
        return head
    return f"{head} ({_scaled(low, unit)} … {_scaled(high, unit)})"


def span(low: SupportsFloat | None, high: SupportsFloat | None, unit: Unit = "percent") -> str:
    """Return a range: "-6.2 … 7.9 %"."""
    if known(low) is None and known(high) is None:
        return UNKNOWN
    return f"{_scaled(low, unit)} … {_scaled(high, unit)}{_SUFFIX[unit]}"


def arrow(x: SupportsFloat | None, decimals: int = 3) -> str:
    """Return the direction of a change as a mark: ▲ up, ▼ down, → none; the unknown is a dash.

    Parameters
    ----------
    x
        The change.
    decimals
        Digits below which a change counts as none; the default is a tenth of a percent, as percentages show.
    """
    value = known(x)
    if value is None:
        return UNKNOWN
    rounded = round(value, decimals)
    return "▲" if rounded > 0 else "▼" if rounded < 0 else "→"
