"""What a person sees of the demo in a terminal: the lot and its lanes, the stories, what must hold, where to look, the log. 100 columns at most.

Marks carry the meaning, colours only repeat it: ✓ done, … under way, ○ still to come, ■ broken, ▲ up, ▬ down, ✂ cut. A terminal of few rows shows less
of the log. NO_COLOR is obeyed (rich does). Next file: simulators/demo_table.py, what stands at the end.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import IO, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from simulators.demo_news import LaneNews
from simulators.demo_plan import DemoPlan, Progress
from simulators.demo_stories import COLOURS, stories

WIDTH = 100
ALL_ROWS = 42
ROWS_FOR_LANES = 28
"""In a lower terminal two lanes share a row."""
BAR = 24
ASCII = {"✓": "ok", "▲": "up", "…": "..", "✂": "cut", "■": "!!", "○": "o", "▬": "--"}


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
    """For machines, pipes and `--plain`: one line of ASCII for each thing that happens."""

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
        for at_s, mark, what in progress.told[self._told :]:
            self._out.write(f"demo {at_s - progress.began_s:6.1f} s  {ASCII[mark]:<3}  {what}\n")
        self._told = len(progress.told)
        if progress.addresses is not None and not self._opened:
            self._opened = True
            for name, address in doors_of(progress):
                self._out.write(f"demo: {name} {address}\n")
        self._out.flush()


class DemoView:
    """The live view."""

    def __init__(self, plan: DemoPlan, console: Console | None = None) -> None:
        self._plan = plan
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw it anew."""
        size = self._console.size
        page = page_of(self._plan, progress, time.monotonic(), min(WIDTH, size.width), size.height - 1)
        self._live.update(Group(*page), refresh=True)


def page_of(plan: DemoPlan, progress: Progress, now_s: float, width: int, rows: int) -> list[Text]:
    """The lines of the live view, at most `rows` of them."""
    page = [_head(plan, progress, now_s, width), _bar(plan, progress, now_s, width)]
    lot = _lot(progress, now_s)
    page += [_rule("Lot", width), *(lot if rows >= ROWS_FOR_LANES else _side_by_side(lot, width))]
    page += [_rule("Stories", width), *stories(plan, progress, now_s)]
    page += [_rule("What must hold", width), *_holds(progress)]
    if progress.addresses is not None:
        page += [_rule("Look", width)]
        page += [Text.assemble(f" {name:<12} ", (address, "cyan")) for name, address in doors_of(progress)]
    left = rows - len(page) - 1
    if left > 0:
        page += [_rule("Log", width)]
        page += [_told(progress, *told) for told in reversed(progress.told[-left:])]
    for line in page:
        line.no_wrap, line.overflow = True, "ellipsis"
        line.truncate(width, overflow="ellipsis")
    return page[:rows]


def doors_of(progress: Progress) -> list[tuple[str, str]]:
    """Where to look: name and address; nothing before the services are up."""
    doors = progress.addresses
    if doors is None:
        return []
    return [
        ("console", doors.console),
        ("entry kiosk", doors.entry_kiosk),
        ("exit kiosk", doors.exit_kiosk),
        ("gateway", doors.status_page),
    ]


def _head(plan: DemoPlan, progress: Progress, now_s: float, width: int) -> Text:
    gone_s = int(now_s - progress.began_s)
    spaces = f"1 lot, {progress.spaces} spaces, " if progress.spaces else ""
    head = Text.assemble(
        (" lotgate demo ", "reverse bold"), f"  {spaces}seed {plan.seed}, {plan.speed:g} times real speed"
    )
    clock = f"{gone_s // 3600:02d}:{gone_s // 60 % 60:02d}:{gone_s % 60:02d}"
    return head.append(clock.rjust(max(1, width - head.cell_len)), style="dim")


def _bar(plan: DemoPlan, progress: Progress, now_s: float, width: int) -> Text:
    if progress.started_s is None:
        return Text(f" … {progress.stage}", style="blue")
    cells = width - 45
    gone = min(1.0, (now_s - progress.started_s) / plan.seconds)
    filled = round(gone * cells)
    return Text.assemble(
        " ", ("█" * filled, "green"), ("·" * (cells - filled), "dim"), f" {gone:4.0%}  {progress.stage}"
    )


def _rule(title: str, width: int) -> Text:
    return Text.assemble(("── ", "dim"), (title, "bold"), (" " + "─" * (width - len(title) - 4), "dim"))


def _lot(progress: Progress, now_s: float) -> list[Text]:
    if progress.addresses is None:
        return [Text(" opens in a moment", style="dim")]
    inside = int(str(progress.lot.get("inside", 0)))
    free = max(0, progress.spaces - inside)
    filled = round(BAR * inside / progress.spaces) if progress.spaces else 0
    line = ("✂ line cut", "yellow") if not progress.line_up else ("▲ line up", "green")
    agent = ("✓ agent", "green") if progress.agent_up else ("■ agent down", "bold red")
    for_s = "" if progress.line_down_s is None else f" {now_s - progress.line_down_s:.0f} s ago"
    first = Text.assemble(
        f" {progress.lot_name:<15}",
        (f"{free:>4}", "bold"),
        " free ",
        "█" * min(BAR, filled),
        ("·" * (BAR - min(BAR, filled)), "dim"),
        "  ",
        line,
        for_s,
        "  ",
        agent,
        (f"  {progress.backlog} wait", "dim") if progress.backlog else "",
    )
    queues = progress.lot.get("queues")
    waiting = queues if isinstance(queues, dict) else {}
    names = sorted({*progress.news.lanes, *waiting})
    lanes = [_lane(n, progress.news.lanes.get(n, LaneNews()), int(waiting.get(n, 0))) for n in names]
    return [first, *lanes]


def _side_by_side(lot: list[Text], width: int) -> list[Text]:
    """The same with two lanes in a row, entries left and exits right."""
    first, lanes = lot[:1], lot[1:]
    half = -(-len(lanes) // 2)
    for left in lanes[:half]:
        left.truncate(width // 2, overflow="ellipsis", pad=True)
    right = [*lanes[half:], Text("")]
    return [*first, *(left + other for left, other in zip(lanes[:half], right, strict=False))]


def _lane(name: str, lane: LaneNews, waiting: int) -> Text:
    arm = ("▲ up  ", "green") if lane.arm == "up" else ("▬ down", "dim")
    what = lane.doing or ("a vehicle is here" if lane.vehicle_here else "no vehicle")
    behind = f", {waiting - 1} behind" if waiting > 1 else ""
    return Text.assemble(
        f"   {name.replace('-', ' ').capitalize():<8} ",
        arm,
        "  ",
        (what, "" if lane.doing else "dim"),
        behind,
    )


def _holds(progress: Progress) -> list[Text]:
    news = progress.news
    figures = (
        ("arm down on a car", news.arm_on_a_car),
        ("server errors", progress.server_errors),
        ("conflicts", progress.conflicts),
    )
    line = Text(" ")
    for name, value in figures:
        line.append(f"{name} ").append(str(value), style="bold green" if not value else "bold red").append(
            "   "
        )
    published = news.counts["reading"]
    line.append(
        f"readings {progress.readings_acknowledged} of {published}   facts {progress.acknowledged_seq}"
    )
    moved = f" vehicles {news.counts['entered']} in, {news.counts['left']} out"
    paid = f"   {news.counts['payment']} paid, {news.paid_minor / 100:.2f} {news.currency}"
    return [
        line,
        Text(f"{moved}{paid if news.paid_minor else ''}   the rest is compared at the end", style="dim"),
    ]


def _told(progress: Progress, at_s: float, mark: str, what: str) -> Text:
    return Text.assemble((f" {at_s - progress.began_s:6.1f} s  ", "dim"), (mark, COLOURS[mark]), f" {what}")
