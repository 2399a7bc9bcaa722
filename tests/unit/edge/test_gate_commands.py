"""What a lot makes of a command from afar: each phase of a lane, and any order of commands, lines and arms."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ports import Move
from edge.gate_commands import REMEMBERED, GateCommands
from edge.lane_ports import LaneLimits
from edge.lane_runner import LaneRunner
from edge.lanes import TABLES, LaneEvent, LanePhase, LaneState, Levels
from edge.visit import Answered, Visit
from parking.lot import LaneKind
from sync.events import EventKind
from sync.gate_refusal import SENTENCES, GateRefusal
from sync.messages import CommandResult, FromParticipant, GateCommand
from tests.integration.edge.conftest import HandClock
from tests.unit.edge.lot_at_work import DOWN, RISING, UP, Arm, LotAtWork, until

KINDS = (LaneKind.ENTRY, LaneKind.EXIT)
IS_UP = {
    LanePhase.OPEN,
    LanePhase.OPEN_EMPTY,
    LanePhase.PASSING,
    LanePhase.CLEARING,
    LanePhase.UNSURE,
    LanePhase.EVACUATED,
}
IS_ON_ITS_WAY = {LanePhase.OPENING, LanePhase.EVACUATING}


class Gates:
    """Two lanes and their commands, without a lot around them."""

    def __init__(self) -> None:
        self.arm = Arm()
        self.said: list[CommandResult] = []
        self.acted: Counter[str] = Counter()
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.runners = {
            f"{kind.value}-1": LaneRunner(
                lane=f"{kind.value}-1",
                kind=kind,
                work=Nobody(),
                arm=self.arm,
                log=self,
                clock=HandClock(),
                limits=LaneLimits(arm_s=1_000, passage_s=1_000, back_out_s=1_000),
                failed=failed,
            )
            for kind in KINDS
        }
        self.gates = GateCommands(runners=self.runners)
        for runner in self.runners.values():
            runner.changed = self.gates.lanes_changed

    def open(self) -> None:
        self.gates.link_opened(self.hear)

    def hear(self, frame: FromParticipant) -> None:
        assert isinstance(frame, CommandResult)
        self.said.append(frame)

    def command(self, id_: str = "c-1", lane: str = "entry-1", move: str = "open") -> None:
        self.gates.hear(
            GateCommand(epoch=1, session=1, command=id_, lane=lane, move=move, by="Anna", reason="stuck")
        )

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        return [(one.command, one.result, one.detail) for one in self.said]

    # a log that only remembers which commands a person's act came from

    def person_acted(self, lane: str, action: str, by: str, reason: str, *, command: str = "") -> None:
        self.acted[command] += 1

    def gate_moved(self, lane: str, move: Move, why: str, stay: str | None) -> None:
        pass

    def tailgated(self, lane: str) -> None:
        pass

    def help_called(self, lane: str, why: str) -> None:
        pass


class Nobody:
    """Decides nothing: no car is here."""

    async def decide(self, visit: Visit) -> Answered:
        raise AssertionError(visit)

    async def pay(self, visit: Visit) -> Answered:
        raise AssertionError(visit)

    def passed(self, visit: Visit | None) -> None:
        pass

    def backed_out(self, visit: Visit) -> None:
        pass


UNREAD = Levels()
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("command"),
            st.sampled_from(["c-1", "c-2", "c-3"]),
            st.sampled_from(["entry-1", "exit-1", "nowhere"]),
            st.sampled_from(["open", "close"]),
        ),
        st.tuples(
            st.just("lane"),
            st.sampled_from(["entry-1", "exit-1"]),
            st.sampled_from([DOWN, RISING, UP, UNREAD]),
        ),
        st.tuples(st.just("line"), st.booleans()),
    ),
    max_size=30,
)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_phase_of_a_lane_opens_or_says_why_not(kind: LaneKind) -> None:
    told = {}
    for phase in LanePhase:
        gates = Gates()
        gates.open()
        runner = gates.runners[f"{kind.value}-1"]
        runner.state = LaneState(phase=phase)
        gates.command(lane=runner.lane)
        can = (phase, LaneEvent.PERSON_OPENS) in TABLES[kind]
        assert (runner.state.phase is LanePhase.OPENING) == (can or phase is LanePhase.OPENING)
        assert gates.acted == ({"c-1": 1} if can else {})
        assert not (can and gates.said)
        told[phase] = [detail for _, _, detail in gates.answers]
    busy = {LanePhase.ABANDONED, LanePhase.RELEASED} | ({LanePhase.OWES, LanePhase.PAYING} - _opens(kind))
    assert told == {
        phase: []
        if phase in _opens(kind)
        else [GateRefusal.ARM_FAULT]
        if phase in {LanePhase.UNREAD, LanePhase.LOST}
        else [GateRefusal.ALREADY_OPEN]
        if phase in IS_UP | IS_ON_ITS_WAY
        else [GateRefusal.NOT_NOW]
        if phase in busy
        else None
        for phase in LanePhase
    }


def _opens(kind: LaneKind) -> set[LanePhase]:
    return {phase for phase, event in TABLES[kind] if event is LaneEvent.PERSON_OPENS}


@pytest.mark.parametrize("phase", LanePhase)
async def test_a_command_under_way_is_done_once_the_arm_is_up_and_refused_wherever_else_it_ends(
    phase: LanePhase,
) -> None:
    gates = Gates()
    gates.open()
    gates.runners["entry-1"].contacts(DOWN, button=False)
    gates.command()
    assert gates.said == []
    gates.runners["entry-1"].state = LaneState(phase=phase)
    gates.gates.lanes_changed()
    if phase in IS_UP:
        assert gates.answers == [("c-1", "done", "")]
    elif phase not in IS_ON_ITS_WAY:
        assert gates.answers == [("c-1", "refused", "arm_fault")]
    else:
        assert gates.answers == []


async def test_what_is_not_known_here_is_refused_by_name() -> None:
    gates = Gates()
    gates.open()
    gates.runners["entry-1"].contacts(DOWN, button=False)
    gates.command("a", lane="nowhere")
    gates.command("b", move="close")
    assert gates.answers == [("a", "refused", "lane_unknown"), ("b", "refused", "no_such_command")]
    assert gates.acted == {}
    assert set(SENTENCES) == set(GateRefusal)


@given(STEPS)
async def test_in_any_order_a_command_is_carried_out_at_most_once_and_never_after_its_session(
    steps: list[tuple[object, ...]],
) -> None:
    gates = Gates()
    for runner in gates.runners.values():
        runner.contacts(DOWN, button=False)
    sessions, asked = 0, Counter[tuple[int, str]]()
    up = False
    for what, *more in steps:
        before, said = gates.acted.total(), len(gates.said)
        if what == "line":
            if more[0] and not up:
                sessions += 1
                gates.acted.clear()
                gates.said.clear()
                gates.open()
            elif up and not more[0]:
                gates.gates.link_lost()
            up = bool(more[0])
        elif what == "lane":
            gates.runners[str(more[0])].contacts(more[1], button=False)  # type: ignore[arg-type]  # the strategy's
            assert gates.acted.total() == before  # a lane never carries out by itself what was asked before
        else:
            id_, lane, move = (str(one) for one in more)
            gates.command(id_, lane, move)
            asked[sessions, id_] += up
            if not up:
                assert (gates.acted.total(), len(gates.said)) == (before, said)
    assert all(count == 1 for count in gates.acted.values())
    for id_ in {one.command for one in gates.said}:
        assert len({(one.result, one.detail) for one in gates.said if one.command == id_}) == 1
        assert sum(one.command == id_ for one in gates.said) <= asked[sessions, id_]


async def test_what_is_remembered_of_a_session_is_bounded() -> None:
    gates = Gates()
    gates.open()
    for n in range(REMEMBERED + 10):
        gates.command(f"c-{n}", lane="nowhere")
    gates.command("c-11", lane="nowhere")
    assert gates.gates.counts["repeated"] == 1
    assert len(gates.gates._known) == REMEMBERED


async def test_a_lane_opened_from_afar_has_who_and_why_and_by_which_command_on_record(lot: LotAtWork) -> None:
    arm, said = Arm(), list[FromParticipant]()
    runner = lot.runner(LaneKind.ENTRY, arm)
    gates = GateCommands(runners={"entry-1": runner})
    runner.changed = gates.lanes_changed
    gates.link_opened(said.append)
    runner.contacts(DOWN, button=False)
    command = GateCommand(
        epoch=1, session=1, command="c-1", lane="entry-1", move="open", by="Anna", reason="ticket unreadable"
    )
    gates.hear(command)
    await until(lambda: arm.moves)
    runner.contacts(RISING, button=False)
    runner.contacts(replace(UP, vehicle=False), button=False)
    assert [getattr(one, "result", "") for one in said] == ["done"]
    (told,) = lot.events(EventKind.OVERRIDE)
    assert {name: told[name] for name in ("lane", "action", "by", "reason", "command")} == {
        "lane": "entry-1",
        "action": "open",
        "by": "Anna",
        "reason": "ticket unreadable",
        "command": "c-1",
    }
    gates.hear(command)
    assert arm.moves == [Move.OPEN]
    assert [getattr(one, "result", "") for one in said] == ["done", "done"]


async def test_an_arm_that_does_not_arrive_is_a_refusal_by_the_lanes_own_time_limit(lot: LotAtWork) -> None:
    arm, said = Arm(), list[FromParticipant]()
    runner = lot.runner(LaneKind.ENTRY, arm)
    gates = GateCommands(runners={"entry-1": runner})
    runner.changed = gates.lanes_changed
    gates.link_opened(said.append)
    runner.contacts(DOWN, button=False)
    gates.hear(
        GateCommand(epoch=1, session=1, command="c-1", lane="entry-1", move="open", by="Anna", reason="x")
    )
    runner.contacts(replace(DOWN, arm_down=False), button=False)
    await until(lambda: said)
    assert [getattr(one, "detail", "") for one in said] == ["arm_fault"]


async def test_an_open_lane_keeps_its_rules_a_command_from_afar_drives_nothing_down(lot: LotAtWork) -> None:
    arm, said = Arm(), list[FromParticipant]()
    runner = lot.runner(LaneKind.ENTRY, arm)
    gates = GateCommands(runners={"entry-1": runner})
    gates.link_opened(said.append)
    runner.contacts(replace(UP, safety=True), button=False)
    for move in ("open", "close", "stop"):
        gates.hear(
            GateCommand(epoch=1, session=1, command=move, lane="entry-1", move=move, by="Anna", reason="x")
        )
    await asyncio.sleep(0)
    assert arm.moves == []
    assert [getattr(one, "detail", "") for one in said] == [
        "already_open",
        "no_such_command",
        "no_such_command",
    ]
