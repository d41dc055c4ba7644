"""Trials of groups belong to the idea of their kind: outright, pair, fly, switch, basket or rotation."""

from __future__ import annotations

from alembic import op

from quantlib.store.migrations.comments import comment_tables

revision = "r0008"
down_revision = "r0007"

# A trial asked for again goes by its new idea's id, so it stands once under either: the count errs on the strict side.
IDEAS = """
UPDATE strategies.trials t SET idea = coalesce(d.params ->> 'kind', 'pair')
FROM strategies.definitions d
WHERE t.idea = 'group' AND d.family = 'group' AND d.id = t.strategy_id;
UPDATE strategies.trials t SET idea = t.params ->> 'kind'
WHERE t.idea = 'group' AND t.kind = 'backtest' AND t.params ->> 'kind' <> '';
UPDATE strategies.trials t SET idea = p.idea
FROM strategies.trials p WHERE t.idea = 'group' AND p.id = t.parent;
"""


def upgrade() -> None:
    """Name the ideas anew, and describe the column as it is now."""
    op.execute(IDEAS)
    comment_tables(op.get_bind())
