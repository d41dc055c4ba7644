"""The schema and its history, brought up to date on the first connection.

Each step is one module in `versions/`, named by its revision, written for Alembic. The whole road runs in one
transaction under an advisory lock: two processes may migrate at once, and a step that fails leaves nothing.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from quantlib.errors import ConfigError

FOLDER = Path(__file__).parent
SCHEMA = "ops"
TABLE = "schema_version"
REVISIONS = tuple(sorted(path.stem.partition("_")[0] for path in (FOLDER / "versions").glob("r[0-9]*.py")))
HEAD = REVISIONS[-1]
_VERSIONS = sa.table(TABLE, schema=SCHEMA)
_LOCK = 0x71756E74  # any number, the same in every process


def current(connection: sa.Connection) -> str | None:
    """Return the revision the database is at, or None for a fresh one; one query."""
    try:
        with connection.begin_nested() if connection.in_transaction() else connection.begin():
            found: str | None = connection.scalar(sa.select(sa.column("version_num")).select_from(_VERSIONS))
    except sa.exc.ProgrammingError:  # no such table yet
        return None
    return found


def upgrade(engine: sa.Engine) -> None:
    """Bring the schema to `HEAD`; one query when it is there already.

    Raises
    ------
    ConfigError
        The schema is newer than this code, or the user may not create schemas.
    """
    with engine.connect() as connection:
        if current(connection) == HEAD:
            return
    # Only a database behind its code has to pay the tenth of a second that importing Alembic takes.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            found = current(connection)
            if found == HEAD:
                return
            if found is not None and found not in REVISIONS:
                raise ConfigError(
                    f"The database is at revision {found}, which this code does not know (its newest is {HEAD}). "
                    "Update the code, or use another database."
                )
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            config = Config()
            config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)
    except sa.exc.ProgrammingError as error:
        if "permission denied" not in str(error):
            raise
        raise ConfigError(
            "The database user may not create schemas or tables. Grant it CREATE on the database of DATABASE_URL."
        ) from None
