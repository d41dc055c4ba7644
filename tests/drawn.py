"""What a chart draws, whichever way plotly wrote it: as a report keeps it, so that two ways can be compared."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from quantlib.reports.figures import DIGITS


def plain(node: Any) -> Any:
    """Return plotly's JSON with its packed arrays as lists, numbers rounded and midnights as dates."""
    if isinstance(node, dict) and node.keys() >= {"dtype", "bdata"}:
        array = np.frombuffer(base64.b64decode(node["bdata"]), dtype=node["dtype"])
        shape = [int(size) for size in str(node.get("shape", len(array))).split(",")]
        return plain(array.reshape(shape).tolist())
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    if isinstance(node, str):
        return node.removesuffix("T00:00:00")
    if isinstance(node, float):
        return float(f"{node:.{DIGITS}g}") if np.isfinite(node) else None
    return node
