"""How an answer is read: JSON into checked parts, actions into one row a day, and which sessions have ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from quantlib.models import MODELS
from quantlib.sources.base import FormatError, NotFoundError, Payload, bars_frame, within
from quantlib.sources.bodies import strange
from quantlib.sources.transport import brief

NEW_YORK = "America/New_York"
# The close at 16:00 and the quarter of an hour by which delayed feeds lag behind it; a half day only comes later.
_ENDED = pd.Timedelta(hours=16, minutes=20)


class Part(BaseModel):
    """A part of a vendor's answer; what it does not name is not read."""

    # Strict: a number that arrives as text is a changed format, not something to guess at.
    model_config = ConfigDict(strict=True, frozen=True)


class BarLine(Part):
    """A bar under the letters most US vendors use; each adds its own form of the moment."""

    open: float = Field(alias="o")
    high: float = Field(alias="h")
    low: float = Field(alias="l")
    close: float = Field(alias="c")
    volume: float | None = Field(default=None, alias="v")


P = TypeVar("P", bound=BaseModel)
_BUNDLE = TypeAdapter(dict[str, list[str]], config=ConfigDict(strict=True))


def read(model: type[P], text: str, payload: Payload, title: str) -> P:
    """Return a JSON text as the model; whatever does not fit it is a `FormatError` that says where.

    Parameters
    ----------
    model
        What the text must hold.
    text
        The body, or one of the bodies bundled in it.
    payload
        Says what was asked, for the message.
    title
        The vendor's name for people.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise strange(title, payload, "is a web page" if text.lstrip()[:1] == "<" else "is not whole JSON")
    place = brief(".".join(map(str, first["loc"]))) or "its top"
    raise FormatError(
        f"{title}'s answer for {payload.name} has changed its form at {place}: {brief(first['msg'])}. "
        "Look for a newer version of the workbench."
    )


def bundle(parts: Mapping[str, list[str]]) -> str:
    """Return several bodies as delivered in one text: a JSON object of lists of texts."""
    return _BUNDLE.dump_json(dict(parts)).decode()


def unbundle(payload: Payload, title: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the bodies of a bundle by name.

    Raises
    ------
    FormatError
        It is no bundle, or one of `names` is missing in it or without a body.
    """
    try:
        parts = _BUNDLE.validate_json(payload.text)
    except ValidationError:
        page = payload.text.lstrip()[:1] == "<"
        raise strange(title, payload, "is a web page" if page else "is not what was asked for") from None
    if missing := [name for name in names if not parts.get(name)]:
        raise FormatError(f"The answers of {title} for {payload.name} lack {', '.join(missing)}; nothing was read.")
    return parts


def us_ticker(symbol: str, title: str) -> str:
    """Return a symbol of a US stock or ETF with its share class after a point: `BRK.B`.

    Raises
    ------
    NotFoundError
        It is an index, a currency pair or a coin.
    """
    if not re.fullmatch(r"[A-Z0-9]{1,8}([-.][A-Z])?", symbol):
        raise NotFoundError(f"{title} is asked for US stocks and ETFs only, and {symbol!r} is none.")
    return symbol.replace("-", ".")


def check_ticker(payload: Payload, ticker: str, title: str) -> None:
    """Refuse an answer about another US stock than the one asked for."""
    if ticker != payload.name.replace("-", "."):
        raise FormatError(f"Asked {title} for {payload.name} and got {brief(ticker)}; nothing was read.")


class ActionRow(NamedTuple):
    """A dividend or split as one line of an answer says it."""

    ts: date
    kind: Literal["dividend", "split"]
    value: float


def actions_frame(rows: Iterable[ActionRow], symbol: str, source: str) -> pd.DataFrame:
    """Return dividends and splits, one row per day and kind.

    Vendors list some events twice: equal lines count once. Different dividends of one day are added,
    different splits multiplied.
    """
    columns = list(MODELS["actions"].columns())
    lines = sorted(set(rows))
    frame = pd.DataFrame(
        {
            "symbol": symbol,
            "source": source,
            "ts": pd.to_datetime([line.ts for line in lines]).as_unit("us"),
            "kind": [line.kind for line in lines],
            "value": [line.value for line in lines],
        }
    ).astype({"symbol": "str", "source": "str", "kind": "str", "value": "float64"})
    days = frame.groupby(["symbol", "source", "ts", "kind"], sort=False)["value"]
    whole = days.sum().where(days.sum().index.get_level_values("kind") == "dividend", days.prod())
    return whole.reset_index()[columns]


def us_bars(
    lines: Sequence[BarLine], moments: pd.DatetimeIndex, payload: Payload, answered: str
) -> tuple[pd.DataFrame, str]:
    """Return the bars of ended US sessions within the payload's span by date, and a note on what is left out.

    Parameters
    ----------
    lines
        Bars as the vendor says them.
    moments
        When each began, with a zone; its day in New York is the session's date.
    payload
        What was asked.
    answered
        As in `ended`.
    """
    frame = pd.DataFrame([line.model_dump() for line in lines], columns=list(BarLine.model_fields))
    frame["ts"] = moments.tz_convert(NEW_YORK).tz_localize(None).normalize().as_unit("us")
    bars = within(bars_frame(frame, payload.name, payload.source), "ts", payload).sort_values("ts", kind="stable")
    known, note = ended(bars, answered)
    return known.reset_index(drop=True), note


def ended(bars: pd.DataFrame, answered: str) -> tuple[pd.DataFrame, str]:
    """Return the bars of US sessions that had ended when the answer was given, and a note on what is left out.

    Parameters
    ----------
    bars
        In the order of their dates `ts`.
    answered
        The answer's own date as in HTTP. Without one, the last session may still have been running.
    """
    if bars.empty:
        return bars, ""
    last = bars["ts"].iloc[-1]
    try:
        moment = pd.Timestamp(parsedate_to_datetime(answered)).tz_convert(NEW_YORK).tz_localize(None)
    except (ValueError, TypeError, OverflowError):
        note = f"the answer does not say whether {last:%Y-%m-%d} has ended, so it is left out."
        return bars[bars["ts"] < last], note
    known = bars[bars["ts"] + _ENDED <= moment]
    return known, f"the unfinished session of {last:%Y-%m-%d} is left out." if len(known) < len(bars) else ""
