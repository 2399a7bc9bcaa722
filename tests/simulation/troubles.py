"""What goes wrong on a seed's day: one trouble after another, some at a time, until faults stop.

Each draws how long it lasts. Some wait for their moment: a line that is cut as a vote leaves, a frame of an earlier session that comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from edge.lanes import LanePhase
from sync.messages import Decision, Vote
from tests.simulation.gates import Gate
from tests.simulation.network import UP

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY_S = 600.0
NO_BATTERY_AT = datetime(1970, 1, 1, tzinfo=UTC)
CIVIL_JUMPS = (timedelta(hours=1), timedelta(hours=-1), timedelta(days=9 * 365), timedelta(0))
DAYS_S = (86_400.0, 2 * 86_400.0, 3 * 86_400.0)
DAYS_CHANCE = 0.05
PHASES = 5
"""Of a lane, in which something waits to happen."""


class Troubles:
    """One seed's."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._at_frame: type[Any] | None = None
        world.network.frames.append(self._cut_at)
        self._all: dict[str, Callable[[], None]] = {
            "weather": self._weather,
            "cut": self._cut,
            "cut at a vote": lambda: self._arm(Vote),
            "cut at a decision": lambda: self._arm(Decision),
            "half cut": self._half_cut,
            "an old frame": self._old_frame,
            "kill cloud": lambda: random.choice(world.processes).die("killed"),
            "deaf": self._deaf,
            "kill lot": lambda: world.lot_tier.die("killed", power_cut=False),
            "power cut": self._power_cut,
            "clock": self._set_clock,
            "provider": self._provider_down,
            "disk": self._disk_full,
            "lapse": self._lapse,
            "controller": lambda: self._gate("lost", (1.0, 10.0, 90.0)),
            "arm": lambda: self._gate("jammed", (5.0, 60.0)),
            "loop": lambda: self._gate("blind", (1.0, 8.0, 60.0)),
            "attendant": self._attendant,
            "in a phase": self._in_a_phase,
        }

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / EVERY_S))
            self._all[self._random.choice(list(self._all))]()

    async def cut_for_days(self) -> None:
        """On some days the line is dead for days before calm comes."""
        if self._random.random() < DAYS_CHANCE:
            self._world.network.set_cut(up=True, down=True)
            await asyncio.sleep(self._random.choice(DAYS_S))

    def _later(self, choices: tuple[float, ...], then: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self._random.choice(choices), then)

    # The line

    def _weather(self) -> None:
        random, world = self._random, self._world
        weather = world.network.weather
        bad = random.random() < 0.6
        weather.lost = random.choice((0.02, 0.1, 0.3)) if bad else 0.0
        weather.doubled = random.choice((0.0, 0.2)) if bad else 0.0
        weather.reordered = random.choice((0.0, 0.2)) if bad else 0.0
        weather.rough = random.choice((0.0, 0.0, 0.02)) if bad else 0.0
        weather.longest_s = random.choice((0.2, 1.0, 6.0)) if bad else 0.08
        world.provider.deaf = random.choice((0.0, 0.05, 0.3)) if bad else 0.0
        world.trace.add("network", f"weather {weather}")

    def _cut(self) -> None:
        self._world.network.set_cut(up=True, down=True)
        self._later((3.0, 20.0, 100.0, 900.0, 7_200.0), self._heal)

    def _half_cut(self) -> None:
        up = self._random.random() < 0.5
        self._world.network.set_cut(up=up, down=not up)
        self._later((1.0, 5.0, 30.0, 300.0), self._heal)

    def _arm(self, kind: type[Any]) -> None:
        self._at_frame = kind

    def _cut_at(self, _direction: str, frame: object) -> None:
        """A frame leaves that a trouble waits for: it arrives, or is the last that does not, and the line is dead for a while."""
        if self._at_frame is None or not isinstance(frame, self._at_frame) or not self._world.faulty:
            return
        self._at_frame = None
        arrives = self._random.random() < 0.5
        delay_s = 0.1 if arrives else 0.0
        asyncio.get_running_loop().call_later(
            delay_s, self._cut_for, self._random.choice((60.0, 900.0, 5_400.0))
        )

    def _cut_for(self, lasts_s: float) -> None:
        self._world.network.set_cut(up=True, down=True)
        asyncio.get_running_loop().call_later(lasts_s, self._heal)

    def _heal(self) -> None:
        self._world.network.set_cut(up=False, down=False)

    def _old_frame(self) -> None:
        """Somebody plays back what an earlier session sent: it must change nothing (I6)."""
        network = self._world.network
        if network.earlier and network.open:
            data = self._random.choice(network.earlier)
            self._world.trace.add("network", "an old frame comes again")
            network.open[-1].inject(UP, data)

    # The machines

    def _deaf(self) -> None:
        """A process of the centre loses the connection on which it listens, and hears nothing that is said at commits meanwhile."""
        process = self._random.choice(self._world.processes)
        self._world.trace.add(process.name, "hears nothing")
        process.words.deaf = True
        self._later((1.0, 10.0, 300.0), process.words.listen_again)

    def _power_cut(self) -> None:
        tier = self._world.lot_tier
        if self._random.random() < 0.3:
            tier.raw.offset = NO_BATTERY_AT - self._world.clock.now()
        tier.die("power cut", power_cut=True)

    def _set_clock(self) -> None:
        """A hand sets the civil clock, or a time server does."""
        jump = self._random.choice(CIVIL_JUMPS)
        self._world.trace.add("lot", f"its civil clock is off by {jump}")
        self._world.lot_tier.raw.offset = jump

    def _provider_down(self) -> None:
        self._world.trace.add("provider", "is down")
        self._world.provider.down = True
        self._later((10.0, 120.0, 3_600.0), self._provider_back)

    def _provider_back(self) -> None:
        self._world.provider.down = False

    def _disk_full(self) -> None:
        self._world.trace.add("disk", "is full")
        self._world.lot_tier.disk.full = True
        self._later((2.0, 30.0, 300.0), self._disk_has_room)

    def _disk_has_room(self) -> None:
        self._world.lot_tier.disk.full = False

    def _lapse(self) -> None:
        """The provider lets a hold go."""
        world = self._world
        held = [name for name, one in world.provider.intents.items() if one.seen.state == "authorised"]
        if held:
            world.checks.lapsed.add(world.provider.intents[held[0]].seen.payment)
            world.provider.let_go(held[0])

    # The lanes

    def _in_a_phase(self) -> None:
        """For some phases of both lanes: as soon as the lane is in it, its controller is lost, its arm jams, or an attendant comes."""
        for gate in self._world.lot_tier.gates:
            for phase in self._random.sample(list(LanePhase), PHASES):
                gate.waits[phase] = partial(
                    self._happens, gate, self._random.choice(("lost", "jammed", "person"))
                )

    def _happens(self, gate: Gate, what: str) -> None:
        if not self._world.faulty:
            return
        if what == "person":
            self._attends(gate)
        else:
            self._fails(gate, what, (1.0, 10.0, 90.0))

    def _gate(self, what: str, lasts: tuple[float, ...]) -> None:
        self._fails(self._random.choice(self._world.lot_tier.gates), what, lasts)

    def _fails(self, gate: Gate, what: str, lasts: tuple[float, ...]) -> None:
        self._world.trace.add(f"lane {gate.kind}", f"{what} begins")
        setattr(gate, what, True)
        gate.read()
        self._later(lasts, lambda: self._gate_works(gate, what))

    def _gate_works(self, gate: Gate, what: str) -> None:
        setattr(gate, what, False)
        gate.read()

    def _attendant(self) -> None:
        """Somebody opens a lane from the desk, or closes one beside the arm."""
        self._attends(self._random.choice(self._world.lot_tier.gates))

    def _attends(self, gate: Gate) -> None:
        if gate.runner is not None:
            opens = self._random.random() < 0.7
            ask = gate.runner.person_opens if opens else gate.runner.person_closes
            done = ask("attendant", "it rains")
            self._world.trace.add(f"lane {gate.kind}", f"attendant {'opens' if opens else 'closes'}: {done}")
