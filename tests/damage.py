"""Damaged answers of vendors, and what every answer that is read must hold all the same."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pandas as pd
from pydantic import ValidationError

from quantlib.errors import SourceError
from quantlib.models import MODELS
from quantlib.sources.base import Parsed, Payload, Source
from quantlib.store.bars import check_bars
from quantlib.types import BAR_COLUMNS, MACRO_COLUMNS

TABLES = ("actions", "measures", "releases", "security_events", "news", "sentiment")


def check(parsed: Parsed, payload: Payload) -> int:
    """Return the number of rows that may be stored, having put every row through its check at the door."""
    assert tuple(parsed.bars.columns) == BAR_COLUMNS
    assert tuple(parsed.macro.columns) == MACRO_COLUMNS
    good, _ = check_bars(parsed.bars)
    rows = len(good)
    for table in TABLES:
        frame: pd.DataFrame = getattr(parsed, table)
        model = MODELS[table]
        assert tuple(frame.columns) == model.columns(), table
        assert not frame.duplicated(list(model.key)).any(), f"two rows of {table} have the same key"
        for record in frame.astype(object).where(frame.notna(), None).to_dict("records"):
            with suppress(ValidationError):
                model.model_validate(record)
                rows += 1
    for frame in (parsed.bars, parsed.macro, *(getattr(parsed, table) for table in TABLES)):
        assert set(frame["source"]) <= {payload.source}
    return rows + len(parsed.macro)


def whole(parsed: Parsed) -> int:
    """Return the number of rows of an answer."""
    return len(parsed.bars) + len(parsed.macro) + sum(len(getattr(parsed, table)) for table in TABLES)


def values(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of every value in a JSON document."""
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from values(tree[key])


ODD: tuple[Any, ...] = (
    None, [], {}, "", "x", "-", "None", "NaN", "0", "-1", "1e999", "9" * 400,
    "2024-02-30", "0001-01-01", "9999-12-31",
    0, -1, 1.5, True, 10**30, -(10**30), 2**63, 1e308,
    float("inf"), float("nan"), [None], [[]], {"": None}, [[[[[0]]]]],
)  # fmt: skip


def spoil(tree: Any, rng: random.Random) -> Any:
    """Return a JSON document with one value changed, removed, doubled or added."""
    tree = copy.deepcopy(tree)
    places = list(values(tree))
    if not places:
        return rng.choice(ODD)
    # Half of the time something near the top, which would else be drowned by the many rows.
    place, key = rng.choice(places[:40] if rng.random() < 0.5 else places)
    what = rng.randrange(5)
    if what == 0:
        del place[key]
    elif what == 1 and isinstance(place, dict):
        place[f"{key}2"] = place.pop(key)
    elif what == 2:
        inner = place[key]
        place[key] = json.dumps(inner) if rng.random() < 0.5 else [inner, inner]
    elif what == 3 and isinstance(place, list):
        place.insert(key, copy.deepcopy(place[key]))
    else:
        place[key] = rng.choice(ODD)
    return tree


def inside(text: str, rng: random.Random) -> str:
    """Return a body with a fault in its JSON, also where that is wrapped in JSON; other text gets other words."""
    try:
        tree = json.loads(text)
    except ValueError:
        at = rng.randrange(len(text) + 1)
        return (
            text[:at]
            + rng.choice(("", "<", "</", "<!", "<![x[", "&#xffffff;", "\x00", "NaN", "-", "999", "é"))
            + text[at + rng.randrange(9) :]
        )
    wrapped = [(p, k) for p, k in values(tree) if isinstance(p[k], str) and p[k][:1] in "{["]
    if wrapped and rng.random() < 0.8:
        place, key = rng.choice(wrapped)
        place[key] = inside(place[key], rng)
        return json.dumps(tree)
    return json.dumps(spoil(tree, rng))


def truncated(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def page(text: str, rng: random.Random) -> str:
    return rng.choice(
        ("<html>", "<!DOCTYPE html><html><body>Just a moment…</body></html>", "<?xml version='1.0'?><a/>")
    ) + (text if rng.random() < 0.3 else "")


def nested(_: str, rng: random.Random) -> str:
    return rng.choice(("[", '{"a":', "<table>", "<a>")) * rng.choice((10, 1000, 100_000))


def bits(text: str, rng: random.Random) -> bytes:
    """Return the body with a few bytes changed."""
    data = bytearray(text.encode())
    for _ in range(rng.randrange(1, 6)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def packed(text: str, rng: random.Random) -> bytes:
    """Return the body still packed, whole or cut short."""
    data = gzip.compress(text.encode())
    return data[: rng.randrange(len(data))] if rng.random() < 0.5 else data


DAMAGE: tuple[Callable[[str, random.Random], str | bytes], ...] = (
    inside, inside, inside, inside, inside, inside, truncated, truncated, bits, packed, page, nested,
)  # fmt: skip


def damage(source: Source, payload: Payload, rng: random.Random, times: int) -> None:
    for _ in range(times):
        how = rng.choice(DAMAGE)
        body = how(payload.text, rng)
        if how is inside and rng.random() < 0.3:
            body = inside(str(body), rng)
        broken = replace(payload, body=body, status=rng.choice((200, 200, 200, payload.status, 404, 429, 502)))
        try:
            parsed = source.parse(broken)
        except SourceError:
            continue
        except Exception as error:
            raise AssertionError(f"{how.__name__} of {payload.name} raised {error!r} on {body[:3000]!r}") from error
        check(parsed, broken)
