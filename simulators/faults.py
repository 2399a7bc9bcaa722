"""What can be made to go wrong in a lot while it runs, as one JSON object a line.

    {"do": "stop_traffic"}                                     no more arrivals; who is inside stays or leaves as before
    {"do": "hold"}                                             nobody arrives or sets off any more; who is at a lane goes through
    {"do": "lie", "spot": "A-001", "how": "stuck"}             also "duplicating", "silent"; "on": false ends it
    {"do": "lie", "spot": "A-001", "how": "flapping", "times": 20, "every_s": 0.1}
    {"do": "unplug", "device": "barriers-entry"}               a cable by its name in lot.toml; "plug" puts it back
    {"do": "mute", "device": "barriers-entry", "unit": 2}      one controller falls silent; "on": false ends it
    {"do": "trick", "lane": "entry-1", "what": "tailgate"}     also "back_out": what the next driver there does
    {"do": "arrive", "type": "ev", "count": 3}                 so many vehicles more come now; also "stays_min"
    {"do": "arrive", "code": "LG1:…", "reservation": "…"}      one comes with a pass
    {"do": "decline", "device": "terminal-1"}                  cards are refused; "on": false ends it
    {"do": "lose_answers", "device": "terminal-1", "times": 1} payments are taken and nobody is told
    {"do": "status"}                                           say how things stand
    {"do": "end"}                                              end in order

The broker, the line and the processes are not in the lot: who started them makes them fail (simulators/broker.py, simulators/network.py).
"""

from __future__ import annotations

from collections.abc import Container
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from parking.lot import SpotType
from simulators.driving import Trick
from simulators.radio import Lie
from simulators.running import RunningLot
from simulators.wire.modbus_barrier import ModbusBarrierBus
from simulators.wire.payment_terminal import PaymentTerminalWire


class FaultRefused(Exception):
    """The order cannot be carried out; the message names what is wrong with it."""


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Plain(_Order):
    """An order without particulars."""

    do: Literal["stop_traffic", "hold", "status", "end"]


class LieOrder(_Order):
    """A sensor begins or ceases to lie."""

    do: Literal["lie"]
    spot: str
    how: Lie
    on: bool = True
    times: int = Field(default=10, ge=1, le=10_000)
    every_s: float = Field(default=0.1, ge=0.001, le=60)


class CableOrder(_Order):
    """A plug is pulled or put back."""

    do: Literal["unplug", "plug"]
    device: str


class MuteOrder(_Order):
    """A controller on a bus falls silent or speaks again."""

    do: Literal["mute"]
    device: str
    unit: int
    on: bool = True


class TrickOrder(_Order):
    """The next driver of a lane does something unexpected."""

    do: Literal["trick"]
    lane: str
    what: Trick


class TerminalOrder(_Order):
    """A payment terminal misbehaves."""

    do: Literal["decline", "lose_answers"]
    device: str
    on: bool = True
    times: int = Field(default=1, ge=1, le=1_000)


class ArriveOrder(_Order):
    """More vehicles come, or one with a pass."""

    do: Literal["arrive"]
    type: SpotType = SpotType.REGULAR
    count: int = Field(default=1, ge=1, le=100)
    stays_min: float = Field(default=40.0, gt=0, le=10_000)
    code: str | None = None
    reservation: str | None = None


Order = Plain | LieOrder | CableOrder | MuteOrder | TrickOrder | TerminalOrder | ArriveOrder
_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="do")])


def read_order(line: str | bytes) -> Order:
    """Read one line.

    Raises:
        FaultRefused: it is none of these orders.
    """
    try:
        return _ORDER.validate_json(line)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "line"
        raise FaultRefused(f"{where}: {first['msg']}") from wrong


def obey(order: Order, lot: RunningLot) -> None:
    """Carry an order out.

    Raises:
        FaultRefused: the lot has no such device, lane or place.
    """
    if not isinstance(order, ArriveOrder):
        lot.record.note("fault", order=order.model_dump(mode="json"))
    match order:
        case ArriveOrder():
            stays = timedelta(minutes=order.stays_min)
            for _ in range(order.count):
                lot.arrive(order.type, stays, code=order.code, reservation=order.reservation)
        case Plain(do="stop_traffic"):
            lot.arrivals_stopped.set()
        case Plain(do="hold"):
            lot.hold()
        case LieOrder(how=Lie.FLAPPING):
            _known(order.spot, lot.radio.sensors)
            lot.spawn(lot.radio.flap(order.spot, order.times, order.every_s))
        case LieOrder():
            _known(order.spot, lot.radio.sensors)
            lot.radio.lie(order.spot, order.how, on=order.on)
        case CableOrder():
            _cable(order, lot)
        case MuteOrder():
            _mute(order, lot)
        case TrickOrder():
            _known(order.lane, lot.lanes)
            lot.lanes[order.lane].tricks.append(order.what)
        case TerminalOrder():
            _terminal(order, lot)


def _cable(order: CableOrder, lot: RunningLot) -> None:
    device = lot.devices.named(order.device)
    if device is None:
        raise FaultRefused(f"device: there is no cable {order.device!r}")
    if order.do == "plug":
        device.start()
    else:
        device.stop()


def _mute(order: MuteOrder, lot: RunningLot) -> None:
    bus = lot.devices.named(order.device)
    if not isinstance(bus, ModbusBarrierBus):
        raise FaultRefused(f"device: there is no bus {order.device!r}")
    (bus.mute.add if order.on else bus.mute.discard)(order.unit)


def _terminal(order: TerminalOrder, lot: RunningLot) -> None:
    terminal = lot.devices.named(order.device)
    if not isinstance(terminal, PaymentTerminalWire):
        raise FaultRefused(f"device: there is no terminal {order.device!r}")
    if order.do == "decline":
        terminal.decline = order.on
    else:
        terminal.lose_answers += order.times


def _known(name: str, names: Container[str]) -> None:
    if name not in names:
        raise FaultRefused(f"there is no {name!r} in this lot")
