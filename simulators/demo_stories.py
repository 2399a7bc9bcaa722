"""How the stories of the demo stand, a line each: mark, number, name, what happened so far. Next file: simulators/demo_view.py."""

from __future__ import annotations

from rich.text import Text

from simulators.demo_plan import DemoPlan, Progress
from simulators.web_crowd import DOUBT_AT, RACE_AT

COLOURS = {
    "✓": "green",
    "▲": "green",
    "…": "blue",
    "✂": "yellow",
    "■": "bold red",
    "○": "dim",
    "▬": "dim",
}


def stories(plan: DemoPlan, progress: Progress, now_s: float) -> list[Text]:
    """All of them, at the real second `now_s`."""
    return [
        _story(1, "Walk-in", *_walk_in(progress)),
        _story(2, "Booked", *_booked(progress)),
        _story(3, "Line down", *_line_down(plan, progress, now_s)),
        _story(4, "Last spot", *_last_spot(plan, progress, now_s)),
        _story(5, "Power cut", *_power_cut(plan, progress, now_s)),
        _story(6, "The pass", *_the_pass(plan, progress, now_s)),
    ]


def _story(number: int, name: str, mark: str, what: str) -> Text:
    return Text.assemble(
        " ", (mark, COLOURS[mark]), f" {number}  {name:<11} ", (what, "dim" if mark == "○" else "")
    )


def _walk_in(progress: Progress) -> tuple[str, str]:
    news = progress.news
    if news.first_decision_ms is None:
        return "○", "the first car comes soon"
    knew = f", a subscriber knew in {progress.knew_ms:.0f} ms" if progress.knew_ms is not None else ""
    figures = f"the barrier was told in {news.first_decision_ms:.0f} ms{knew}"
    return ("…" if progress.knew_ms is None else "✓"), figures


def _booked(progress: Progress) -> tuple[str, str]:
    told, came = progress.web.told, progress.news.counts["pass"]
    if not told["booked"]:
        return "○", "the first driver books soon"
    said = f"{told['booked']} booked on the web"
    if told["turned_away"]:
        said += f", {told['turned_away']} heard that the line is down"
    return ("✓" if came else "…"), f"{said}, {came} came with their pass"


def _last_spot(plan: DemoPlan, progress: Progress, now_s: float) -> tuple[str, str]:
    raced = progress.web.raced
    if raced is None:
        return "○", _ahead(plan, progress, now_s, RACE_AT)
    return "✓", f"web and kiosks at once: {raced[0]} booked, {raced[1]} heard just taken"


def _the_pass(plan: DemoPlan, progress: Progress, now_s: float) -> tuple[str, str]:
    web, admitted = progress.web, progress.news.with_line_down["pass"]
    if web.doubt_s is None:
        return "○", _ahead(plan, progress, now_s, DOUBT_AT)
    if web.known_s is None:
        return (
            "…",
            f"a decision was lost {now_s - web.doubt_s:.0f} s ago, the lot holds the place; its driver comes",
        )
    return (
        "✓",
        f"in doubt for {web.known_s - web.doubt_s:.0f} s, then known; {admitted} passes admitted with the line down",
    )


def _line_down(plan: DemoPlan, progress: Progress, now_s: float) -> tuple[str, str]:
    down = progress.news.with_line_down
    cars = f"{down['entered']} cars in, {down['left']} out, {_refused(down['turned_away'])}"
    if progress.line_down_s is not None:
        return "…", f"{now_s - progress.line_down_s:.0f} s so far, {progress.backlog} records wait, {cars}"
    if progress.drain_s is not None:
        return "✓", f"{cars}; {progress.waited} records drained in {progress.drain_s:.1f} s"
    if progress.waited:
        return "…", f"{cars}; {progress.backlog} of {progress.waited} records wait"
    return "○", _ahead(plan, progress, now_s, 1 / 3)


def _power_cut(plan: DemoPlan, progress: Progress, now_s: float) -> tuple[str, str]:
    if not progress.kills:
        return "○", _ahead(plan, progress, now_s, 1 / 2)
    if not progress.agent_up or progress.back_s is None:
        return "…", "the agent is dead; the arms stay where they are"
    often = "once" if progress.kills == 1 else f"{progress.kills} times"
    return (
        "✓",
        f"killed {often}, back in {progress.back_s:.1f} s; what it acknowledged is compared at the end",
    )


def _refused(count: int) -> str:
    return f"{count} turned away" if count else "nobody turned away"


def _ahead(plan: DemoPlan, progress: Progress, now_s: float, share: float) -> str:
    if progress.started_s is None:
        return "later"
    return f"in {max(0.0, progress.started_s + share * plan.seconds - now_s):.0f} s"
