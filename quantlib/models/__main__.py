"""Print the documentation of the tables: `python -m quantlib.models > docs/tables.md`."""

from __future__ import annotations

import sys

from quantlib.models.tables import markdown

sys.stdout.write(markdown())
