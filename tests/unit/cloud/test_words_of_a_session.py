"""A PREPARE belongs to the session in which the lot was asked: it is sent in that one or never, and kept for no reconnect."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import pytest

from cloud.facts import Origin
from cloud.gateways.link import Link, Links
from cloud.gateways.service import SessionKey
from sync.failpoints import Failpoints
from sync.messages import Prepare

LOT = UUID(int=7)
PREPARE = Prepare(
    epoch=1, session=0, reservation="r", revision=1, claim="c", type="regular", starts_us=1, ends_us=2, left_ms=8_000
)  # fmt: skip
NOBODY = cast(Any, None)


def links() -> Links:
    return Links(
        gateways=NOBODY,
        clock=NOBODY,
        metrics=NOBODY,
        failpoints=Failpoints(),
        cloud="c",
        new_nonce=lambda: b"",
    )


def link_of(session: int) -> Link:
    link = Link(
        socket=NOBODY,
        links=NOBODY,
        gateways=NOBODY,
        clock=NOBODY,
        metrics=NOBODY,
        failpoints=Failpoints(),
        session=NOBODY,
    )
    origin = Origin(region="default", lot=LOT, gateway="gw", epoch=1)
    link._key = SessionKey(origin=origin, session=session)
    return link


@pytest.mark.parametrize(
    ("asked_in", "waits"), [(5, 1), (4, 0), (6, 0), (0, 1)], ids=["its own", "older", "newer", "any"]
)
def test_a_prepare_is_sent_in_the_session_it_was_asked_in_or_never(asked_in: int, waits: int) -> None:
    link = link_of(5)
    link.say(PREPARE, session=asked_in)
    assert link._notices.qsize() == waits


def test_what_is_said_while_no_line_is_here_waits_for_none() -> None:
    centre, later = links(), link_of(5)
    centre.say(LOT, PREPARE, session=4)
    centre._open["gw"] = later
    assert later._notices.qsize() == 0
