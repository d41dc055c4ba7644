"""DATABASE_URL: reading it, showing it without its password, and saying why it cannot be reached."""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

from quantlib.errors import ConfigError

FORM = (
    "Write it as postgresql://user:password@host:5432/database, with special characters of the "
    "password percent-encoded (@ as %40, / as %2F)."
)
SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_REASONS = (
    ("password authentication failed", "it refused the user name or the password"),
    ("no password supplied", "it asks for a password and the address has none"),
    ("does not exist", "the database or the user does not exist there; create it first"),
    ("no pg_hba.conf entry", "it does not admit this user from this machine (pg_hba.conf)"),
    ("connection refused", "nothing listens there; start the server or correct host and port"),
    ("name or service not known", "the host name is unknown"),
    ("failed to resolve", "the host name is unknown"),
    ("no such file or directory", "no server listens on that socket"),
    ("too many clients", "it has no connection left; close some clients"),
    ("starting up", "it is still starting; try again in a moment"),
    ("timeout", "it did not answer in time"),
    ("ssl", "the two sides disagree about SSL; see sslmode"),
)


def read_address(url: str) -> str:
    """Return `url` as a libpq address, whichever of the accepted schemes it came with.

    Raises
    ------
    ConfigError
        It is not an address of a PostgreSQL server. The message never repeats it: it may hold a password.
    """
    scheme, found, rest = url.strip().partition("://")
    if not found:
        raise ConfigError(f"DATABASE_URL is not the address of a database. {FORM}")
    if scheme not in SCHEMES:
        raise ConfigError(
            f"DATABASE_URL starts with {scheme}://; the store speaks PostgreSQL only. Accepted: "
            f"{', '.join(f'{s}://' for s in SCHEMES)}."
        )
    address = f"postgresql://{rest}"
    try:
        parts = conninfo_to_dict(address)
    except psycopg.Error:
        parts = {}
    # A bare @ or : in a password ends up in the host or the port, where libpq would print it.
    netloc = rest.partition("/")[0].partition("?")[0]
    ports = [port for port in str(parts.get("port", "")).split(",") if port]
    if not parts or netloc.count("@") > 1 or not all(port.isdigit() for port in ports):
        raise ConfigError(f"DATABASE_URL cannot be read as the address of a database. {FORM}")
    return address


def hide_password(address: str) -> str:
    """Return the address as it may be shown: user, host, port and database, nothing else.

    Examples
    --------
    >>> hide_password("postgresql://me:secret@db.local:5433/quant?sslmode=require")
    'postgresql://me@db.local:5433/quant'
    """
    parts = conninfo_to_dict(address)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host') or 'localhost'}{port}/{parts.get('dbname') or ''}"


def why_unreachable(address: str, error: Exception) -> str:
    """Return one line about a failed connection: the place, the reason and the way out."""
    text = str(error)
    written = re.match(r"postgresql://[^:@/]*:([^@/]*)@", address)
    for secret in (written[1] if written else "", conninfo_to_dict(address).get("password") or ""):
        text = text.replace(str(secret), "***") if secret else text
    known = next((reason for sign, reason in _REASONS if sign in text.lower()), None)
    reason = known or " ".join(text.split())[:200]
    return f"Cannot use the database at {hide_password(address)}: {reason}. See DATABASE_URL."
