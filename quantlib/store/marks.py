"""The mark of the data: tells whether anything has been stored since somebody looked."""

from __future__ import annotations

import sqlalchemy as sa

from quantlib.store.database import Store

# Times stand in no index, so the rows are read anyway: counting them costs nothing.
_MARK = sa.text("""
SELECT concat_ws(' ', b.mark, r.rows, a.mark, o.mark)
FROM (SELECT count(*) AS rows, concat_ws('/', count(*), max(recorded_at)) AS mark FROM market_data.bars) b,
     (SELECT count(*) AS rows FROM market_data.bar_revisions) r,
     (SELECT count(*) AS rows, concat_ws('/', count(*), count(replaced_at), max(greatest(recorded_at, replaced_at)))
             AS mark FROM market_data.actions) a,
     (SELECT count(*) AS rows, concat_ws('/', count(*), max(recorded_at)) AS mark FROM macro.observations) o
WHERE b.rows + r.rows + a.rows + o.rows > 0
""")


def data_mark(store: Store) -> str:
    """Return a mark that changes whenever a price, an action or an observation is written or withdrawn; or empty.

    Each table is marked by itself and with its number of rows. One time for all of them would miss what is stamped
    before and committed after something else; within a table writers take turns, and rows put in by hand count.
    """
    with store.begin() as connection:
        return str(connection.scalar(_MARK) or "")
