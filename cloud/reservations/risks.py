"""Words about promises that may not be kept."""

from __future__ import annotations

NO_PLACE = "no_place"
"""Half an hour before the start no place stands for it. The lot's own reasons are in sync/events.py."""

REFUND_RULE = "in full: when it is cancelled, or when its window ends and its place was never used"
