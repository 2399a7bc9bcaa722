"""What a person sees of the demo in a terminal: the lot, the line, what happened, and where to look. 100 columns, marks that carry meaning."""

from __future__ import annotations

import time
from types import TracebackType
from typing import IO, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simulators.demo import DemoPlan, Progress
from simulators.report import MUST_BE_ZERO, Report

WIDTH = 100
MOST_LINES = 9
LABELS = {
    "vehicles_entered": "vehicles in",
    "vehicles_exited": "vehicles out",
    "readings_published": "readings published",
    "readings_acknowledged": "readings acknowledged",
    "readings_lost": "acknowledged but lost",
    "events_logged": "events in the lot's log",
    "events_applied": "events at the centre",
    "events_lost": "events lost",
    "events_duplicated": "events twice",
    "places_sold_twice": "places sold twice",
    "availability_mismatches": "disagreements on availability",
    "conflicts": "conflicts",
    "barrier_moves": "moves of a barrier",
    "arm_down_on_occupied_loop": "arm down on a car",
    "link_cuts": "cuts of the line",
    "agent_kills": "kills of the agent",
    "http_5xx": "server errors",
    "decision_ms": "decision at the lane, ms",
    "sensor_to_cloud_ms": "sensor to subscriber, ms",
    "drain_seconds": "backlog drained in, s",
    "payments_taken": "payments taken",
}


class View(Protocol):
    """Shows a demo while it runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, progress: Progress) -> None:
        """Something is new."""
        ...


class PlainView:
    """For machines: one line for each thing that happens."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._told = 0
        self._opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.flush()

    def show(self, progress: Progress) -> None:
        """Write what was not written yet."""
        for _, what in progress.told[self._told :]:
            self._out.write(f"demo: {what}\n")
        self._told = len(progress.told)
        if progress.addresses is not None and not self._opened:
            self._opened = True
            self._out.write(f"demo: console {progress.addresses.console}\n")
            self._out.write(f"demo: kiosk {progress.addresses.entry_kiosk}\n")
        self._out.flush()


class DemoView:
    """The live view."""

    def __init__(self, plan: DemoPlan) -> None:
        self._plan = plan
        self._began_s = time.monotonic()
        self._live = Live(console=Console(width=WIDTH), auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw it anew."""
        self._live.update(self._page(progress), refresh=True)

    def _page(self, progress: Progress) -> Group:
        head = Text(" lotgate demo ", style="reverse bold")
        head.append(
            f"  {self._plan.seconds:g} s, {self._plan.speed:g} times real speed, seed {self._plan.seed}",
            style="default",
        )
        return Group(head, self._bar(progress), self._lot(progress), _doors(progress), self._log(progress))

    def _bar(self, progress: Progress) -> Text:
        if progress.started_s is None:
            return Text(f" … {progress.stage}", style="blue")
        gone = min(1.0, (time.monotonic() - progress.started_s) / self._plan.seconds)
        filled = round(gone * 60)
        return Text.assemble(
            " ", ("█" * filled, "green"), ("·" * (60 - filled), "dim"), f" {gone:4.0%}  {progress.stage}"
        )

    def _lot(self, progress: Progress) -> Table:
        table = Table.grid(padding=(0, 3))
        lot = progress.lot
        table.add_row(
            Text(f" {lot.get('inside', '–')} inside", style="bold"),
            f"{lot.get('entered', 0)} in",
            f"{lot.get('left', 0)} out",
            f"{lot.get('readings_published', 0)} readings",
        )
        line = Text("▲ line up", style="green") if progress.line_up else Text("✂ line cut", style="yellow")
        agent = (
            Text("✓ agent", style="green") if progress.agent_up else Text("■ agent down", style="bold red")
        )
        table.add_row(
            Text(" ").append_text(line),
            agent,
            f"{progress.backlog} wait",
            f"{progress.acknowledged_seq} applied",
        )
        queues = lot.get("queues")
        if isinstance(queues, dict):
            lanes = "   ".join(f"{lane} {'▮' * int(length) or '▬'}" for lane, length in queues.items())
            table.add_row(Text(f" {lanes}", style="dim"))
        return table

    def _log(self, progress: Progress) -> Panel:
        lines = [
            Text(f"{at - self._began_s:7.1f} s  {what}") for at, what in reversed(progress.told[-MOST_LINES:])
        ]
        return Panel(Group(*lines), title="what happened", title_align="left", width=WIDTH)


def _doors(progress: Progress) -> Text:
    if progress.addresses is None:
        return Text("")
    doors = progress.addresses
    return Text(
        f" console      {doors.console}\n entry kiosk  {doors.entry_kiosk}\n exit kiosk   {doors.exit_kiosk}\n"
        f" gateway      {doors.status_page}",
        style="cyan",
        no_wrap=True,
        overflow="ellipsis",
    )


def table_of(report: Report) -> str:
    """The figures as a table, what must be zero marked, and the verdict."""
    lines = []
    for name, label in LABELS.items():
        value = report.figures[name]
        if isinstance(value, dict):
            parts = [f"{key} {part}" for key, part in value.items() if part is not None]
            value = ", ".join(parts) or "not measured"
        mark = " " if name not in MUST_BE_ZERO else ("✓" if value == 0 else "■")
        lines.append(f" {mark} {label:<32} {value}")
    lines += [f" ■ {fault}" for fault in report.faults]
    lines.append(" ✓ nothing lost, nothing twice" if report.passed else " ■ the demo failed")
    return "\n".join(lines) + "\n"
