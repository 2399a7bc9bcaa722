from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from simulators.demo_news import News, RecordFollower
from simulators.demo_plan import Addresses, DemoPlan, Progress
from simulators.demo_table import table_of
from simulators.demo_view import DemoView, PlainView, page_of
from simulators.report import MUST_BE_ZERO, Report
from simulators.web_traffic import WebNews

PLAN = DemoPlan()
LOOK = Addresses(
    console="http://127.0.0.1:34567/console?token=0123456789abcdef",
    entry_kiosk="http://127.0.0.1:45678/kiosk/entry-1?token=0123456789abcdef",
    exit_kiosk="http://127.0.0.1:45678/kiosk/exit-1?token=0123456789abcdef",
    status_page="http://127.0.0.1:45678/?token=0123456789abcdef",
)
QUEUES = {f"{kind}-{number}": 2 for kind in ("entry", "exit") for number in (1, 2, 3)}


def under_way(**changes: object) -> Progress:
    progress = Progress(
        began_s=0.0,
        started_s=10.0,
        agent_up=True,
        addresses=LOOK,
        lot={"inside": 117, "queues": QUEUES},
        lot_name="Harbour Street",
        spaces=150,
        told=[(float(n), "✓", f"thing {n}") for n in range(40)],
    )
    for name, value in changes.items():
        setattr(progress, name, value)
    return progress


def text_of(progress: Progress, now_s: float = 20.0, width: int = 100, rows: int = 41) -> str:
    return "\n".join(line.plain for line in page_of(PLAN, progress, now_s, width, rows))


def news_of(*lines: dict[str, object], line_up: bool = True) -> News:
    news = News()
    for line in lines:
        news.take(line, line_up=line_up)
    return news


@given(width=st.integers(60, 100), rows=st.integers(5, 60), up=st.booleans(), opened=st.booleans())
def test_the_view_never_outgrows_its_terminal(width: int, rows: int, up: bool, opened: bool) -> None:
    progress = under_way(line_up=up, line_down_s=None if up else 12.0, addresses=LOOK if opened else None)
    page = page_of(PLAN, progress, 20.0, width, rows)
    assert len(page) <= rows
    assert max(line.cell_len for line in page) <= width


def test_a_terminal_of_eighty_by_twenty_four_shows_everything_but_the_log() -> None:
    shown = text_of(under_way(), width=80, rows=23)
    for part in ("Harbour Street", "Exit 3", "Power cut", "arm down on a car", LOOK.console, LOOK.exit_kiosk):
        assert part in shown
    assert "thing 39" in text_of(under_way(), rows=41)


def test_the_newest_thing_stands_first_in_the_log() -> None:
    shown = text_of(under_way())
    assert shown.index("thing 39") < shown.index("thing 38")
    assert "thing 0\n" not in shown


def test_nothing_is_said_to_be_down_before_it_was_started() -> None:
    shown = text_of(under_way(addresses=None, agent_up=False, started_s=None))
    assert "agent down" not in shown
    assert "opens in a moment" in shown


def test_lanes_are_shown_before_anything_happens_at_them() -> None:
    assert "Entry 1  ▬ down  no vehicle, 1 behind" in text_of(under_way())


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (
            [{"what": "loop", "lane": "entry-1", "loop": "arming_loop", "occupied": True}],
            "▬ down  a vehicle is here",
        ),
        (
            [{"what": "arm", "lane": "entry-1", "move": "open", "safety_loop_occupied_s": None}],
            "▲ up    no vehicle",
        ),
        (
            [{"what": "decision", "lane": "entry-1", "kind": "plate", "ms": 4.2}],
            "let in by plate, decided in 4 ms",
        ),
        (
            [{"what": "decision", "lane": "entry-1", "kind": "payment", "ms": 4.2}],
            "paid, the arm told 4 ms later",
        ),
        ([{"what": "entered", "lane": "entry-1", "vehicle": 7, "type": "ev"}], "vehicle 7 in, ev"),
        (
            [{"what": "turned_away", "lane": "entry-1", "vehicle": 7, "why": "full"}],
            "vehicle 7 turned away: full",
        ),
    ],
)
def test_a_lane_shows_what_happens_at_it(lines: list[dict[str, object]], shown: str) -> None:
    page = text_of(under_way(news=news_of(*lines)))
    assert shown in next(line for line in page.splitlines() if "Entry 1" in line)


def test_each_story_goes_from_ahead_to_done_with_its_figures() -> None:
    assert "○ 1  Walk-in     the first car comes soon" in text_of(under_way())
    assert "○ 3  Line down   in 10 s" in text_of(under_way())
    assert "○ 5  Power cut   in 20 s" in text_of(under_way())
    decided = news_of({"what": "decision", "lane": "entry-1", "kind": "button", "ms": 6.4})
    assert "✓ 1  Walk-in     the barrier was told in 6 ms, a subscriber knew in 51 ms" in text_of(
        under_way(news=decided, knew_ms=51.2)
    )
    cut = news_of({"what": "entered", "lane": "entry-1", "vehicle": 1}, line_up=False)
    down = under_way(news=cut, line_up=False, line_down_s=15.0, backlog=44, agent_up=False, kills=1)
    assert "… 3  Line down   5 s so far, 44 records wait, 1 cars in, 0 out, nobody turned away" in text_of(
        down
    )
    assert "… 5  Power cut" in text_of(down)
    assert "✂ line cut 5 s ago" in text_of(down)
    assert "■ agent down" in text_of(down)
    done = under_way(news=cut, waited=44, drain_s=1.3, kills=1, back_s=2.5)
    assert "✓ 3  Line down   1 cars in, 0 out, nobody turned away; 44 records drained in 1.3 s" in text_of(
        done
    )
    assert "✓ 5  Power cut   killed once, back in 2.5 s" in text_of(done)


def test_the_stories_of_bookings_go_from_ahead_to_done_with_their_figures() -> None:
    ahead = text_of(under_way())
    assert "○ 2  Booked      the first driver books soon" in ahead
    assert "○ 4  Last spot   in 0 s" in ahead
    assert "○ 6  The pass    in 10 s" in ahead
    web = WebNews(told=Counter(booked=5, lost=6, turned_away=1), raced=(4, 6), doubt_s=18.0)
    web.doubts(1, 19.0)
    down = text_of(under_way(web=web, line_up=False))
    assert "… 2  Booked      5 booked on the web, 1 heard that the line is down, 0 came" in down
    assert "✓ 4  Last spot   web and kiosks at once: 4 booked, 6 heard just taken" in down
    assert "… 6  The pass    a decision was lost 2 s ago" in down
    web.doubts(0, 30.0)
    came = {"what": "entered", "lane": "entry-1", "vehicle": 1, "way": "pass", "reservation": "r-1"}
    done = text_of(under_way(web=web, news=news_of(came, line_up=False)))
    assert "✓ 2  Booked      5 booked on the web, 1 heard that the line is down, 1 came" in done
    assert "✓ 6  The pass    in doubt for 12 s, then known; 1 passes admitted" in done


def test_a_booking_that_is_decided_at_once_is_no_doubt_of_the_story() -> None:
    web = WebNews()
    web.doubts(1, 5.0)
    web.doubts(0, 6.0)
    assert web.known_s is None


def test_an_arm_on_a_car_is_seen_at_once() -> None:
    arm = {"what": "arm", "lane": "exit-1", "move": "close", "safety_loop_occupied_s": 0.2, "refused": False}
    assert "arm down on a car 1" in text_of(under_way(news=news_of(arm)))
    assert "arm down on a car 0" in text_of(under_way(news=news_of({**arm, "refused": True})))


def test_how_soon_a_subscriber_knew_is_counted_from_the_first_change_of_a_place() -> None:
    words: list[dict[str, object]] = [
        {"what": "reading", "spot": "A-001", "occupied": True, "t": 1.0},
        {"what": "reading", "spot": "A-001", "occupied": True, "t": 2.0},
        {"what": "reading", "spot": "A-001", "occupied": False, "t": 3.0},
        {"what": "reading", "spot": "A-002", "occupied": False, "t": 4.0},
    ]
    news = news_of(*words)
    assert news.known_after_ms([("A-001", "free", 2.9), ("A-001", "occupied", 3.1)]) is None
    assert news.known_after_ms([("A-001", "free", 3.05)]) == pytest.approx(50)


def test_without_colours_no_escape_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    console = Console(file=out, width=100, height=42, force_terminal=True)
    with DemoView(PLAN, console) as view:
        view.show(under_way(line_up=False))
    assert "\x1b[3" not in out.getvalue()
    assert "✂ line cut" in out.getvalue()


def test_the_plain_view_says_each_thing_once_in_ascii_and_where_to_look() -> None:
    out = io.StringIO()
    view = PlainView(out)
    progress = under_way(told=[(0.0, mark, "this") for mark in "✓▲…✂■○▬"])
    view.show(progress)
    progress.told.append((75.0, "✂", "that"))
    view.show(progress)
    said = out.getvalue()
    assert said.isascii()
    assert len(said.splitlines()) == 7 + 4 + 1
    assert said.endswith("demo   75.0 s  cut  that\n")
    assert f"demo: entry kiosk {LOOK.entry_kiosk}" in said


def test_a_record_is_followed_line_by_line_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    follower = RecordFollower(path)
    assert follower.lines() == []
    whole = [json.dumps({"what": "left", "n": n}) + "\n" for n in range(3)]
    path.write_text(whole[0] + whole[1][:5])
    assert [line["n"] for line in follower.lines()] == [0]
    with path.open("a") as file:
        file.write(whole[1][5:] + whole[2])
    assert [line["n"] for line in follower.lines()] == [1, 2]
    assert follower.lines() == []


# The table at the end

GOOD = Report(
    figures={
        **dict.fromkeys(MUST_BE_ZERO, 0),
        **dict.fromkeys(
            (
                "vehicles_entered",
                "vehicles_exited",
                "payments_taken",
                "barrier_moves",
                "readings_published",
                "readings_acknowledged",
                "events_logged",
                "events_applied",
                "link_cuts",
                "agent_kills",
                "bookings_confirmed",
                "bookings_lost_race",
                "bookings_at_kiosks",
                "bookings_turned_away",
                "passes_admitted_offline",
                "oldest_doubt_seconds",
            ),
            60,
        ),
        "drain_seconds": None,
        "decision_ms": {"p50": 5.0, "p99": 9.0, "max": 9.0, "samples": 80},
        "sensor_to_cloud_ms": {"p50": None, "p99": None, "max": None, "samples": 0},
    }
)


def test_the_table_marks_what_must_be_zero_and_ends_with_the_exit_status() -> None:
    table = table_of(GOOD)
    assert table.count("✓") == len(MUST_BE_ZERO) + 1
    assert "p50 5.0, p99 9.0, max 9.0, samples 80" in table
    assert table.count("not measured") == 2
    assert table.endswith("✓ nothing lost, nothing twice; exit status 0\n")


def test_the_table_of_a_bad_run_names_what_is_wrong() -> None:
    bad = replace(
        GOOD,
        figures={**GOOD.figures, "readings_lost": 3},
        faults=["readings_lost is 3, not 0", "spot A-001: …"],
    )
    table = table_of(bad)
    assert " ■ readings acknowledged but lost   3\n" in table
    assert " ■ readings_lost is 3, not 0\n ■ spot A-001: …\n ■ the demo failed; exit status 1\n" in table


def test_the_table_can_be_ascii() -> None:
    assert table_of(GOOD, ascii_only=True).isascii()
