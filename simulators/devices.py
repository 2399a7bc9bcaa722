"""Binds the physical truth to the wire: barrier units on their buses, readers and terminals on their cables, all on pseudo-terminals.

The cables' device names are those that lot.toml tells the agent to open; their folders are made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simulators.gate import ARM_TRAVEL_S, Gate
from simulators.lot_plan import LotPlan
from simulators.record import Record
from simulators.wire.modbus_barrier import ModbusBarrierBus
from simulators.wire.payment_terminal import PaymentTerminalWire, TerminalRecord
from simulators.wire.pty import Pty
from simulators.wire.serial_reader import SerialReaderWire

THINK_S = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Everything that hangs on a cable, by its name in lot.toml. `gates` are by lane."""

    gates: dict[str, Gate]
    buses: dict[str, ModbusBarrierBus]
    readers: dict[str, SerialReaderWire]
    terminals: dict[str, PaymentTerminalWire]

    def start(self) -> None:
        """Plug all cables in; call it on the running loop."""
        for device in self._all():
            device.start()

    def stop(self) -> None:
        """Pull all plugs."""
        for device in self._all():
            device.stop()

    def named(self, name: str) -> ModbusBarrierBus | SerialReaderWire | PaymentTerminalWire | None:
        """The device on the cable `name`."""
        return self.buses.get(name) or self.readers.get(name) or self.terminals.get(name)

    def _all(self) -> Iterable[ModbusBarrierBus | SerialReaderWire | PaymentTerminalWire]:
        return (*self.buses.values(), *self.readers.values(), *self.terminals.values())


def devices_of(plan: LotPlan, record: Record, monotonic: Callable[[], float]) -> Devices:
    """Make the lot's devices; nothing is plugged in yet."""
    gates = {
        lane.id: Gate(lane.id, lane.barrier, record, monotonic, travel_s=ARM_TRAVEL_S) for lane in plan.lanes
    }
    by_barrier = {gate.name: gate for gate in gates.values()}
    lane_of_terminal = {lane.terminal: lane.id for lane in plan.lanes}
    buses = {}
    for name, bus in plan.buses.items():
        units = {unit: by_barrier[barrier] for barrier, unit in bus.units.items() if barrier in by_barrier}
        buses[name] = ModbusBarrierBus(_cable(bus.port), units, monotonic=monotonic)
    terminals = {}
    for name, port in plan.terminals.items():
        gate = gates.get(lane_of_terminal.get(name, ""))
        heard = partial(_paid, record, name, gate)
        terminals[name] = PaymentTerminalWire(_cable(port), think_s=THINK_S, on_record=heard)
    return Devices(
        gates=gates,
        buses=buses,
        readers={name: SerialReaderWire(_cable(port)) for name, port in plan.readers.items()},
        terminals=terminals,
    )


def _paid(record: Record, name: str, gate: Gate | None, paid: TerminalRecord) -> None:
    record.note(
        "payment",
        terminal=name,
        key=paid.key,
        amount_minor=paid.amount_minor,
        currency=paid.currency,
        reference=paid.reference,
    )
    if gate is not None and paid.reference is not None:
        gate.asked("payment")


def _cable(link: Path) -> Pty:
    link.parent.mkdir(parents=True, exist_ok=True)
    return Pty(link)
