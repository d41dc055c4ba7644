"""Provenance: what code and what inputs a number came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import quantlib


@cache
def code_version(*parts: str) -> str:
    """Return the release and a hash of the module's source, the same with and without a git checkout.

    Parameters
    ----------
    parts
        Files and folders of the module that matter; all if none is named.
    """
    folder = Path(quantlib.__file__).parent
    files = {file for part in parts or (".",) for file in [folder / part, *(folder / part).rglob("*")]}
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.suffix in {".py", ".j2", ".sql"}:
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return f"{quantlib.__version__}+{digest.hexdigest()[:8]}"


def content_id(prefix: str, content: Mapping[str, Any]) -> str:
    """Return an id that is equal for equal content: the prefix and 12 hex digits of a hash."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return f"{prefix}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"
