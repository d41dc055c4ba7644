"""Answers in NewsAPI's form, written here after its documentation."""

from __future__ import annotations

import json
from typing import Any

from quantlib.sources.base import Payload


def payload(body: Any, status: int = 200, name: str = "KO", **span: Any) -> Payload:
    return Payload("newsapi", "news", name, json.dumps(body), status=status, **span)


def fault(code: str, message: str = "No.") -> dict[str, Any]:
    return {"status": "error", "code": code, "message": message}


FOUND: dict[str, Any] = {
    "status": "ok",
    "totalResults": 3,
    "articles": [
        {
            "source": {"id": None, "name": "Example Times"},
            "author": None,
            "title": "A drink  sells well",
            "description": "More of it was sold.",
            "url": "https://example.com/a",
            "urlToImage": None,
            "publishedAt": "2024-03-05T01:30:00Z",
            "content": "More of it was sold, and …",
        },
        {
            "source": {"id": "example", "name": "Example Post"},
            "author": "A. Writer",
            "title": "Another drink",
            "description": None,
            "url": "https://example.com/b",
            "urlToImage": None,
            "publishedAt": "2024-03-04T09:00:00Z",
            "content": None,
        },
        {
            "source": {"id": None, "name": "[Removed]"},
            "author": None,
            "title": "[Removed]",
            "description": "[Removed]",
            "url": "https://removed.com",
            "urlToImage": None,
            "publishedAt": "1970-01-01T00:00:00Z",
            "content": "[Removed]",
        },
    ],
}
PAST = "You are trying to request results too far in the past. Your plan permits you to request articles as far back as"
# Without the withdrawn one: its fields would make every row of it differ from those that are stored.
ANSWERS = [payload({**FOUND, "totalResults": 2, "articles": FOUND["articles"][:2]})]
REFUSALS = [
    payload(fault("apiKeyInvalid"), 401),
    payload(fault("apiKeyMissing"), 401),
    payload(fault("apiKeyDisabled"), 403),
    payload(fault("rateLimited"), 429),
    payload(fault("apiKeyExhausted"), 429),
    payload(fault("rateLimited")),
    payload(fault("maximumResultsReached"), 426),
    payload(fault("parameterInvalid", PAST), 426),
    payload({"status": "ok", "totalResults": 0, "articles": []}),
]
