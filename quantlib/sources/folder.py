"""Files of daily bars in a folder: CSV or Parquet, one symbol or many, as people and other tools write them.

Columns go by their usual names; what a file does not have stays unknown. A file without a column of symbols is about
the symbol it is named after, or the one its columns are (`AAPL.Open`). Symbols are read as text, so that TRUE, NA, NAN,
ON and ALL stay what they are. A bar is dated by the day as written, a moment in seconds by its UTC day.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from quantlib.sources.base import Ask, Call, EmptyError, FormatError, NotFoundError, Parsed, Payload, bars_frame, within
from quantlib.sources.transport import brief

NAME = "folder"
ENDINGS = (".csv", ".csv.gz", ".parquet")
"""What a readable file's name ends with."""
NAMES = {
    "ts": ("date", "day", "ts", "timestamp", "time", "datetime", "tradedate", "tradingday"),
    "symbol": ("symbol", "ticker", "sym", "instrument"),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice", "closelast"),
    "adj_close": ("adjclose", "adjustedclose", "adjusted", "closeadjusted", "closeadj", "adjustedcloseprice"),
    "volume": ("volume", "vol", "v"),
}
"""Column names by what they mean, written small and without spaces and signs."""
_FIELD = {name: field for field, names in NAMES.items() for name in names}
_NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")
_UNKNOWN = pa.array(["", "nan", "na", "n/a", "null", "none", "-", ".", "#n/a"])
_THOUSANDS = r"^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$"
_PLAIN = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$"
_SYMBOL = r"^[A-Za-z0-9.^=_-]{1,32}$"
_DATES = {
    "year": r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?P<rest>[ T].*)?$",
    "plain": r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})$",
    "dots": r"^(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?P<rest>[ T].*)?$",
    "either": r"^(?P<a>\d{1,2})[-/](?P<b>\d{1,2})[-/](?P<y>\d{4})(?P<rest>[ T].*)?$",
}
_ACCEPTED = "accepted: YYYY-MM-DD, YYYYMMDD, DD.MM.YYYY, DD/MM/YYYY or MM/DD/YYYY"


def files(folder: Path) -> list[str]:
    """Return the names of the readable files in a folder and below, sorted; hidden ones are passed over."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if _readable(folder, path))
    return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))


def _readable(folder: Path, path: Path) -> bool:
    inside = path.resolve().is_relative_to(folder.resolve())  # a link may lead out of the folder
    return inside and path.is_file() and path.name.lower().endswith(ENDINGS)


def request(ask: Ask, call: Call) -> Payload:
    """Return a file as it is.

    Parameters
    ----------
    ask
        Its name is the file's, relative to the folder.
    call
        Its home is the folder.

    Raises
    ------
    NotFoundError
        There is no such readable file inside the folder.
    """
    path = call.home / ask.name
    if not _readable(call.home, path):
        raise NotFoundError(f"{call.home} has no file {ask.name!r} ending with {', '.join(ENDINGS)}.")
    try:
        return Payload(NAME, ask.kind, ask.name, path.read_bytes(), ask.start, ask.end)
    except OSError as error:
        raise NotFoundError(f"{ask.name} in {call.home} cannot be read: {error.strerror}.") from None


def read_file(path: Path) -> Parsed:
    """Return the bars of one file.

    Raises
    ------
    SourceError
        As `request` and `parse`.
    """
    return parse(request(Ask("bars", path.name), Call(path.parent)))


def parse(payload: Payload) -> Parsed:
    """Return the bars of a file in its own order of symbols, dates ascending.

    Rows without a date, a symbol or a close are left out and counted in a note. A row with a text where a number
    must be is refused, and the others stand; a column that is mostly such text refuses the file.

    Raises
    ------
    FormatError
        No table, no date or close column, a column of texts where numbers must be, dates that can be read in two
        ways, or several bars a day.
    EmptyError
        No row with a close, or none in the span asked for.
    """
    try:
        table, unread = _table(payload)
    except (pa.ArrowException, OSError, ValueError, EOFError, zlib.error, csv.Error) as error:
        raise FormatError(f"{payload.name} cannot be read as a table: {brief(str(error))}") from None
    columns: dict[str, Any] = {}
    why = np.full(table.num_rows, "", dtype=object)
    for name in (name for name in _NUMBERS if name in table.column_names):
        columns[name], odd = _number(payload, name, table.column(name))
        why[odd & (why == "")] = f"{name} is not a number"
    columns["ts"] = _days(payload, table.column("ts"))
    frame = pd.DataFrame(columns)
    frame["symbol"] = table.column("symbol").to_pandas().astype("str")
    refused = table.filter(pa.array(why != "")).to_pandas().assign(reason=pd.array(why[why != ""], dtype="str"))
    frame = frame[why == ""]
    known = frame.dropna(subset=["ts", "symbol", "close"])
    known = known[known["symbol"] != ""]
    notes = []
    if left := len(frame) - len(known):
        notes.append(f"{payload.name}: {left} row(s) without a date, symbol or close left out.")
    if unread:
        notes.append(f"{payload.name}: column(s) not read: {brief(', '.join(unread))}.")
    if known.empty:
        raise EmptyError(f"{payload.name} has no row with a date, a symbol and a close.")
    _check(payload, known)
    bars = _frame(known, payload)
    if bars.empty:
        raise EmptyError(f"{payload.name} has no bar in the span asked for.")
    return Parsed(bars=bars, refused=refused, notes=tuple(notes))


def _frame(known: pd.DataFrame, payload: Payload) -> pd.DataFrame:
    """Return known rows in BAR_COLUMNS, each symbol's dates ascending."""
    order = known["symbol"].factorize()[0]
    steps = pd.Series(order).diff().fillna(0)
    rising = known["ts"].diff().reset_index(drop=True) >= pd.Timedelta(0)
    if not ((steps == 1) | ((steps == 0) & rising) | (steps.index == 0)).all():
        known = known.iloc[
            pd.DataFrame({"order": order, "ts": known["ts"].to_numpy()}).sort_values(["order", "ts"]).index
        ]
    symbols = known["symbol"].reset_index(drop=True)
    bars = bars_frame(known.drop(columns="symbol"), "", payload.source)
    bars["symbol"] = symbols
    return within(bars, "ts", payload)


def _check(payload: Payload, known: pd.DataFrame) -> None:
    symbols = known["symbol"].drop_duplicates()
    if len(wrong := symbols[~symbols.str.fullmatch(_SYMBOL[1:-1])]):
        raise FormatError(
            f"{payload.name} has the symbol {brief(wrong.iloc[0])!r}; accepted: up to 32 letters, digits and . ^ = _ -"
        )
    if known.duplicated(["symbol", "ts"]).mean() > 0.5:
        raise FormatError(f"{payload.name} has several bars a day; accepted: daily bars.")


def _table(payload: Payload) -> tuple[pa.Table, list[str]]:
    """Return the columns that are understood, under our names, and the names of those that are not."""
    body = payload.body.encode() if isinstance(payload.body, str) else payload.body
    if body[:4] == b"PAR1":
        file = pq.ParquetFile(pa.BufferReader(body))
        names = list(file.schema_arrow.names)
        wanted, symbol = _understood(payload, names)
        table = file.read(columns=list(wanted))
    else:
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        names, wanted, symbol, table = _csv(payload, body)
    table = table.select(list(wanted)).rename_columns(list(wanted.values()))
    if "symbol" in table.column_names:
        text = pc.utf8_trim_whitespace(pc.cast(table.column("symbol"), pa.string()))
        table = table.set_column(table.column_names.index("symbol"), "symbol", text)
    else:
        table = table.append_column("symbol", pa.repeat(pa.scalar(symbol), table.num_rows))
    return table, [name for name in names if name not in wanted and name]


def _csv(payload: Payload, body: bytes) -> tuple[list[str], dict[str, str], str, pa.Table]:
    encoding = "utf-16" if body[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    text = text.lstrip("\r\n")
    head = text.partition("\n")[0].rstrip("\r")
    delimiter = max(",;\t|", key=head.count)
    names = next(csv.reader([head], delimiter=delimiter), [])
    wanted, symbol = _understood(payload, names)
    table = pyarrow.csv.read_csv(
        pa.BufferReader(text.encode()),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), include_columns=list(wanted), strings_can_be_null=False
        ),
    )
    return names, wanted, symbol, table


def _understood(payload: Payload, names: list[str]) -> tuple[dict[str, str], str]:
    """Return our name for each column that has one, and the symbol the file is about if it has no such column."""
    stem = Path(payload.name).name
    symbol = next((stem[: -len(end)] for end in ENDINGS[::-1] if stem.lower().endswith(end)), stem)
    # quantmod writes AAPL.Open, AAPL.High and so on.
    prefixed = {
        name: name.rpartition(".") for name in names if re.search(r"\.(Open|High|Low|Close|Volume|Adjusted)$", name)
    }
    if len({prefix for prefix, _, _ in prefixed.values()}) == 1:
        symbol = next(iter(prefixed.values()))[0]
    else:
        prefixed = {}
    wanted: dict[str, str] = {}
    for place, name in enumerate(names):
        plain = re.sub(r"[^a-z]", "", (prefixed[name][2] if name in prefixed else name).lower())
        field = _FIELD.get(plain, "ts" if place == 0 and plain in {"", "unnamed", "index"} else "")
        if not field:
            continue
        if field in wanted.values() or names.count(name) > 1:
            other = next((had for had, mine in wanted.items() if mine == field), name)
            raise FormatError(
                f"{payload.name} has two columns for {field}: {brief(other)} and {brief(name)}. Keep one."
            )
        wanted[name] = field
    if missing := {"ts", "close"} - set(wanted.values()):
        what = " and ".join(NAMES[field][0] for field in sorted(missing, reverse=True))
        raise FormatError(f"{payload.name} has no column {what}; it has {brief(', '.join(names)) or 'none'}.")
    return wanted, symbol


def _number(payload: Payload, name: str, column: Any) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return a column as float64, NaN where it is empty or says it is unknown, and which rows are no number."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
        raise FormatError(f"{payload.name} has a column {name} of type {column.type}; accepted: numbers.")
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        try:
            return pd.Series(column.cast(pa.float64(), safe=False).to_pandas()), np.zeros(len(column), dtype=bool)
        except pa.ArrowException:
            raise FormatError(f"{payload.name} has a column {name} of type {column.type}; accepted: numbers.") from None
    text = pc.replace_substring_regex(pc.utf8_trim_whitespace(column.cast(pa.string())), "^[$€£]", "")
    text = pc.if_else(pc.is_in(pc.utf8_lower(text), value_set=_UNKNOWN), None, text)
    comma = pc.fill_null(pc.match_substring(text, ","), fill_value=False)
    if pc.any(comma).as_py():
        odd = pc.and_(comma, pc.invert(pc.fill_null(pc.match_substring_regex(text, _THOUSANDS), fill_value=False)))
        _refuse(payload, name, text, odd, "a number; decimals are written with a point, thousands with a comma")
        text = pc.replace_substring(text, ",", "")
    odd = pc.invert(pc.fill_null(pc.match_substring_regex(text, _PLAIN), fill_value=True))
    refused = _left_out(payload, name, text, odd, "a number")
    text = pc.replace_substring_regex(pc.if_else(odd, None, text), r"^\+", "")
    return pd.Series(text.cast(pa.float64()).to_pandas()), refused


def _left_out(payload: Payload, name: str, text: Any, odd: Any, what: str) -> NDArray[np.bool_]:
    """Return which rows of a column are odd; where most of those that say something are, the file is refused."""
    rows = np.asarray(pc.fill_null(odd, fill_value=False))
    if rows.sum() * 2 > len(rows) - text.null_count:
        _refuse(payload, name, text, odd, what)
    return rows


def _refuse(payload: Payload, name: str, text: Any, odd: Any, what: str) -> None:
    """Raise for the first row of a column that is odd, if any is."""
    row = pc.index(odd, True).as_py()
    if row >= 0:
        raise FormatError(f"{payload.name} has {name} {brief(str(text[row]))!r} in row {row + 1}, which is not {what}.")


def _days(payload: Payload, column: Any) -> pd.Series:
    """Return a column of dates as midnights without zone, NaT where empty."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        zone = getattr(column.type, "tz", None)
        days = pd.Series(pd.to_datetime(column.cast(pa.timestamp("us", zone), safe=False).to_pandas()))
        return (days.dt.tz_localize(None) if zone else days).dt.normalize().astype("datetime64[us]")
    if not (
        pa.types.is_integer(column.type) or pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    ):
        raise FormatError(f"{payload.name} has dates of type {column.type}; {_ACCEPTED}.")
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    text = pc.if_else(pc.is_in(pc.utf8_lower(text), value_set=_UNKNOWN), None, text)
    count = len(text) - text.null_count
    if not count:
        return pd.Series(pd.NaT, index=range(len(text)), dtype="datetime64[us]")
    for digits, unit in ((10, "s"), (13, "ms")):
        if pc.sum(pc.match_substring_regex(text, rf"^\d{{{digits}}}$")).as_py() == count:
            moments = text.cast(pa.int64()).cast(pa.timestamp(unit)).cast(pa.timestamp("us")).to_pandas()
            return pd.Series(moments).dt.normalize()
    form = max(_DATES, key=lambda form: pc.sum(pc.match_substring_regex(text, _DATES[form])).as_py() or 0)
    fits = pc.match_substring_regex(text, _DATES[form])
    _refuse(
        payload,
        "the date",
        text,
        pc.invert(pc.fill_null(fits, fill_value=True)),
        f"a date like the others; {_ACCEPTED}",
    )
    parts = pc.extract_regex(text, _DATES[form])
    number = {
        name: pc.cast(pc.struct_field(parts, name), pa.int32()) for name in re.findall(r"\?P<(\w)>", _DATES[form])
    }
    if form == "either":
        number |= _first(payload, text, number)
    wide = {long: number[name].to_pandas() for long, name in (("year", "y"), ("month", "m"), ("day", "d"))}
    days = pd.Series(pd.to_datetime(pd.DataFrame(wide), errors="coerce")).astype("datetime64[us]")
    _refuse(payload, "the date", text, pc.and_(pa.array(days.isna()), pc.is_valid(text)), "in the calendar")
    return days


def _first(payload: Payload, text: Any, number: dict[str, Any]) -> dict[str, Any]:
    """Return day and month of dates such as 03/04/2021, decided from the whole column."""
    day_first, month_first = pc.max(number["a"]).as_py() > 12, pc.max(number["b"]).as_py() > 12
    if day_first == month_first:
        why = "some have the day first, some the month" if day_first else "no day in it is above 12"
        raise FormatError(
            f"{payload.name} has dates such as {text.drop_null()[0].as_py()!r}, which can be read in two ways: {why}. "
            "Write them as YYYY-MM-DD."
        )
    return {"d": number["a"], "m": number["b"]} if day_first else {"d": number["b"], "m": number["a"]}
