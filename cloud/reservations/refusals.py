"""Why a booking was not made, in a sentence for its driver."""

from __future__ import annotations

from collections.abc import Mapping

from sync.transaction import NoReason

SENTENCES: Mapping[str, str] = {
    NoReason.FULL: "just taken: nothing of this type is left for this time",
    NoReason.SPOT_TAKEN: "just taken: this very spot is promised to somebody else",
    NoReason.WOULD_NOT_PACK: "no single place is free for all of this time",
    NoReason.TYPE_NOT_HERE: "this lot has no place of this type",
    NoReason.LINK_DOWN: "the line to this lot is down, and nothing of it can be sold from here now",
    NoReason.DEADLINE: "the lot did not answer in time; nothing was booked and nothing will be taken",
    NoReason.MET_BY_FACT: "just taken: somebody drove onto this place",
    NoReason.CATCHING_UP: "the lot is catching up after an outage and sells nothing right now",
    NoReason.NOT_AUTHORISED: "the payment is not authorised any more",
}
