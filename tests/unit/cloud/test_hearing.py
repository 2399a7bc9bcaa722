"""How a gateway is heard: by when, and only then by its socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.console.words import HEARINGS
from cloud.gateways.commands import COMMAND_TABLE, UNKNOWN_BECAUSE, CommandEvent, CommandState
from cloud.gateways.hearing import LATE_AFTER_S, SILENT_AFTER_S, Hearing, hearing_of
from cloud.gateways.lines import LINKS


@pytest.mark.parametrize(
    ("age_s", "session_open", "heard"),
    [
        (None, True, Hearing.NEVER),
        (None, False, Hearing.NEVER),
        (0.0, True, Hearing.UP),
        (60.0, True, Hearing.UP),
        (60.1, True, Hearing.LATE),
        (300.0, True, Hearing.LATE),
        (300.1, True, Hearing.SILENT),
        (0.0, False, Hearing.DOWN),
        (300.0, False, Hearing.DOWN),
        (300.1, False, Hearing.SILENT),
    ],
)
def test_it_is_late_after_a_minute_and_silent_after_five_whatever_its_socket_says(
    age_s: float | None, session_open: bool, heard: Hearing
) -> None:
    assert hearing_of(age_s, session_open=session_open) is heard


@given(st.floats(min_value=0, allow_nan=False), st.booleans())
def test_an_open_socket_never_makes_a_silent_gateway_a_heard_one(age_s: float, session_open: bool) -> None:
    heard = hearing_of(age_s, session_open=session_open)
    assert (heard is Hearing.SILENT) == (age_s > SILENT_AFTER_S)
    assert not (heard is Hearing.UP and (age_s > LATE_AFTER_S or not session_open))


def test_each_way_of_being_heard_has_its_word_for_staff_and_for_strangers() -> None:
    assert set(LINKS) == set(Hearing)
    assert set(HEARINGS) == set(Hearing) - {Hearing.UP}


def test_a_command_ends_once_and_only_from_sent() -> None:
    ends = {(CommandState.SENT, event) for event in CommandEvent}
    assert set(COMMAND_TABLE) == ends
    assert CommandState.SENT not in COMMAND_TABLE.values()
    assert {event for (_, event), state in COMMAND_TABLE.items() if state is CommandState.UNKNOWN} == set(
        UNKNOWN_BECAUSE
    )
