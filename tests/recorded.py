"""Recorded answers of vendors, from the folder of real data beside the project."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml


class Recorded(NamedTuple):
    """One recorded interaction with a vendor."""

    url: str
    method: str
    status: int
    text: str


@pytest.fixture(scope="session")
def cassettes(replay: Path) -> Callable[[str], list[Recorded]]:
    """Return a function that lists every recorded interaction of a provider, bodies decoded."""

    @functools.cache
    def read(provider: str) -> list[Recorded]:
        out = []
        for file in sorted((replay / "api" / "openbb_terminal_2022" / provider).glob("*.yaml")):
            for one in yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["interactions"]:
                raw = one["response"]["body"]["string"]
                if isinstance(raw, bytes):
                    raw = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode(errors="replace")
                request = one["request"]
                out.append(Recorded(request["uri"], request["method"], one["response"]["status"]["code"], raw))
        return out

    return read
