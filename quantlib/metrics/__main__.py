"""Print the documentation of the metrics: `python -m quantlib.metrics > docs/metrics.md`."""

from __future__ import annotations

import sys

from quantlib.metrics.document import markdown

sys.stdout.write(markdown())
