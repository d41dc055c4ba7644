"""DATABASE_URL: every accepted form, and messages that help without giving the password away."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from quantlib.errors import ConfigError
from quantlib.store.address import hide_password, read_address, why_unreachable

PLAIN = "postgresql://me:secret@db.local:5433/quant"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_accepted_scheme_is_the_same_address(scheme: str) -> None:
    assert read_address(f" {scheme}://me:secret@db.local:5433/quant\n") == PLAIN


def test_percent_encoded_parts_and_options_survive() -> None:
    address = read_address("postgres://me:p%40ss%2Fw@[::1]/quant?sslmode=require&connect_timeout=3")
    assert conninfo_to_dict(address) == {
        "user": "me", "password": "p@ss/w", "host": "::1", "dbname": "quant", "sslmode": "require",
        "connect_timeout": "3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me:hunter2@host/db", "starts with mysql://.*postgresql://"),
        ("sqlite:///hunter2.db", "PostgreSQL only"),
        ("hunter2", "not the address of a database.*postgresql://user"),
        ("host=localhost password=hunter2", "not the address"),
        ("postgresql://me:hunter2@host:port/db", "cannot be read.*percent-encoded"),
        ("postgresql://me:hunter2@more@host/db", "cannot be read.*%40"),
        ("postgresql://me:hun/ter2@host/db", "cannot be read"),
        ("postgresql://me:hunter2@host/db?colour=red", "cannot be read"),
        ("postgresql://me:hunter2%zz@host/db", "cannot be read"),
    ],
)
def test_malformed_addresses_are_refused_in_one_line_without_the_password(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        read_address(url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=6).map(lambda s: f"9z{s}q7"))
def test_no_password_is_ever_shown(password: str) -> None:
    shown = []
    try:
        address = read_address(f"postgresql://me:{password}@db.local:5433/quant")
        shown = [hide_password(address), why_unreachable(address, psycopg.OperationalError(f"it said {password}"))]
    except ConfigError as error:
        shown = [str(error)]
    assert not any(password in text for text in shown)


def test_what_is_shown_keeps_user_host_port_and_database() -> None:
    assert hide_password(PLAIN + "?sslmode=require") == "postgresql://me@db.local:5433/quant"
    assert hide_password("postgresql:///quant") == "postgresql://localhost/quant"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            'connection failed: FATAL:  password authentication failed for user "me"',
            "refused the user name or the password",
        ),
        ('FATAL:  database "quant" does not exist', "does not exist there; create it first"),
        ("Connection refused\n\tIs the server running?", "nothing listens there"),
        ("failed to resolve host 'db.local': [Errno -2] Name or service not known", "host name is unknown"),
        ("connection timeout expired", "did not answer in time"),
        ("FATAL:  sorry, too many clients already", "no connection left"),
        ("FATAL:  unheard of\nDETAIL:  secret plan", "FATAL: unheard of DETAIL: \\*\\*\\* plan"),
    ],
)
def test_the_reason_and_the_place_are_named(said: str, words: str) -> None:
    message = why_unreachable(PLAIN, psycopg.OperationalError(said))
    assert message.startswith("Cannot use the database at postgresql://me@db.local:5433/quant: ")
    with pytest.raises(ConfigError, match=words):
        raise ConfigError(message)
    assert "\n" not in message
    assert "secret" not in message
